"""Class balance: positives and negatives of a channel weigh the same in sum; and weights of
channels."""

from __future__ import annotations

from collections.abc import Sequence

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
    exact = exact_type(target)
    fraction = (positive.to(exact) / known.clamp(min=1).to(exact)).clamp(*CLIP)
    up, down = (along_channels(0.5 / part, target) for part in (fraction, 1 - fraction))
    return torch.where(target > 0.5, up, down)


def of_channels(weights: Sequence[float], like: Tensor) -> Tensor:
    """Weights of the channels (c,), beside a tensor (b, c, *spatial), in what holds counts."""
    return torch.tensor(weights, dtype=exact_type(like), device=like.device)


def along_channels(values: Tensor, like: Tensor) -> Tensor:
    """Values of the channels (c,), float32, as they are broadcast to (b, c, *spatial)."""
    return values.to(torch.float32).reshape(-1, *(1,) * (like.ndim - 2))


def or_one(total: Tensor) -> Tensor:
    """What a sum is divided by: 1 where nothing counts, so that the loss is 0 and has a
    gradient."""
    return torch.where(total > 0, total, 1)


def exact_type(like: Tensor) -> torch.dtype:
    """What holds counts beside a tensor: float32 counts stop at 2**24, and there is no float64 on
    Apple's GPUs."""
    return torch.float32 if like.device.type == "mps" else torch.float64
