"""A training step of the paper's U-Net: ours in bf16 and channels-last beside plain fp32, in CPU seconds of one thread.

Both run our network, loss and optimiser; what is compared is how a step is computed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from config.variants import VARIANTS
from lsd.network.sizes import output_shape
from lsd.spec import Config, Dataset, Network, Train, UNet
from lsd.targets.target import channels
from lsd.training.learner import new
from lsd.training.loop import cpu_threads
from lsd.training.pipeline import Batch
from lsd.training.step import step

WAYS: dict[str, dict[str, Any]] = {
    "plain fp32": {},
    "bf16, channels-last": {"precision": "bf16", "channels_last": True},
}


def run(*, multiplier: int = 5, side: int = 124, repeats: int = 1) -> dict[str, Any]:
    """Seconds a step of each way, the best of `repeats` after one that does not count; multiplier: of maps, per level."""
    with cpu_threads(1):
        seconds = {f"{name}, s/step": _seconds(_config(multiplier, side, options), repeats) for name, options in WAYS.items()}
    plain, *_, ours = seconds.values()
    return {"network": f"U-Net 12x{multiplier}, MtLSD, {side}^3", **seconds, "ratio": plain / ours}


def main() -> None:
    """Prints what was measured; some minutes."""
    for name, value in run().items():
        print(f"{name:30} {value if isinstance(value, str) else f'{value:8.3f}'}")


def _seconds(config: Config, repeats: int) -> float:
    learner, batches = new(config, config.variant.stages[0]), _batches(config)
    times = []
    for _ in range(1 + repeats):
        begin = time.process_time()
        step(learner, batches)
        times.append(time.process_time() - begin)
    return min(times[1:])


def _config(multiplier: int, side: int, options: dict[str, Any]) -> Config:
    trunk = UNet(multiplier=multiplier, features_out=14)
    return Config(
        name="step",
        dataset=Dataset(),
        variant=VARIANTS["mtlsd"],
        network=Network(trunk=trunk, train_shape=(side, side, side)),
        train=Train(device="cpu", **options),
    )


def _batches(config: Config) -> Iterator[Batch]:
    """One batch of noise, again and again."""
    rng = np.random.default_rng(0)
    shape = config.network.train_shape
    output = output_shape(config.network.trunk, shape, training=True)
    heads = config.variant.stages[0].heads
    targets = {name: rng.random((1, channels(head.target, 3), *output), np.float32) for name, head in heads.items()}
    weights = {name: np.ones_like(target) for name, target in targets.items()}
    raw = rng.random((1, 1, *shape), np.float32) * 2 - 1
    while True:
        yield Batch(0, raw, targets, weights, np.zeros((1, 1, *output), np.uint64))


if __name__ == "__main__":
    main()
