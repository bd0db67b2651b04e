"""Batches of noise for the tiny 3D network of tiny_run."""

from collections.abc import Mapping

import numpy as np
from tiny_run import VOXEL_SIZE

from lsd.batches.pipeline import Batch


def noise(
    count: int,
    *,
    size: int = 1,
    known: float = 0.7,
    seed: int = 0,
    heads: Mapping[str, int] = {"affs": 3, "far": 3},
) -> list[Batch]:
    """Noise, with targets of 0 and 1 and weights that are 0 in part; heads: their channels."""
    rng = np.random.default_rng(seed)
    out = {name: (size, channels, 10, 10, 10) for name, channels in heads.items()}
    return [
        Batch(
            index=index,
            raw=rng.uniform(-1, 1, (size, 1, 18, 18, 18)).astype(np.float32),
            labels=np.zeros((size, 1, 10, 10, 10), np.uint64),
            known=np.ones((size, 1, 10, 10, 10), np.bool_),
            voxel_size=VOXEL_SIZE,
            targets={
                name: (rng.random(shape) < 0.4).astype(np.float32) for name, shape in out.items()
            },
            weights={
                name: ((rng.random(shape) < known) * rng.uniform(0.5, 2, shape)).astype(np.float32)
                for name, shape in out.items()
            },
        )
        for index in range(count)
    ]


def together(batches: list[Batch]) -> Batch:
    """One batch of the samples of several."""
    parts = {
        part: {
            name: np.concatenate([getattr(batch, part)[name] for batch in batches])
            for name in batches[0].targets
        }
        for part in ("targets", "weights")
    }
    return Batch(
        index=0,
        raw=np.concatenate([batch.raw for batch in batches]),
        labels=np.concatenate([batch.labels for batch in batches]),
        known=np.concatenate([batch.known for batch in batches]),
        voxel_size=VOXEL_SIZE,
        **parts,
    )
