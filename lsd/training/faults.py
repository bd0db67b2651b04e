"""What stops training, with the way out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from funlib.geometry import Coordinate

from lsd.network import sizes
from lsd.spec import Config


class NotFiniteError(RuntimeError):
    """A loss or gradient became NaN or infinite; the weights are still those before it."""


class NoMemoryError(MemoryError):
    """The device has no room for a training step."""


def check_finite(values: Mapping[str, float], *, iteration: int, kept: Path | None) -> None:
    """Raises NotFiniteError, naming which of the values are no numbers, the last checkpoint, and
    what to do."""
    bad = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise NotFiniteError(
            f"{', '.join(bad)} in iteration {iteration}; training has stopped, "
            f"{f'the last checkpoint is {kept}' if kept else 'no checkpoint was written yet'}.  "
            f"Start a run of another "
            "name with a lower train.learning_rate, train.clip=1 or train.precision=fp32"
            + (
                f", from train.init={{stage: {str(kept)!r}}}"
                if kept
                else "; is the raw data in order?"
            )
        )


@contextmanager
def memory_advice(config: Config) -> Iterator[None]:
    """Turns an out-of-memory error of torch into one that names a smaller input."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_memory(error):
            raise
        train, shape = config.train, config.network.train_shape
        raise NoMemoryError(
            f"no memory left on {train.device} for a step with network.train_shape={tuple(shape)}, "
            f"train.batch_size={train.batch_size}; try network.train_shape={smaller(config)}"
            + (
                ""
                if train.batch_size == 1
                else ", train.batch_size=1 with train.accumulate for the rest"
            )
            + ("" if train.precision in ("bf16", "fp16") else " or train.precision=bf16")
        ) from error


def smaller(config: Config) -> tuple[int, ...]:
    """A legal train_shape with about half the voxels of the config's."""
    trunk, shape = config.network.trunk, config.network.train_shape
    factor = 0.5 ** (1 / len(shape))
    below, _ = sizes.nearest_legal(trunk, Coordinate(int(n * factor) for n in shape), training=True)
    return tuple(below)


def _is_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or bool(
        re.search("alloc.*memory", str(error))
    )
