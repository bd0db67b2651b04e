"""Binary cross entropy on logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from lsd.losses.dense import DenseLoss, known_only, mean


def bce(logits: Tensor, target: Tensor, weights: Tensor, *, count: Tensor | None = None) -> Tensor:
    """Mean of -w (t log sigmoid(x) + (1 - t) log(1 - sigmoid(x))) over voxels with w > 0; target in
    [0, 1].

    Shapes and what is done where nothing is known: see `lsd.losses.dense`.
    count: what the sum is divided by; None: the number of voxels with w > 0
    """
    x, t = known_only(logits, target, weights)
    errors = functional.binary_cross_entropy_with_logits(x, t, reduction="none")
    return mean(errors, weights, count=count)


class BceLoss(DenseLoss):
    """`spec.Bce`."""

    loss = staticmethod(bce)
