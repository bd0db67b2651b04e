"""Why a head that learns a target cannot have a loss, with the way out; "" where it can."""

from __future__ import annotations

from typing import Any

from lsd.targets.activation import Activation, Sigmoid
from lsd.targets.target import TargetKind


def not_voxelwise(loss: str, target: TargetKind[Any]) -> str:
    """Of losses that compare each number that the network gives with a value of the target."""
    if isinstance(target.activation, Activation):
        return ""
    return (
        f"loss {loss!r} wants a value of the target for each number that the network gives, and "
        f"{target.spec.kind!r} has others; take the loss that is made for it (of embeddings "
        f"Discriminative())"
    )


def not_probabilities(loss: str, target: TargetKind[Any]) -> str:
    """Of losses that learn probabilities."""
    if isinstance(target.activation, Sigmoid):
        return ""
    return not_voxelwise(loss, target) or (
        f"loss {loss!r} learns probabilities, and {target.spec.kind!r} has another activation "
        "than a sigmoid; take loss 'mse'"
    )
