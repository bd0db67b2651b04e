"""A run with predictions of objects that nobody computed, to be segmented and scored."""

import numpy as np
from funlib.geometry import Roi
from scipy import ndimage

from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.predicted import open_heads
from lsd.spec import (
    Config,
    Dataset,
    Head,
    Network,
    Stage,
    UNet,
    Variant,
    Volume,
)
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

ROI, SIZE = Roi((3, -4, 7), (12, 40, 44)), (12.0, 4.0, 4.0)
PLANE, FLAT_SIZE = Roi((-4, 7), (40, 44)), (4.0, 4.0)


def smooth(seed: int, channels: int, shape) -> np.ndarray:
    """uint8 that looks like a prediction."""
    noise = np.random.default_rng(seed).random((channels, *shape))
    noise = ndimage.gaussian_filter(noise, (0, *[1.2] * len(shape)))
    low, high = np.percentile(noise, [5, 95])
    return (255 * np.clip((noise - low) / (high - low), 0, 1)).astype(np.uint8)


def make_config(
    folder, heads: dict[str, Head], arrays: dict[str, np.ndarray], **sections
) -> Config:
    """A volume of which `arrays` (c, z, y, x) are predicted, uint8 or float32; heads: of the
    variant."""
    dims = next(iter(arrays.values())).ndim - 1
    roi, size = (ROI, SIZE) if dims == 3 else (PLANE, FLAT_SIZE)
    mask = np.ones(roi.shape, np.uint8)
    mask[..., :4] = 0
    mask[..., 20:22, 20:22] = 0
    truth = ndimage.label(smooth(0, 1, roi.shape)[0] > 140)[0].astype(np.uint64)
    for name, data in {"raw": smooth(5, 1, roi.shape)[0], "labels": truth, "mask": mask}.items():
        create_array(folder / "data.zarr", name, roi=roi, voxel_size=size, dtype=data.dtype).write(
            data, roi
        )
    volume = Volume(path="data.zarr", raw="raw", labels="labels", labels_mask="mask", name="em")
    trunk = UNet(features=2, multiplier=2, factors=((2,) * dims,), kernels=((3,) * dims,))
    config = Config(
        name="run",
        dataset=Dataset(validate=(volume,)),
        variant=Variant(stages=(Stage(heads=heads),)),
        network=Network(trunk=trunk, train_shape=(18,) * dims),
        predict={"volumes": ("validate",), "device": "cpu", "threads": 1},
        runs=str(folder / "runs"),
        data_root=str(folder),
        **sections,
    )
    for name, data in arrays.items():
        create_array(
            prediction(config, "em"),
            name,
            roi=roi,
            voxel_size=size,
            dtype=data.dtype,
            channels=len(data),
        ).write(data, roi)
    return config


def another_run(config: Config, name: str, **segment) -> Config:
    """With the same prediction, segmented otherwise."""
    other = config.derive(name=name, segment=segment)
    path = prediction(other, "em")
    path.parent.mkdir(parents=True)
    path.symlink_to(prediction(config, "em"))
    return other


def known(config: Config) -> np.ndarray | None:
    """Where there may be objects."""
    if not config.segment.use_mask:
        return None
    array = open_array(f"{config.data_root}/data.zarr", "mask")
    return array.read(array.roi) > 0


def decoded(config: Config):
    """What the decoder makes of all at once, in memory."""
    heads = {name: head.read(head.array.roi) for name, head in open_heads(config, "em").items()}
    decoder = decoder_of(config.segment)
    return decoder.decode(heads, config.segment, mask=known(config))


def read(config: Config, name: str) -> np.ndarray:
    array = open_array(segmentation(config, "em"), name)
    return array.read(array.roi)
