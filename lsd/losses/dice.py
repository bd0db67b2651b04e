"""Soft dice: how much of a channel's target and prediction do not agree.

    L_c = sum w (p - t)^2 / (sum w (p^2 + t^2) + s)
        = 1 - (2 sum w p t + s) / (sum w (p^2 + t^2) + s)

p are probabilities, t targets in 0..1, w weights, s `smooth`; sums run over the voxels of a channel
in the whole batch.  The loss is the mean over the channels of which anything is known.  With
squares in the denominator p = t is the minimum for targets between 0 and 1, too.

Source: Milletari et al. 2016, "V-Net: fully convolutional neural networks for volumetric medical
image segmentation".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lsd import spec
from lsd.arrays.arguments import derived, explaining_calls
from lsd.losses.balance import or_one
from lsd.losses.loss import HeadLoss, LossSample, Totals
from lsd.losses.misfits import not_one_each, not_probabilities
from lsd.targets.activation import Invertible
from lsd.targets.target import TargetKind

_DEFAULT = spec.Dice()
# what rounding may take a probability beyond its ends
_HAIR = 1e-3


@explaining_calls
def soft_dice(
    values: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    *,
    smooth: float = _DEFAULT.smooth,
) -> Tensor:
    """Soft dice of probabilities, a scalar with its graph: 0 where they equal the target, 1 where
    they have nothing in common; see the module.  Computed in fp32 where values are of fewer bits.

    values, target: (b, c, *spatial) in 0..1; a target may be bool or whole numbers
    weights:        of that shape or broadcast to it, 0 where the target is not known, whatever
                    stands there; None: 1

    Raises ValueError where shapes do not agree, and for known values and targets that do not lie in
    0..1, such as logits.

    >>> import torch
    >>> from lsd.losses.dice import soft_dice
    >>> values = torch.tensor([[[[0.5, 1.0]]]])
    >>> round(soft_dice(values, torch.tensor([[[[0, 1]]]])).item(), 4)  # 0.25 / (1.25 + 1 + 1)
    0.0769
    """
    for name, tensor in {"values": values, "target": target, "weights": weights}.items():
        if not isinstance(tensor, Tensor) and (tensor is not None or name != "weights"):
            raise ValueError(f"{name} are a tensor of torch, got {type(tensor).__name__}")
    smooth = derived(_DEFAULT, smooth=smooth).smooth
    # 65505 voxels are too many for a sum in fp16
    exact = torch.promote_types(values.dtype, torch.float32)
    values, target = values.to(exact), target.to(exact)
    weights = torch.ones_like(target) if weights is None else weights.to(exact)
    _check_shapes(values, target, weights)
    weights = weights.expand_as(target)
    unknown = ~(weights > 0)
    values, target = values.masked_fill(unknown, 0), target.masked_fill(unknown, 0)
    _check_range(values, "values")
    _check_range(target, "targets")
    sums = _sums(values, target, weights)
    return _loss(sums, {name: total.detach() for name, total in sums.items()}, smooth=smooth)


def _check_shapes(values: Tensor, target: Tensor, weights: Tensor) -> None:
    shapes = f"values {tuple(values.shape)}, target {tuple(target.shape)}"
    if values.ndim < 3 or values.shape != target.shape:
        raise ValueError(
            f"soft_dice got {shapes}; both are (b, c, *spatial): crop them to the same region, and "
            f"give a target without channels one with target[:, None]"
        )
    fits = weights.ndim <= target.ndim and all(
        n in (1, wanted)
        for n, wanted in zip(reversed(weights.shape), reversed(target.shape), strict=False)
    )
    if not fits:
        raise ValueError(f"soft_dice got {shapes}, which weights {tuple(weights.shape)} do not fit")


def _check_range(values: Tensor, noun: str) -> None:
    """Of those that are known; NaN is refused as well."""
    if not ((values >= -_HAIR) & (values <= 1 + _HAIR)).all():
        raise ValueError(
            f"soft_dice compares probabilities, and known {noun} lie in {values.min():.4g}.."
            f"{values.max():.4g}; allowed: 0..1, so apply a sigmoid to logits"
        )


def _sums(values: Tensor, target: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Of each channel, (c,): the weighted squares of errors, and of values and targets; how many
    voxels count.  Where weights are 0, the others are."""
    axes = [axis for axis in range(target.ndim) if axis != 1]
    return {
        "errors": ((values - target).square() * weights).sum(axes),
        "squares": ((values.square() + target.square()) * weights).sum(axes),
        "known": (weights > 0).sum(axes),
    }


def _loss(
    sums: Totals, totals: Totals, *, smooth: float, weights: Sequence[float] | None = None
) -> Tensor:
    """What a share of a batch adds to the loss, from its own sums and those of the whole batch;
    weights: of the channels, None: all alike.

    Losses of shares add up to errors / squares of the whole, and so do their gradients: that of the
    denominator is in the second term, which is 0.
    """
    squares = (totals["squares"] + smooth).clamp(min=torch.finfo(torch.float32).tiny)
    own, ratio = sums["squares"], totals["errors"] / squares
    by_channel = (sums["errors"] - ratio * (own - own.detach())) / squares
    known = totals["known"] > 0
    if weights is None:
        return by_channel.sum() / known.sum().clamp(min=1)
    counted = torch.tensor(weights, device=known.device)
    return (by_channel * counted).sum() / or_one((known * counted).sum())


class DiceLoss(HeadLoss):
    """`spec.Dice`: soft dice of each channel over the whole batch; see the module."""

    def misfit(self, target: TargetKind[Any]) -> str:
        """Probabilities only."""
        return not_probabilities(self.spec.kind, target)

    def miscount(self, channels: int) -> str:
        """Weights of more or fewer channels."""
        return not_one_each("channel_weights", self.spec.channel_weights, channels)

    def totals(self, sample: LossSample) -> Totals:
        """The sums of each channel."""
        return {name: total.detach() for name, total in self._sums(sample).items()}

    def forward(self, sample: LossSample, totals: Totals) -> Tensor:
        """Mean over the channels of which anything is known, weighted where there are weights."""
        return _loss(
            self._sums(sample),
            totals,
            smooth=self.spec.smooth,
            weights=self.spec.channel_weights,
        )

    def _sums(self, sample: LossSample) -> dict[str, Tensor]:
        activation = sample.activations[sample.head]
        assert isinstance(activation, Invertible)
        weights = sample.own_weights.expand_as(sample.own_target)
        # filled before anything is computed: 0 times NaN is NaN, in the gradient as well
        unknown = ~(weights > 0)
        values = activation(sample.own_logits.float().masked_fill(unknown, 0))
        target = sample.own_target.masked_fill(unknown, 0)
        return _sums(values, target, weights)
