"""What stops training, with the way out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from funlib.geometry import Coordinate

from lsd.network import sizes
from lsd.spec import Network, Train
from lsd.spec.blame import is_out_of_memory


class NotFiniteError(RuntimeError):
    """A loss or gradient became NaN or infinite; the weights are still those before it."""


class NoMemoryError(MemoryError):
    """The device has no room for a training step."""


def check_finite(values: Mapping[str, float], *, iteration: int, checkpoint: Path | None) -> None:
    """Raises NotFiniteError if one of the values is NaN or infinite.

    checkpoint: the newest one, which the message names; None if there is none yet
    """
    not_finite = [
        f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)
    ]
    if not_finite:
        raise not_finite_error(", ".join(not_finite), iteration=iteration, checkpoint=checkpoint)


def not_finite_error(what: str, *, iteration: int, checkpoint: Path | None) -> NotFiniteError:
    """The error to raise where `what` was found, with the way out."""
    written = "no checkpoint was written yet"
    begin = "; is the raw data in order?"
    if checkpoint:
        written = f"the last checkpoint is {checkpoint}"
        begin = f", from train.init={{stage: {str(checkpoint)!r}}}"
    return NotFiniteError(
        f"{what} in iteration {iteration}; training has stopped, {written}.  "
        f"Start a run of another name with a lower train.learning_rate, train.clip=1 or "
        f"train.precision=fp32{begin}"
    )


@contextmanager
def memory_advice(train: Train, network: Network) -> Iterator[None]:
    """Inside, an out-of-memory error of torch becomes a NoMemoryError, which names a smaller
    input."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        ways_out = [f"network.train_shape={smaller_train_shape(network)}"]
        if train.batch_size > 1:
            ways_out.append("train.batch_size=1 with train.accumulate for the rest")
        if train.precision not in ("bf16", "fp16"):
            ways_out.append("train.precision=bf16")
        raise NoMemoryError(
            f"no memory left on {train.device} for a step with "
            f"network.train_shape={tuple(network.train_shape)}, "
            f"train.batch_size={train.batch_size}; try {' or '.join(ways_out)}"
        ) from error


def smaller_train_shape(network: Network) -> tuple[int, ...]:
    """A train_shape that fits the network, with about half the voxels of its own."""
    trunk, shape = network.trunk, network.train_shape
    factor = 0.5 ** (1 / len(shape))
    below, _ = sizes.nearest_legal(trunk, Coordinate(int(n * factor) for n in shape), training=True)
    return tuple(below)
