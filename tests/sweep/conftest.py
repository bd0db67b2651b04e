"""A sweep that takes seconds: two settings of a network of few weights."""

from pathlib import Path

import pytest

from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Descriptors,
    Head,
    Network,
    Predict,
    ResidualUNet,
    Segment,
    Stage,
    Sweep,
    Synthetic,
    Train,
    Variant,
    Volume,
)


def volume(seed: int, **fields) -> Volume:
    made = Synthetic(seed=seed, shape=(24, 32, 32))
    return Volume(synthetic=made, labels="volumes/labels/neuron_ids", **fields)


def config_of(folder: Path, **heads: Head) -> Config:
    return Config(
        name="tiny",
        dataset=Dataset(train=volume(1), validate=volume(2), test=volume(3)),
        variant=Variant(stages=Stage(heads=heads)),
        network=Network(
            trunk=ResidualUNet(widths=(4, 8), factors=((2, 2, 2),), context=(4, 4, 4)),
            train_shape=(16, 16, 16),
        ),
        train=Train(iterations=3, workers=0, threads=1, device="cpu", log_every=1),
        predict=Predict(checkpoint="latest", threads=1, device="cpu", shape=(24, 24, 24)),
        segment=Segment(thresholds=(0.3, 0.6)),
        runs=str(folder / "runs"),
        data_root=str(folder / "data"),
    )


@pytest.fixture
def sweep(tmp_path) -> Sweep:
    affs = Head(target=Affinities())
    lsds = Head(target=Descriptors(sigma=30, downsample=2))
    return Sweep(
        name="compared",
        settings={
            "aff": config_of(tmp_path, affs=affs),
            "mtlsd": config_of(tmp_path, lsds=lsds, affs=affs),
        },
        seeds=(1, 2),
        runs=str(tmp_path / "runs"),
    )
