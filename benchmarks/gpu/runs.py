"""The runs that checks train and predict: the paper's network and the small one, or tiny ones in a
rehearsal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.gpu.line import Setting
from config.datasets import AUGMENTATIONS, IDS
from config.networks import NETWORKS
from config.variants import VARIANTS
from lsd.batches.pipeline import Batch
from lsd.network.sizes import output_shape, raw_shape
from lsd.spec import Config, Dataset, Network, Synthetic, UNet, Volume
from lsd.targets.target import channels

TINY = Network(
    trunk=UNet(features=4, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),)),
    train_shape=(34, 34, 34),
    predict_shape=(38, 38, 38),
)
PAPER, SMALL = "the paper's network", "the small network"


def config_of(name: str, setting: Setting, **train: Any) -> Config:
    """MtLSD with one of the networks, from a synthetic volume that is large enough for it."""
    network = TINY if setting.rehearsal else NETWORKS["iso" if name == PAPER else "small"]
    size = 96 if setting.rehearsal else 256
    volume = Volume(synthetic=Synthetic(shape=(size, size, size), seed=1), labels=IDS)
    fields = {"device": str(setting.device), "workers": 0, "seed": 1, "batch_size": 1}
    return Config(
        name=name.split()[-2],
        dataset=Dataset(train=(volume,), augment=AUGMENTATIONS["isotropic"]),
        variant=VARIANTS["mtlsd"],
        network=network,
        train=fields | train,
        runs=str(setting.folder / "runs"),
        data_root=str(setting.folder),
    )


def noise(config: Config) -> Iterator[Batch]:
    """One batch of noise, again and again, half of it known."""
    stage, trunk = config.variant.stages[0], config.network.trunk
    shape, size = config.network.train_shape, config.train.batch_size
    output = output_shape(trunk, shape, training=True)
    rng = np.random.default_rng(0)
    raw = rng.random((size, 1, *raw_shape(config.variant, trunk, shape)), np.float32) * 2 - 1
    targets = {
        name: (rng.random((size, channels(head.target, trunk.dims), *output)) < 0.5).astype(
            np.float32
        )
        for name, head in stage.heads.items()
    }
    weights = {
        name: (rng.random(target.shape) < 0.5).astype(np.float32)
        for name, target in targets.items()
    }
    labels = rng.integers(0, 9, (size, 1, *output)).astype(np.uint64)
    known = np.ones((size, 1, *output), np.bool_)
    while True:
        yield Batch(0, raw, targets, weights, labels, known, (10.0,) * trunk.dims)
