"""A training step of the paper's U-Net: ours in channels-last, bf16 where there is, beside plain
fp32; CPU seconds of a thread.

Both train our network on the same batch; plain is the loop as it is usually written, with torch's
Adam as it comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from config.variants import VARIANTS
from lsd.batches.pipeline import Batch
from lsd.network.sizes import output_shape
from lsd.network.threads import computing_with
from lsd.spec import Config, Dataset, Network, Train, UNet
from lsd.targets.target import channels
from lsd.training.learner import Learner, new_learner
from lsd.training.step import step


def run(*, multiplier: int = 5, side: int = 172, repeats: int = 1) -> dict[str, Any]:
    """Seconds a step of both, the best of `repeats` after one that does not count, and their ratio.

    multiplier: of feature maps from level to level; side: of the input, voxels
    """
    with computing_with(1):
        plain = _seconds(_plain, step_config(multiplier, side, {}), repeats)
        ours = _seconds(
            step,
            step_config(multiplier, side, {"precision": "auto", "channels_last": True}),
            repeats,
        )
    return {
        "network": f"U-Net 12x{multiplier}, MtLSD, {side}^3",
        "plain fp32, s/step": plain,
        "precision auto and channels-last, s/step": ours,
        "ratio": plain / ours,
    }


def main() -> None:
    """Prints what was measured; some minutes."""
    for name, value in run().items():
        print(f"{name:30} {value if isinstance(value, str) else f'{value:8.3f}'}")


def _seconds(
    way: Callable[[Learner, Iterator[Batch]], object], config: Config, repeats: int
) -> float:
    learner, batches = new_learner(config, config.variant.stages[0]), noise_batches(config)
    if way is _plain:
        learner.optimizer = torch.optim.Adam(
            learner.parameters(), lr=config.train.learning_rate, betas=config.train.betas
        )
    times = []
    for _ in range(1 + repeats):
        begin = time.process_time()
        way(learner, batches)
        times.append(time.process_time() - begin)
    return min(times[1:])


def _plain(learner: Learner, batches: Iterator[Batch]) -> None:
    batch = next(batches)
    logits = learner.cascade(torch.from_numpy(batch.raw))
    loss = torch.zeros(())
    for name, logit in logits.items():
        target, weights = (
            torch.from_numpy(batch.targets[name]),
            torch.from_numpy(batch.weights[name]),
        )
        loss = loss + (weights * (torch.sigmoid(logit) - target) ** 2).mean()
    learner.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    learner.optimizer.step()


def step_config(multiplier: int, side: int, options: dict[str, Any]) -> Config:
    trunk = UNet(multiplier=multiplier, features_out=14)
    return Config(
        name="step",
        dataset=Dataset(),
        variant=VARIANTS["mtlsd"],
        network=Network(trunk=trunk, train_shape=(side, side, side)),
        train=Train(device="cpu", **options),
    )


def noise_batches(config: Config) -> Iterator[Batch]:
    """One batch of noise, again and again."""
    rng = np.random.default_rng(0)
    shape = config.network.train_shape
    output = output_shape(config.network.trunk, shape, training=True)
    heads = config.variant.stages[0].heads
    targets = {
        name: rng.random((1, channels(head.target, 3), *output), np.float32)
        for name, head in heads.items()
    }
    weights = {name: np.ones_like(target) for name, target in targets.items()}
    raw = rng.random((1, 1, *shape), np.float32) * 2 - 1
    labels, known = np.zeros((1, 1, *output), np.uint64), np.ones((1, 1, *output), np.bool_)
    while True:
        yield Batch(0, raw, targets, weights, labels, known, (8.0, 8.0, 8.0))


if __name__ == "__main__":
    main()
