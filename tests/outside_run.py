"""A run with kinds that are defined outside of lsd: a volume of boxes, a network of few weights."""

import numpy as np
from funlib.geometry import Roi

from lsd.spec import (
    Config,
    Dataset,
    Fragments,
    Network,
    Predict,
    Segment,
    Train,
    UNet,
    Volume,
)
from lsd.volumes.create import create_array

SHAPE, VOXEL_SIZE = (36, 36, 36), (8.0, 8.0, 8.0)


def write_volume(path) -> None:
    """Boxes of 9 voxels a side, each a neuron of one grey value; some are background."""
    rng = np.random.default_rng(0)
    boxes = np.ones((9, 9, 9), np.uint64)
    labels = np.kron(rng.integers(0, 12, (4, 4, 4)).astype(np.uint64), boxes)
    raw = (labels * np.uint64(20)).astype(np.uint8) + rng.integers(0, 9, SHAPE, np.uint8)
    roi = Roi((0, 0, 0), SHAPE)
    for name, data in {"raw": raw, "labels": labels}.items():
        create_array(path, name, roi=roi, voxel_size=VOXEL_SIZE, dtype=data.dtype).write(data, roi)


def make_config(
    folder, variant, *, dims=3, imports, name="outside", augment=(), heads=(), **train
) -> Config:
    """A run in `folder`, whose volume is written if it is not there."""
    path = folder / "boxes.zarr"
    if not path.exists():
        write_volume(path)
    volume = Volume(path=str(path), raw="raw", labels="labels")
    trunk = UNet(features=2, multiplier=2, factors=((2,) * dims,), kernels=((3,) * dims,))
    few = {"iterations": 2, "workers": 0, "threads": 1, "device": "cpu", "validate_every": 2}
    return Config(
        imports=imports,
        name=name,
        dataset=Dataset(
            train=(volume,),
            validate=(volume.derive(region="0:12, 0:20, 0:20"),),
            test=(volume.derive(name="boxes"),),
            augment=augment,
        ),
        variant=variant,
        network=Network(trunk=trunk, train_shape=(18,) * dims, predict_shape=(26,) * dims),
        train=Train(**few | train),
        predict=Predict(
            heads=heads, volumes=("test",), checkpoint="latest", device="cpu", threads=1
        ),
        segment=Segment(fragments=Fragments(min_seed_distance=4), thresholds=(0.5,)),
        runs=str(folder / "runs"),
    )
