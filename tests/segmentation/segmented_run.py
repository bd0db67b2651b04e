"""A run with predictions that nobody computed, to be segmented."""

import numpy as np
from funlib.geometry import Roi
from scipy import ndimage

from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Fragments,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
)
from lsd.spec.paths import prediction, segmentation
from lsd.volumes.create import create_array

ROI = Roi((5, 0, 2), (12, 20, 24))
VOXEL_SIZE = (40.0, 4.5, 4.0)
THRESHOLDS = (0.28, 0.29, 0.6)


def affs():
    noise = ndimage.gaussian_filter(
        np.random.default_rng(0).random((3, *ROI.shape)), (0, 1.5, 1.5, 1.5)
    )
    low, high = np.percentile(noise, [5, 90])
    return (255 * np.clip((noise - low) / (high - low), 0, 1)).astype(np.uint8)


def make_config(tmp_path):
    """A config, and two volumes with predictions: one with truth, one without."""
    labels = np.ones(ROI.shape, np.uint64)
    for what, data in (
        ("raw", labels.astype(np.uint8)),
        ("labels", labels),
        ("mask", labels.astype(np.uint8)),
    ):
        if what == "mask":
            data[:, :, :7] = 0
        create_array(
            tmp_path / "data.zarr", what, roi=ROI, voxel_size=VOXEL_SIZE, dtype=data.dtype
        ).write(data, ROI)
    volume = Volume(path="data.zarr", raw="raw", labels="labels", labels_mask="mask")
    config = Config(
        name="run",
        dataset=Dataset(validate=(volume,), test=(volume.derive(labels=None),)),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=Segment(thresholds=THRESHOLDS, fragments=Fragments(min_seed_distance=4)),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    for name in ("data_validate", "data_test"):
        create_array(
            prediction(config, name),
            "affs",
            roi=ROI,
            voxel_size=VOXEL_SIZE,
            dtype=np.uint8,
            channels=3,
        ).write(affs(), ROI)
    return config


def changed(config, **segment):
    return config.derive(segment=config.segment.derive(**segment))


def names(config, volume):
    folder = segmentation(config, volume) / "segmentation"
    return sorted(path.name for path in folder.iterdir() if path.is_dir())
