"""Losses of a voxel by itself, averaged over those that count.

logits, target, weights: (b, c, *spatial); weights are 0 or above, and broadcast.  A voxel of a
                         channel counts where its weight
is above 0; what logits and target hold elsewhere, NaN included, changes neither loss nor gradient.
Where nothing counts the loss is 0 and has a gradient, also 0.  Computed in fp32 whatever the logits
are.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def mse(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean of w (sigmoid(x) - t)^2 over voxels with w > 0.  Source: Sheridan et al. 2022."""
    x, t, counts = _known(logits, target, weights)
    return _mean((x.sigmoid() - t).square(), weights, counts)


def bce(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean of -w (t log sigmoid(x) + (1 - t) log(1 - sigmoid(x))) over voxels with w > 0; target in
    [0, 1]."""
    x, t, counts = _known(logits, target, weights)
    return _mean(
        functional.binary_cross_entropy_with_logits(x, t, reduction="none"), weights, counts
    )


def _known(logits: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # filled before anything is computed: 0 times NaN is NaN, in the gradient as well
    counts = weights > 0
    unknown = ~counts
    return (
        logits.float().masked_fill(unknown, 0),
        target.masked_fill(unknown, 0),
        counts.expand_as(logits),
    )


def _mean(errors: Tensor, weights: Tensor, counts: Tensor) -> Tensor:
    return (errors * weights).sum() / counts.sum().clamp(min=1)
