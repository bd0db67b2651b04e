"""Offsets between voxels: what lies at an offset, where there is something, and how offsets turn with a volume.

An offset k (voxels, z y x) pairs each voxel v with v + k.  A volume is turned by `np.flip(np.transpose(array, order), flips)`:
first its axes are put in another order, then some of the new ones are mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lsd.targets.told import tell

Offset = tuple[int, ...]
Array = npt.NDArray[Any]
Slices = tuple[slice, ...]


def for_dims(neighborhood: Sequence[Sequence[int]], dims: int) -> tuple[Offset, ...]:
    """The neighborhood in `dims` dimensions; in 2D offsets along z fall away and the others lose their z.

    Raises ValueError if offsets have fewer than `dims` entries, or if none is left.
    """
    short = [tuple(offset) for offset in neighborhood if not dims <= len(offset) <= 3]
    if short:
        raise ValueError(f"offset {short[0]} cannot serve {dims} dimensions; give every offset {dims} entries")
    flat = [tuple(int(step) for step in offset[len(offset) - dims :]) for offset in neighborhood]
    # two offsets that differ in z alone become one
    kept = tuple(dict.fromkeys(offset for offset in flat if any(offset)))
    if not kept:
        raise ValueError(f"neighborhood {tuple(neighborhood)} holds no offset within {dims} dimensions; add one in y or x")
    return kept


def check(neighborhood: Sequence[Sequence[int]], *, channels: int | None = None) -> tuple[Offset, ...]:
    """The offsets as tuples.  channels: of the affinities that they belong to.

    Raises ValueError if there are none, if they differ in length, hold fractions, are 0 or given twice, or if there is not one
    for each channel.
    """
    offsets = [tuple(offset) for offset in neighborhood]
    if not offsets:
        raise ValueError("the neighborhood is empty; give an offset for each channel")
    for offset in offsets:
        if len(offset) != len(offsets[0]) or not any(offset) or any(step != int(step) for step in offset):
            raise ValueError(f"offset {offset} of the neighborhood is no step of {len(offsets[0])} whole numbers other than 0")
    twice = [offset for offset in offsets if offsets.count(offset) > 1]
    if twice:
        raise ValueError(f"the neighborhood holds offset {twice[0]} twice; each offset has one channel, so name it once")
    if channels is not None and channels != len(offsets):
        raise ValueError(
            f"affinities have {channels} channels, which do not fit the {len(offsets)} offsets {tuple(offsets)}; give one "
            "offset for each channel, in the order of the channels"
        )
    return tuple(tuple(int(step) for step in offset) for offset in offsets)


def warn_beyond(shape: Sequence[int], neighborhood: Sequence[Sequence[int]]) -> None:
    """Warns of offsets that reach over all of `shape` (its last axes are those of the offsets): no pair of voxels has them."""
    for offset in neighborhood:
        if any(abs(k) >= n for k, n in zip(offset, shape[len(shape) - len(offset) :], strict=True)):
            tell(f"offset {tuple(offset)} is longer than the volume of shape {tuple(shape)}, so its channel says nothing here")


def views(shape: Sequence[int], offset: Sequence[int]) -> tuple[Slices, Slices]:
    """Slices (here, there): array[here] and array[there] hold each v, and its v + offset, of all pairs inside `shape`."""
    here = tuple(slice(max(0, -k), max(0, n - max(0, k))) for n, k in zip(shape, offset, strict=True))
    there = tuple(slice(max(0, k), max(0, n - max(0, -k))) for n, k in zip(shape, offset, strict=True))
    return here, there


def shift(array: Array, offset: Sequence[int], *, fill: float = 0) -> Array:
    """What lies at v + offset, for each v: (..., z, y, x) as `array`; `fill` where that is outside."""
    here, there = views(array.shape[array.ndim - len(offset) :], offset)
    shifted = np.full_like(array, fill)
    lead = (slice(None),) * (array.ndim - len(offset))
    shifted[lead + here] = array[lead + there]
    return shifted


def validity(shape: Sequence[int], offset: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Where v + offset is inside: bool of `shape`."""
    valid = np.zeros(shape, np.bool_)
    valid[views(shape, offset)[0]] = True
    return valid


def reach(neighborhood: Sequence[Sequence[int]]) -> Offset:
    """The farthest step along each axis, in either direction."""
    return tuple(max(abs(k) for k in axis) for axis in zip(*neighborhood, strict=True))


def transposed(offset: Sequence[int], order: Sequence[int]) -> Offset:
    """The offset in `np.transpose(volume, order)` that joins the same voxels."""
    return tuple(offset[axis] for axis in order)


def flipped(offset: Sequence[int], axes: Sequence[int]) -> Offset:
    """The offset in `np.flip(volume, axes)` that joins the same voxels."""
    return tuple(-k if axis in axes else k for axis, k in enumerate(offset))


def restore(
    affs: Array, neighborhood: Sequence[Sequence[int]], *, order: Sequence[int], flips: Sequence[int]
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Affinities (c, z, y, x) of a turned volume, in the frame and the channel order of the volume as it was.

    Channel k of the turned volume joins voxels along the turned offset; where the neighborhood only holds the opposite
    of that, its affinity is found at the other end of the pair.  Returns (affs, valid), both (c, z, y, x); valid is
    False where the pair's other end is outside, and in channels whose offset, turned, the neighborhood does not hold.
    """
    source = {tuple(offset): channel for channel, offset in enumerate(neighborhood)}
    back = unturn(affs, order=order, flips=flips)
    restored, valid = np.zeros_like(back), np.zeros(back.shape, np.bool_)
    for channel, offset in enumerate(neighborhood):
        turned = flipped(transposed(offset, order), flips)
        opposite = tuple(-k for k in turned)
        if turned in source:
            restored[channel], valid[channel] = back[source[turned]], True
        elif opposite in source:
            restored[channel] = shift(back[source[opposite]], offset)
            valid[channel] = validity(back.shape[1:], offset)
    return restored, valid


def turn(array: Array, *, order: Sequence[int], flips: Sequence[int]) -> Array:
    """`np.flip(np.transpose(array, order), flips)` over the last axes of `array` (..., z, y, x); a view."""
    lead = array.ndim - len(order)
    axes = (*range(lead), *(lead + axis for axis in order))
    return np.flip(array.transpose(axes), tuple(lead + axis for axis in flips))


def unturn(array: Array, *, order: Sequence[int], flips: Sequence[int]) -> Array:
    """The inverse of `turn`; a view."""
    lead = array.ndim - len(order)
    mirrored = np.flip(array, tuple(lead + axis for axis in flips))
    return mirrored.transpose(*range(lead), *(lead + int(axis) for axis in np.argsort(order)))
