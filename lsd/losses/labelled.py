"""What a person gives to a loss in a loop of their own: logits of torch, and labels and a mask of
numpy or torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsd.arrays.ids import ids, set_voxels


def labelled(logits: Tensor, labels: Any, mask: Any = None) -> tuple[Tensor, Tensor]:
    """Labels and where they are known, as losses take them (`lsd.losses.loss.LossSample`): int64
    and bool, both (b, 1, *spatial), on the device of the logits.

    logits: float (b, c, *spatial), spatial axes z y x, or y x
    labels: whole numbers of any type, array or tensor, (b, *spatial) or (b, 1, *spatial)
    mask:   of the shape of labels, not 0 where the label is known; None: everywhere

    Raises ValueError where shapes do not agree, for a batch without a voxel, and for labels that
    are no ids.
    """
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        what = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"logits are a tensor of floats, got {what}; give what the network says")
    if logits.ndim not in (4, 5):
        raise ValueError(
            f"logits have shape {tuple(logits.shape)}; allowed: (b, c, z, y, x), in 2D (b, c, y, "
            f"x); give a single sample a batch axis with logits[None]"
        )
    if not logits.numel():
        raise ValueError(
            f"logits have shape {tuple(logits.shape)}, so there is nothing to learn from; leave "
            f"such a batch out"
        )
    named = ids(_array(labels), "labels")
    shape = _spatial(logits, named.shape)
    known = set_voxels(None if mask is None else _array(mask), named.shape)
    where = np.ones(shape, np.bool_) if known is None else known.reshape(shape)
    # torch computes little with uint64; ids stay what they are, bit by bit
    bits = np.require(named.reshape(shape), np.uint64, ["C", "W"]).view(np.int64)
    return (
        torch.from_numpy(bits).to(logits.device),
        torch.from_numpy(np.ascontiguousarray(where)).to(logits.device),
    )


def as_ids(labels: Tensor) -> NDArray[np.uint64]:
    """Labels as losses take them, as the uint64 that they stand for; on the host."""
    return labels.cpu().numpy().view(np.uint64)


def _array(values: Any) -> NDArray[Any]:
    if not isinstance(values, Tensor):
        return np.asarray(values)
    # numpy has no bfloat16
    plain = values.float() if values.dtype == torch.bfloat16 else values
    return np.asarray(plain.detach().cpu().numpy())


def _spatial(logits: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """(b, 1, *spatial) of logits, which labels of `shape` must be of, with or without the 1."""
    batch, _, *spatial = logits.shape
    if shape not in ((batch, *spatial), (batch, 1, *spatial)):
        raise ValueError(
            f"labels have shape {shape}, logits {tuple(logits.shape)}; labels must be "
            f"{(batch, *spatial)} or {(batch, 1, *spatial)}: crop them to what the network gives"
        )
    return (batch, 1, *spatial)
