"""Class balance: positives and negatives of a channel weigh the same in sum."""

from __future__ import annotations

import torch
from torch import Tensor

CLIP = (0.05, 0.95)


def class_counts(target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """How many voxels of each channel count, and how many of these are positive: int64 (c,) each.

    target (b, c, *spatial): positive above 0.5; weights, of its shape or broadcast: voxels above 0
    count.  Counts of several shares of a batch add up to those of the batch.
    """
    counts = (weights > 0).expand_as(target)
    axes = [axis for axis in range(target.ndim) if axis != 1]
    return counts.sum(axes), (counts & (target > 0.5)).sum(axes)


def balanced(target: Tensor, *, known: Tensor, positive: Tensor) -> Tensor:
    """Weights of a 0/1 target (b, c, *spatial), float32 of its shape, balanced in each channel.

    known, positive: `class_counts` of the whole batch

    With f the fraction of positives, clipped to 0.05 .. 0.95, a positive weighs 1 / 2f and a
    negative 1 / 2(1 - f).
    """
    # float32 counts stop at 2**24; there is no float64 on Apple's GPUs
    exact = torch.float32 if target.device.type == "mps" else torch.float64
    fraction = (positive.to(exact) / known.clamp(min=1).to(exact)).clamp(*CLIP)
    by_channel = (-1, *(1,) * (target.ndim - 2))
    up, down = (
        (0.5 / part).to(torch.float32).reshape(by_channel) for part in (fraction, 1 - fraction)
    )
    return torch.where(target > 0.5, up, down)
