"""Affinities to the nearest neighbours, as the decoders want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.caller import warn_caller
from lsd.arrays.offsets import check_neighborhood, shift_array

# what a network may miss 0..1 by, rounding
_HAIR = 1e-3


def nearest(affs: NDArray[Any], neighborhood: Sequence[Sequence[int]]) -> NDArray[Any]:
    """The channels of `affs` (c, z, y, x) for the offsets (-1, 0, 0), (0, -1, 0), (0, 0, -1), in
    this order.

    A channel for an offset of +1 serves too, moved by a voxel.  Offsets of a 2D network have no z:
    (2, ...) comes back.  Raises ValueError if an axis has neither, or there is not one offset for
    each channel.
    """
    offsets = list(check_neighborhood(neighborhood, channels=len(affs)))
    dims = len(offsets[0])
    steps = [tuple(-int(i == axis) for i in range(dims)) for axis in range(dims)]
    return (
        affs[:dims]
        if offsets[:dims] == steps
        else np.stack([_channel(affs, offsets, step) for step in steps])
    )


def _channel(
    affs: NDArray[Any], offsets: list[tuple[int, ...]], step: tuple[int, ...]
) -> NDArray[Any]:
    if step in offsets:
        channel: NDArray[Any] = affs[offsets.index(step)]
        return channel
    opposite = tuple(-s for s in step)
    if opposite not in offsets:
        raise ValueError(
            f"the neighborhood has no offset {step} or {opposite}, only {offsets}; each axis needs "
            f"one"
        )
    return shift_array(affs[offsets.index(opposite)], step)


def checked(
    affs: NDArray[Any], neighborhood: Sequence[Sequence[int]] | None = None
) -> NDArray[Any]:
    """Affinities (c, z, y, x) or (c, y, x) as decoders take them, in this machine's byte order:
    uint8, or floats in [0, 1].

    neighborhood: an offset for each channel; in 2D, or of a 2D network, without z
    Raises ValueError for other axes, dtypes and values, naming the first channel and voxel that is
    wrong.
    """
    affs = np.asarray(affs)
    if affs.ndim not in (3, 4):
        raise ValueError(
            f"affs have shape {affs.shape}; wanted: (c, z, y, x) or (c, y, x), a channel for each "
            f"offset"
        )
    if neighborhood is not None:
        offsets = check_neighborhood(neighborhood, channels=len(affs))
        if len(offsets[0]) not in (2, affs.ndim - 1):
            raise ValueError(
                f"affs of shape {affs.shape} do not fit the offsets {offsets}; give each offset "
                f"{affs.ndim - 1} entries, "
                "or 2 where sections are on their own"
            )
    if affs.dtype.kind != "f" and affs.dtype != np.uint8:
        raise ValueError(
            f"affinities have dtype {affs.dtype}; allowed: uint8 (0..255) or floats (0..1); use "
            f".astype(np.uint8) where they lie in 0..255, and .astype(np.float32) where they lie "
            f"in 0..1"
        )
    if (
        affs.dtype.kind == "f"
        and affs.size
        and not (affs.min() >= -_HAIR and affs.max() <= 1 + _HAIR)
    ):
        raise ValueError(_wrong(affs))
    return affs.astype(affs.dtype.newbyteorder("="), copy=False)


def _wrong(affs: NDArray[Any]) -> str:
    finite = np.isfinite(affs)
    if finite.all():
        channel, *voxel = (int(i) for i in np.argwhere((affs < -_HAIR) | (affs > 1 + _HAIR))[0])
        return (
            f"affinities lie in {affs.min():.4g}..{affs.max():.4g}, allowed: 0..1; apply a sigmoid "
            f"to logits, or divide by 255 "
            f"(the first outside is {affs[(channel, *voxel)]:.4g}, in channel {channel} at voxel "
            f"{tuple(voxel)})"
        )
    channel, *voxel = (int(i) for i in np.argwhere(~finite)[0])
    return (
        f"affinities are {affs[(channel, *voxel)]} in channel {channel} at voxel {tuple(voxel)}, "
        f"and not finite at "
        f"{np.count_nonzero(~finite)} places in all, allowed: 0..1; predict them again, or set "
        f"these to 0, which joins nothing"
    )


def warn_of_a_mask(affs: NDArray[Any]) -> None:
    """Warns of uint8 affinities of 0 and 1 alone, as a mask is saved: they mean 0/255 and 1/255."""
    if affs.dtype == np.uint8 and affs.size and affs.max() == 1:
        warn_caller(
            "affinities are uint8 and none is above 1, so all are 1/255 or less; where 1 means one "
            "neuron, multiply by 255"
        )


def as_probabilities(affs: NDArray[Any]) -> NDArray[np.float32]:
    """Affinities that are `checked` as float32 in [0, 1]; uint8 is divided by 255."""
    if affs.dtype == np.uint8:
        return affs.astype(np.float32) / np.float32(255)
    return np.clip(affs.astype(np.float32), 0, 1)


def mean_affinity(
    affs: NDArray[Any], *, in_xy: bool = False, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Mean over the channels of the nearest neighbours: (z, y, x), or (y, x) of 2D affinities; in
    0..1.

    The first channels are those of z, y, x (see `nearest`).  in_xy: of y and x alone.
    mask: (z, y, x); affinities with an end outside it do not count, and a voxel that has no other
          is 0.
    """
    dims = affs.ndim - 1
    channels = len(affs)
    if dims not in (2, 3) or channels < 2:
        raise ValueError(
            f"affs have shape {affs.shape}; wanted: (c, z, y, x) or (c, y, x), a channel for each "
            f"axis"
        )
    if channels < dims and not in_xy:
        raise ValueError(
            f"affs of shape {affs.shape} have channels for y and x only; segment section by "
            f"section: in_xy=True"
        )
    first = 1 if in_xy and dims == 3 and channels > 2 else 0
    near = as_probabilities(affs[first:dims])
    if mask is None or mask.all():
        return np.asarray(near.mean(axis=0))
    # the last channels are those of the last axes
    counts = np.zeros(mask.shape, np.uint8)
    for edges, axis in zip(near, range(dims - len(near), dims), strict=True):
        inside = _inside(mask, axis)
        edges *= inside
        counts += inside
    return np.asarray(near.sum(axis=0) / np.maximum(counts, 1))


def _inside(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Whether a voxel and the one before it along `axis` are inside; what lies beyond the array
    nobody knows."""
    inside = mask.copy()
    after, before = (
        tuple(slice(*part) if i == axis else slice(None) for i in range(mask.ndim))
        for part in ((1, None), (-1,))
    )
    inside[after] &= mask[before]
    return inside
