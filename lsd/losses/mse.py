"""Mean squared error of probabilities."""

from __future__ import annotations

from torch import Tensor

from lsd.losses.dense import DenseLoss, known_only, mean


def mse(logits: Tensor, target: Tensor, weights: Tensor, *, count: Tensor | None = None) -> Tensor:
    """Mean of w (sigmoid(x) - t)^2 over voxels with w > 0.  Source: Sheridan et al. 2022.

    Shapes and what is done where nothing is known: see `lsd.losses.dense`.
    count: what the sum is divided by; None: the number of voxels with w > 0
    """
    x, t = known_only(logits, target, weights)
    return mean((x.sigmoid() - t).square(), weights, count=count)


class MseLoss(DenseLoss):
    """`spec.Mse`."""

    loss = staticmethod(mse)
