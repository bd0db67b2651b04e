"""Where a prediction of turned raw, turned back, holds what a channel of the head is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lsd.arrays.offsets import Offset
from lsd.arrays.turning import Turn


@dataclass(frozen=True)
class Opinion:
    """What one pass of test-time augmentation says of one channel.

    channel:  of the turned prediction that holds it
    shift:    voxels (z, y, x) from the place that it is about to where it lies
    inverted: high + low - value is meant, where the head's values lie in low..high: 1 - p of a
              probability.  So a component of a vector changes its sign where its axis is mirrored
    """

    channel: int
    shift: Offset
    inverted: bool = False


def of_affinities(offsets: Sequence[Offset], turn: Turn) -> tuple[Opinion | None, ...]:
    """Where a turned prediction of affinities holds each of them.

    An affinity of offset j is found in the channel of the turned offset j'; or in that of -j', one
    pair of voxels being the same edge from both of its ends: a_j(v) = a_-j(v + j).
    """
    return tuple(_of_affinity(offset, offsets, turn) for offset in offsets)


def of_voxels_around(offsets: Sequence[Offset], turn: Turn) -> tuple[Opinion | None, ...]:
    """Where a turned prediction holds what each channel says of the voxel at its offset.

    It is in the channel of the turned offset; nowhere, where the kernel has no such offset, as
    where a box of other sides is turned by its axes.
    """
    turned = map(turn.offset, offsets)
    return tuple(
        Opinion(offsets.index(step), (0,) * len(step)) if step in offsets else None
        for step in turned
    )


def _of_affinity(offset: Offset, offsets: Sequence[Offset], turn: Turn) -> Opinion | None:
    turned = turn.offset(offset)
    opposite = tuple(-step for step in turned)
    if turned in offsets:
        return Opinion(offsets.index(turned), (0,) * len(offset))
    return Opinion(offsets.index(opposite), offset) if opposite in offsets else None
