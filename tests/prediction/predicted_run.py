"""A run with a checkpoint of random weights and a volume, and what its prediction is."""

import numpy as np
import pytest
import torch
from funlib.geometry import Coordinate, Roi

from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint, files
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Descriptors,
    Head,
    Network,
    Predict,
    ResidualUNet,
    Stage,
    UNet,
    Variant,
    Volume,
    paths,
)
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

NEIGHBORHOOD = ((-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, -3, 2))
AFFS, LSDS = Head(target=Affinities(neighborhood=NEIGHBORHOOD)), Head(target=Descriptors())
VARIANT = Variant(
    stages=(
        Stage(name="lsds", heads={"lsds": LSDS}),
        Stage(name="affs", reads=("raw", "lsds"), heads={"affs": AFFS}),
    )
)
TRUNK = UNet(features=3, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),))
FLAT = ResidualUNet(widths=(3, 4), factors=((2, 2),), kernel=(3, 3))
OFFSET, SHAPE, VOXEL_SIZE = (10, -3, 5), (19, 23, 21), (5.24, 4.0, 4.0)


@pytest.fixture
def make(tmp_path):
    """A function that makes a run with a checkpoint of random weights and a volume, and gives its
    config."""

    def make(
        *, trunk=TRUNK, variant=VARIANT, steps=3, stage=None, dtype=np.uint8, volume=None, **predict
    ):
        raw = np.random.default_rng(5).integers(0, 256, SHAPE).astype(dtype)
        roi = Roi(OFFSET, SHAPE)
        create_array(
            tmp_path / "em.zarr", "volumes/raw", roi=roi, voxel_size=VOXEL_SIZE, dtype=dtype
        ).write(raw, roi)
        shape = [18 if trunk.dims == 3 else n * steps for n in (2,) * trunk.dims]
        config = Config(
            name="run",
            dataset=Dataset(test=(Volume(path="em.zarr", name="em", **(volume or {})),)),
            variant=variant,
            network=Network(
                trunk=trunk, train_shape=shape, predict_shape=shape if trunk.dims == 3 else None
            ),
            predict=Predict(
                volumes=("test",), checkpoint="latest", device="cpu", threads=1, **predict
            ),
            runs=str(tmp_path / "runs"),
            data_root=str(tmp_path),
        )
        save(config, stage or variant.stages[-1].name)
        return config, raw

    return make


def save(config, stage, *, seed=1, voxel_size=None):
    torch.manual_seed(seed)
    content = {
        "config": config.model_dump_json(),
        "stage": stage,
        "iteration": 7,
        "model": dict(Cascade(config.variant, config.network.trunk).state_dict()),
        "normalisation": {"to": [-1.0, 1.0]},
        "voxel_size": voxel_size,
    }
    return checkpoint.save(paths.checkpoints(config, stage) / files.file_name(7), content)


def expected(config, raw, roi=None):
    """The same weights over the array in memory, whose first voxel is at the world's OFFSET."""
    torch.manual_seed(1)
    cascade = Cascade(config.variant, config.network.trunk)
    predictor = Predictor(cascade, config.network, settings=config.predict)
    begin = Roi(OFFSET, SHAPE).begin
    inside = (roi or Roi(OFFSET, SHAPE)) - begin
    # blocks are aligned in the world: put the array there with what the world mirrors in front
    pads = [(o % 12 + 24, 0) for o in OFFSET]
    world = np.pad(raw.astype(np.float32) / 255 * 2 - 1, pads, mode="reflect")
    placed = Roi(inside.begin + Coordinate(before for before, _ in pads), inside.shape)
    return predict_array(predictor, world, roi=placed)


def read(path, head):
    array = open_array(path, head)
    return array.read(array.roi), array


def no_inference(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("inference began")

    monkeypatch.setattr(Predictor, "block", fail)
