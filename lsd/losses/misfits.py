"""Why a head that learns a target cannot have a loss, with the way out; "" where it can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lsd.targets.activation import Invertible, Sigmoid, Softmax
from lsd.targets.target import TargetKind


def not_voxelwise(loss: str, target: TargetKind[Any]) -> str:
    """Of losses that compare each number that the network gives with a value of the target."""
    if isinstance(target.activation, Invertible):
        return ""
    return (
        f"loss {loss!r} wants a value of the target for each number that the network gives, and "
        f"{target.spec.kind!r} has others; take the loss that is made for it (of embeddings "
        f"Discriminative())"
    )


def not_probabilities(loss: str, target: TargetKind[Any]) -> str:
    """Of losses that learn probabilities, each by itself or of one class of several."""
    if isinstance(target.activation, Sigmoid | Softmax):
        return ""
    return not_voxelwise(loss, target) or (
        f"loss {loss!r} learns probabilities, and {target.spec.kind!r} has another activation "
        "than a sigmoid; take loss 'mse'"
    )


def not_alone(loss: str, target: TargetKind[Any]) -> str:
    """Of losses that learn probabilities each of which is there or not, whatever the others are."""
    if isinstance(target.activation, Softmax):
        return (
            f"loss {loss!r} learns each channel by itself, and those of {target.spec.kind!r} are "
            "classes of which a voxel is one; take loss 'cross_entropy'"
        )
    return not_probabilities(loss, target)


def not_of_labels(loss: str, target: TargetKind[Any], *, instead: str) -> str:
    """Of losses that look at labels, beside the target; instead: targets that it is for."""
    array = target.spec.objects()
    if array is None:
        return ""
    return (
        f"loss {loss!r} goes by the labels, and the target is about the objects of array "
        f"{array!r}; take the target {instead} of labels, or a loss of single voxels, as 'bce'"
    )


def not_one_each(field: str, weights: Sequence[float] | None, channels: int) -> str:
    """Of weights of channels or classes, which a field of a loss gives; None: there are none."""
    if weights is None or len(weights) == channels:
        return ""
    return f"{field} has {len(weights)} entries, the target {channels} channels; give one for each"
