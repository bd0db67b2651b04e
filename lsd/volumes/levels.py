"""Coarser levels of an array: how many voxels of level 0 one of a level covers, and what it then
holds.

Level k is made from level 0, not from the level before, so a mean is rounded once and a majority is
one of all voxels that are covered.  Where the array ends within a voxel of a level, that voxel
stands for the voxels that are there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

How = Literal["mean", "majority", "all"]
Factor = tuple[int, ...]


def factors(
    voxel_size: Sequence[float], shape: Sequence[int], levels: int, *, by_image: bool = False
) -> list[Factor]:
    """Voxels of level 0 along each axis in one of level 1, 2, .. levels - 1; fewer where nothing is
    left to halve.

    Each level halves the axes whose voxels are at most sqrt(2) times as long as the shortest, so
    voxels become about isotropic first: of 40 x 4 x 4 nm the levels are 1 x 2 x 2, 1 x 4 x 4, 1 x 8
    x 8, then 2 x 16 x 16.  An axis of one voxel stays.

    by_image: sections are images of their own, so none of them is joined with the next
    """
    by_level: list[Factor] = []
    factor = (1,) * len(shape)
    for _ in range(levels - 1):
        long = [size * f for size, f in zip(voxel_size, factor, strict=True)]
        open_axes = [-(-n // f) > 1 for n, f in zip(shape, factor, strict=True)]
        if by_image:
            open_axes[0] = False
        if not any(open_axes):
            break
        shortest = min(nm for nm, is_open in zip(long, open_axes, strict=True) if is_open)
        halved = [
            is_open and nm <= math.sqrt(2) * shortest
            for nm, is_open in zip(long, open_axes, strict=True)
        ]
        factor = tuple(f * (2 if half else 1) for f, half in zip(factor, halved, strict=True))
        by_level.append(factor)
    return by_level


def coarser(data: NDArray[Any], factor: Factor, how: How) -> NDArray[Any]:
    """`data` (c?, z, y, x) with `factor` voxels of each axis of space in one; dtype as it is.

    mean:     of integers rounded to the next, halves to the even one
    majority: the id that most voxels have; of several the smallest.  0 counts like others
    all:      1 where none of the voxels is 0, else 0
    """
    if how == "mean":
        return _mean(data, factor)
    if how == "all":
        unset = _total(data == 0, factor, np.int64)
        return np.asarray(unset == 0, data.dtype)
    from lsd.volumes.majority import majority  # loads numba, which takes a second

    return majority(data, factor)


def _mean(data: NDArray[Any], factor: Factor) -> NDArray[Any]:
    count = np.ones((1,) * data.ndim)
    for axis, f in enumerate(factor, start=data.ndim - len(factor)):
        if f > 1:
            ones = np.ones([n if a == axis else 1 for a, n in enumerate(data.shape)])
            count = count * _sums(ones, axis, f)
    mean = _total(data, factor, np.float64) / count
    return mean.astype(data.dtype) if data.dtype.kind == "f" else np.rint(mean).astype(data.dtype)


def _total(data: NDArray[Any], factor: Factor, dtype: type[np.generic]) -> NDArray[Any]:
    """Sums of `factor` voxels."""
    total = data
    for axis, f in enumerate(factor, start=data.ndim - len(factor)):
        if f > 1:
            # of all axes the first one makes the least of it in a wide type
            total = _sums(total, axis, f, dtype=dtype)
    return total.astype(dtype, copy=False)


def _sums(
    data: NDArray[Any], axis: int, factor: int, *, dtype: type[np.generic] = np.float64
) -> NDArray[Any]:
    """Sums of `factor` entries along an axis; the last may be of fewer."""
    ahead = (slice(None),) * axis
    total = data[(*ahead, slice(None, None, factor))].astype(dtype)
    for first in range(1, factor):
        part = data[(*ahead, slice(first, None, factor))]
        total[(*ahead, slice(0, part.shape[axis]))] += part
    return total
