"""What losses of a voxel by itself have in common: averaged over the voxels that count.

logits, target, weights: (b, c, *spatial); weights are 0 or above, and broadcast.

A voxel of a channel counts where its weight is above 0; what logits and target hold elsewhere, NaN
included, changes neither loss nor gradient.  Where nothing counts the loss is 0 and has a gradient,
also 0.  Computed in fp32 whatever the logits are.

Where channels have weights of their own (`spec.channel_weights`), it is the mean of the errors of
all channels, weighted by these.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from lsd.losses.balance import along_channels, balanced, class_counts, of_channels, or_one
from lsd.losses.loss import HeadLoss, LossSample, Totals
from lsd.losses.misfits import not_one_each, not_voxelwise
from lsd.targets.activation import Invertible
from lsd.targets.target import TargetKind


class DenseLoss(HeadLoss):
    """Base of losses that are a mean over voxels, with class balance where `spec.balance` asks for
    it, and weights of channels where it names them."""

    @property
    def channel_weights(self) -> Sequence[float] | None:
        """Of its spec; a loss of one's own need not have any."""
        weights: Sequence[float] | None = getattr(self.spec, "channel_weights", None)
        return weights

    def miscount(self, channels: int) -> str:
        """Weights of more or fewer channels."""
        return not_one_each("channel_weights", self.channel_weights, channels)

    @abstractmethod
    def errors(self, logits: Tensor, target: Tensor, activation: Invertible) -> Tensor:
        """The loss of each voxel by itself, of the shape of logits (fp32, finite)."""

    def misfit(self, target: TargetKind[Any]) -> str:
        """Values that follow voxel by voxel from what the network gives."""
        return not_voxelwise(self.spec.kind, target)

    def remarks(self, target: TargetKind[Any]) -> list[str]:
        """A remark where balance=True is set for a target that is not 0 or 1."""
        if not self.spec.balance or target.binary:
            return []
        return [
            f"balance takes values above 0.5 for positives, but {target.spec.kind} are between 0 "
            "and 1"
        ]

    def totals(self, sample: LossSample) -> Totals:
        """How many voxels count; where classes are balanced or channels weighted, of each
        channel, and how many of these are positive."""
        if not self.spec.balance and self.channel_weights is None:
            return {"known": (sample.own_weights > 0).expand_as(sample.own_target).sum()}
        known, positive = class_counts(sample.own_target, sample.own_weights)
        return {"known": known, "positive": positive}

    def weights(self, sample: LossSample, totals: Totals) -> Tensor:
        """What the error of each voxel is multiplied with, of the shape of logits or broadcast to
        it; without gradient, 0 where the voxel does not count."""
        if not self.spec.balance:
            return sample.own_weights
        return balanced(sample.own_target, **totals) * sample.own_weights

    def forward(self, sample: LossSample, totals: Totals) -> Tensor:
        """Mean over the voxels of the whole batch that count."""
        target, weights = sample.own_target, self.weights(sample, totals)
        # filled before anything is computed: 0 times NaN is NaN, in the gradient as well
        unknown = ~(weights > 0)
        logits = sample.own_logits.float().masked_fill(unknown, 0)
        activation = sample.activations[sample.head]
        assert isinstance(activation, Invertible)
        errors = self.errors(logits, target.masked_fill(unknown, 0), activation)
        return self._mean(errors * weights, totals["known"])

    def _mean(self, errors: Tensor, known: Tensor) -> Tensor:
        """Of errors (b, c, *spatial); known: how many voxels count, in all or by channel (c,)."""
        if self.channel_weights is None:
            return errors.sum() / known.sum().clamp(min=1)
        weights = of_channels(self.channel_weights, errors)
        whole = or_one((known * weights).sum())
        return (errors * along_channels(weights, errors)).sum() / whole.to(errors.dtype)
