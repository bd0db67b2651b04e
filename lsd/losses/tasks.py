"""Several heads, one number to minimise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from lsd.losses.dense import bce, mse
from lsd.spec import Loss

DENSE = {"mse": mse, "bce": bce}


def dense(loss: Loss) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The function of (logits, target, weights) that a loss means.  Raises ValueError for a kind
    that has none."""
    if loss.kind not in DENSE:
        raise ValueError(f"loss {loss.kind!r} is unknown; there are: {', '.join(DENSE)}")
    return DENSE[loss.kind]


class Total(NamedTuple):
    """value: what is minimised; heads: each head's own loss before its weight, without gradient."""

    value: Tensor
    heads: dict[str, Tensor]


def total(
    logits: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    *,
    weights: Mapping[str, Tensor],
    losses: Mapping[str, Loss],
) -> Total:
    """Sum over the heads of losses, each times its fixed weight (MtLSD of the paper: all 1).

    logits, targets, weights: {head: (b, c, *spatial)}; losses: {head: its spec}
    """
    heads = {
        name: dense(loss)(logits[name], targets[name], weights[name])
        for name, loss in losses.items()
    }
    value = torch.stack([losses[name].weight * loss for name, loss in heads.items()]).sum()
    return Total(value, {name: loss.detach() for name, loss in heads.items()})
