"""Where a prediction of turned raw, turned back, holds what a channel of the head is about."""

from __future__ import annotations

from dataclasses import dataclass

from lsd.arrays.offsets import Offset


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
