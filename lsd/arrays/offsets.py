"""Offsets between voxels, and what lies at one.  An offset k (voxels, z y x) pairs each voxel v
with v + k."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from lsd.arrays.caller import warn_caller

Offset = tuple[int, ...]
Array = npt.NDArray[Any]
Slices = tuple[slice, ...]


def for_dims(neighborhood: Sequence[Sequence[int]], dims: int) -> tuple[Offset, ...]:
    """The neighborhood in `dims` dimensions; in 2D offsets along z fall away and the others lose
    their z.

    Raises ValueError if offsets have fewer than `dims` entries, or if none is left.
    """
    short = [tuple(offset) for offset in neighborhood if not dims <= len(offset) <= 3]
    if short:
        raise ValueError(
            f"offset {short[0]} cannot serve {dims} dimensions; give every offset {dims} entries"
        )
    flat = [tuple(int(step) for step in offset[len(offset) - dims :]) for offset in neighborhood]
    # two offsets that differ in z alone become one
    kept = tuple(dict.fromkeys(offset for offset in flat if any(offset)))
    if not kept:
        raise ValueError(
            f"neighborhood {tuple(neighborhood)} holds no offset within {dims} dimensions; add one "
            f"in y or x"
        )
    return kept


def offsets_for(
    shape: Sequence[int], offsets: Sequence[Sequence[int]], *, centre: bool = False
) -> tuple[Offset, ...]:
    """The offsets as tuples, of labels of this shape; centre: 0 may be one of them.

    Raises ValueError for those of other axes than labels, and as `check_neighborhood`.
    """
    for offset in offsets:
        if len(offset) != len(shape):
            raise ValueError(
                f"offset {tuple(offset)} has {len(offset)} entries, labels have {len(shape)} axes "
                f"(shape {tuple(shape)}); "
                "give each offset one entry an axis, or drop z with lsd.arrays.offsets.for_dims"
            )
    return check_neighborhood(offsets, centre=centre)


def check_neighborhood(
    neighborhood: Sequence[Sequence[int]], *, channels: int | None = None, centre: bool = False
) -> tuple[Offset, ...]:
    """The offsets as tuples.  channels: of the affinities that they belong to; centre: 0 may be one
    of them.

    Raises ValueError if there are none, if they differ in length, hold fractions, are 0 or given
    twice, or if there is not one for each channel.
    """
    offsets = [tuple(offset) for offset in neighborhood]
    if not offsets:
        raise ValueError("the neighborhood is empty; give an offset for each channel")
    for offset in offsets:
        if (
            len(offset) != len(offsets[0])
            or not (centre or any(offset))
            or any(step != int(step) for step in offset)
        ):
            raise ValueError(
                f"offset {offset} of the neighborhood is no step of {len(offsets[0])} whole "
                f"numbers{'' if centre else ' other than 0'}"
            )
    twice = [offset for offset in offsets if offsets.count(offset) > 1]
    if twice:
        raise ValueError(
            f"the neighborhood holds offset {twice[0]} twice; each offset has one channel, so name "
            f"it once"
        )
    if channels is not None and channels != len(offsets):
        raise ValueError(
            f"affinities have {channels} channels, which do not fit the {len(offsets)} offsets "
            f"{tuple(offsets)}; give one "
            "offset for each channel, in the order of the channels"
        )
    return tuple(tuple(int(step) for step in offset) for offset in offsets)


def warn_beyond(shape: Sequence[int], neighborhood: Sequence[Sequence[int]]) -> None:
    """Warns of offsets that reach over all of `shape` (its last axes are those of the offsets): no
    pair of voxels has them."""
    for offset in neighborhood:
        if any(abs(k) >= n for k, n in zip(offset, shape[len(shape) - len(offset) :], strict=True)):
            warn_caller(
                f"offset {tuple(offset)} is longer than the volume of shape {tuple(shape)}, so its "
                f"channel says nothing here"
            )


def views(shape: Sequence[int], offset: Sequence[int]) -> tuple[Slices, Slices]:
    """Slices (first, second): array[first] holds each voxel v and array[second] its v + offset, of
    all pairs inside `shape`."""
    first = tuple(
        slice(max(0, -k), max(0, n - max(0, k))) for n, k in zip(shape, offset, strict=True)
    )
    second = tuple(
        slice(max(0, k), max(0, n - max(0, -k))) for n, k in zip(shape, offset, strict=True)
    )
    return first, second


def shift_array(array: Array, offset: Sequence[int], *, fill: float = 0) -> Array:
    """What lies at v + offset, for each v: (..., z, y, x) as `array`; `fill` where that is
    outside."""
    first, second = views(array.shape[array.ndim - len(offset) :], offset)
    shifted = np.full_like(array, fill)
    lead = (slice(None),) * (array.ndim - len(offset))
    shifted[lead + first] = array[lead + second]
    return shifted


def neighbours(connectivity: int, dims: int) -> tuple[Offset, ...]:
    """Steps from a voxel to those that it is connected with, in raster order: 6, 18 or 26 of them,
    or 4 or 8 in the plane, which in 3D is that of y and x."""
    plane = connectivity in (4, 8)
    # along how many axes a step goes at most
    most = {4: 1, 6: 1, 8: 2, 18: 2, 26: 3}[connectivity]
    axes = [(0,) if plane and axis < dims - 2 else (-1, 0, 1) for axis in range(dims)]
    return tuple(step for step in product(*axes) if 0 < sum(map(abs, step)) <= most)


def reach(neighborhood: Sequence[Sequence[int]]) -> Offset:
    """The farthest step along each axis, in either direction."""
    return tuple(max(abs(k) for k in axis) for axis in zip(*neighborhood, strict=True))
