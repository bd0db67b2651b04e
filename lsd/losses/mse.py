"""Mean squared error of what a head predicts."""

from __future__ import annotations

from torch import Tensor

from lsd.losses.dense import DenseLoss
from lsd.targets.activation import Invertible


class MseLoss(DenseLoss):
    """`spec.Mse`: mean of w (f(x) - t)^2 over voxels with w > 0, f the head's activation.

    Source: Sheridan et al. 2022, where f is a sigmoid.
    """

    def errors(self, logits: Tensor, target: Tensor, activation: Invertible) -> Tensor:
        """(f(x) - t)^2."""
        return (activation(logits) - target).square()
