"""Binary cross entropy on logits."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from lsd.losses.dense import DenseLoss
from lsd.losses.misfits import not_alone
from lsd.targets.activation import Invertible
from lsd.targets.target import TargetKind


class BceLoss(DenseLoss):
    """`spec.Bce`: mean of -w (t log p + (1 - t) log(1 - p)) over voxels with w > 0.

    p is the sigmoid of logits, t in [0, 1].
    """

    def misfit(self, target: TargetKind[Any]) -> str:
        """What is wrong where the head predicts no probabilities, or those of classes."""
        return not_alone(self.spec.kind, target)

    def errors(self, logits: Tensor, target: Tensor, activation: Invertible) -> Tensor:
        """-t log p - (1 - t) log(1 - p)."""
        return functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
