"""What losses of a voxel by itself have in common: averaged over the voxels that count.

logits, target, weights: (b, c, *spatial); weights are 0 or above, and broadcast.

A voxel of a channel counts where its weight is above 0; what logits and target hold elsewhere, NaN
included, changes neither loss nor gradient.  Where nothing counts the loss is 0 and has a gradient,
also 0.  Computed in fp32 whatever the logits are.
"""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from lsd.losses.balance import balanced, class_counts
from lsd.losses.loss import HeadLoss, Sample, Totals


def known_only(logits: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (fp32) and target, 0 where nothing counts."""
    # filled before anything is computed: 0 times NaN is NaN, in the gradient as well
    unknown = ~(weights > 0)
    return logits.float().masked_fill(unknown, 0), target.masked_fill(unknown, 0)


def mean(errors: Tensor, weights: Tensor, *, count: Tensor | None = None) -> Tensor:
    """Sum of errors times weights, divided by `count`; None: by how many weights are above 0."""
    if count is None:
        count = (weights > 0).expand_as(errors).sum()
    return (errors * weights).sum() / count.clamp(min=1)


class DenseLoss(HeadLoss):
    """Base of losses that are a mean over voxels, with class balance where `spec.balance` asks for
    it."""

    def totals(self, sample: Sample) -> Totals:
        """How many voxels count; where classes are balanced by channel, with how many of these are
        positive."""
        if not self.spec.balance:
            return {"known": (sample.own_weights > 0).expand_as(sample.own_target).sum()}
        known, positive = class_counts(sample.own_target, sample.own_weights)
        return {"known": known, "positive": positive}

    def forward(self, sample: Sample, totals: Totals) -> Tensor:
        """Mean over the voxels of the whole batch that count."""
        target, weights = sample.own_target, sample.own_weights
        if self.spec.balance:
            weights = balanced(target, **totals) * weights
        return self.loss(sample.own_logits, target, weights, count=totals["known"].sum())

    @staticmethod
    @abstractmethod
    def loss(
        logits: Tensor, target: Tensor, weights: Tensor, *, count: Tensor | None = None
    ) -> Tensor:
        """The loss of tensors; count: voxels that count in the whole batch, None: those here."""
