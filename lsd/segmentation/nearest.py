"""Affinities to the nearest neighbours, as the decoders want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.targets.offsets import shift


def nearest(affs: NDArray[Any], neighborhood: Sequence[Sequence[int]]) -> NDArray[Any]:
    """The channels of `affs` (c, z, y, x) for the offsets (-1, 0, 0), (0, -1, 0), (0, 0, -1), in this order.

    A channel for an offset of +1 serves too, moved by a voxel.  Offsets of a 2D network have no z: (2, ...) comes back.
    Raises ValueError if an axis has neither.
    """
    dims = len(neighborhood[0])
    offsets = [tuple(offset) for offset in neighborhood]
    steps = [tuple(-int(i == axis) for i in range(dims)) for axis in range(dims)]
    return affs[:dims] if offsets[:dims] == steps else np.stack([_channel(affs, offsets, step) for step in steps])


def _channel(affs: NDArray[Any], offsets: list[tuple[int, ...]], step: tuple[int, ...]) -> NDArray[Any]:
    if step in offsets:
        found: NDArray[Any] = affs[offsets.index(step)]
        return found
    opposite = tuple(-s for s in step)
    if opposite not in offsets:
        raise ValueError(f"the neighborhood has no offset {step} or {opposite}, only {offsets}; each axis needs one")
    return shift(affs[offsets.index(opposite)], step)


def unit(affs: NDArray[Any]) -> NDArray[np.float32]:
    """Affinities as float32 in [0, 1]; uint8 is divided by 255.  Raises ValueError for values outside and other dtypes."""
    if affs.dtype == np.uint8:
        return affs.astype(np.float32) / np.float32(255)
    if affs.dtype.kind in "iub":
        raise ValueError(f"affinities have dtype {affs.dtype}; allowed: uint8 (0..255) or floats (0..1)")
    values = affs.astype(np.float32)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise ValueError(f"affinities lie in {low:.4g}..{high:.4g}, allowed: 0..1; apply a sigmoid to logits, or divide by 255")
    return np.clip(values, 0, 1)


def mean_affinity(affs: NDArray[Any], *, in_xy: bool = False) -> NDArray[np.float32]:
    """Mean over the channels of the nearest neighbours: (z, y, x), or (y, x) of 2D affinities; in 0..1.

    The first channels are those of z, y, x (see `nearest`).  in_xy: of y and x alone.
    """
    dims = affs.ndim - 1
    channels = len(affs)
    if dims not in (2, 3) or channels < 2:
        raise ValueError(f"affs have shape {affs.shape}; wanted: (c, z, y, x) or (c, y, x), a channel for each axis")
    if channels < dims and not in_xy:
        raise ValueError(f"affs of shape {affs.shape} have channels for y and x only; segment section by section: in_xy=True")
    first = 1 if in_xy and dims == 3 and channels > 2 else 0
    last = min(channels, dims)
    return np.asarray(unit(affs[first:last]).mean(axis=0))
