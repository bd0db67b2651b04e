"""Affinities that may say the same of a pair of voxels twice: at one end by an offset, at the other
by its opposite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.offsets import Offset, shift_array
from lsd.segmentation.kernels.nearest import as_probabilities


def once_each(neighborhood: Sequence[Sequence[int]]) -> tuple[Offset, ...]:
    """The offsets without those whose opposite is among them and comes first along z, y and x."""
    offsets = [tuple(offset) for offset in neighborhood]
    return tuple(
        offset
        for offset in offsets
        if _opposite(offset) not in offsets or offset < _opposite(offset)
    )


def merged(
    affs: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    *,
    seen: NDArray[np.bool_] | None = None,
) -> NDArray[Any]:
    """Affinities (c, z, y, x) of the offsets that `once_each` leaves:

        a_k(v) = (p_k(v) + p_-k(v + k)) / 2

    and p_k(v) where there is no p_-k, or v + k is outside, or was not `seen` (z, y, x; None: all
    was).  `affs`, which are floats in 0..1 or uint8, come back as they are where no pair of voxels
    is there twice.
    """
    offsets, kept = [tuple(offset) for offset in neighborhood], once_each(neighborhood)
    if len(kept) == len(offsets):
        return affs
    values = np.empty((len(kept), *affs.shape[1:]), np.float32)
    for channel, offset in zip(values, kept, strict=True):
        channel[:] = as_probabilities(affs[offsets.index(offset)])
        if _opposite(offset) in offsets:
            other = as_probabilities(affs[offsets.index(_opposite(offset))])
            if seen is not None:
                other = np.where(seen, other, np.float32(np.nan))
            # NaN: there is no voxel v + k
            seen_there = shift_array(other, offset, fill=np.nan)
            both = ~np.isnan(seen_there)
            channel[both] = (channel[both] + seen_there[both]) / 2
    return values


def highest(affs: NDArray[Any], neighborhood: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """The highest affinity of each voxel, at whichever end of a pair it lies: (z, y, x) in 0..1."""
    strongest = np.zeros(affs.shape[1:], np.float32)
    for channel, offset in zip(affs, neighborhood, strict=True):
        values = as_probabilities(channel)
        np.maximum(strongest, values, out=strongest)
        np.maximum(strongest, shift_array(values, _opposite(tuple(offset))), out=strongest)
    return strongest


def _opposite(offset: Offset) -> Offset:
    return tuple(-step for step in offset)
