"""Cross entropy of classes of which a voxel is one.

    L = sum w_v a_v (-sum_c t_vc log p_vc) / sum_c a_c n_c        a_v = sum_c t_vc a_c

p is the softmax of logits over the channels, t 1 in the channel of a voxel's class, w the weight of
a voxel, a that of a class, and n_c how many voxels of class c count; sums run over the whole batch.
A voxel counts where its weight is above 0; what logits and target hold elsewhere, NaN included,
changes neither loss nor gradient.  Where nothing counts the loss is 0 and has a gradient, also 0.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lsd.losses.balance import along_channels, exact_type, of_channels, or_one
from lsd.losses.loss import HeadLoss, LossSample, Totals
from lsd.losses.misfits import not_one_each
from lsd.targets.activation import Softmax
from lsd.targets.target import TargetKind

# a class that is a smaller part of the batch is balanced as one that is this part
SMALLEST = 0.05


class CrossEntropyLoss(HeadLoss):
    """`spec.CrossEntropy`: see the module."""

    def misfit(self, target: TargetKind[Any]) -> str:
        """Classes of which a voxel is one."""
        if isinstance(target.activation, Softmax):
            return ""
        return (
            f"loss {self.spec.kind!r} learns classes of which a voxel is one, and "
            f"{target.spec.kind!r} is not of such; take the target 'semantic', or loss 'bce' for "
            "channels that are each 0 or 1"
        )

    def miscount(self, channels: int) -> str:
        """Weights of more or fewer classes."""
        return not_one_each("class_weights", self.spec.class_weights, channels)

    def totals(self, sample: LossSample) -> Totals:
        """How many voxels of each class count, (c,)."""
        counts = sample.own_weights > 0
        axes = [axis for axis in range(sample.own_target.ndim) if axis != 1]
        return {"known": (counts & (sample.own_target > 0.5)).sum(axes)}

    def forward(self, sample: LossSample, totals: Totals) -> Tensor:
        """Mean over the voxels of the whole batch that count, weighted by their classes."""
        # of all channels alike, since a voxel is known or not
        weights = sample.own_weights.expand_as(sample.own_target)[:, :1]
        unknown = ~(weights > 0)
        # filled before anything is computed: 0 times NaN is NaN, in the gradient as well
        logits = sample.own_logits.float().masked_fill(unknown, 0)
        target = sample.own_target.masked_fill(unknown, 0)
        classes = self._of_classes(totals["known"], logits)
        by_class = target * along_channels(classes, target)
        errors = -(by_class * logits.log_softmax(1)) * weights
        counted = or_one((classes * totals["known"]).sum())
        return errors.sum() / counted.to(errors.dtype)

    def _of_classes(self, known: Tensor, like: Tensor) -> Tensor:
        """What a voxel of each class counts, (c,)."""
        weights = of_channels(self.spec.class_weights or (1.0,) * len(known), like)
        if not self.spec.balance:
            return weights
        share = known.to(exact_type(like)) / known.sum().clamp(min=1)
        return weights / share.clamp(min=SMALLEST) / len(known)
