"""Arrays on disk whose voxels are ids: labels, what people paint, what another program found."""

from __future__ import annotations

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.volumes.array import Array, Beyond, text


class NegativeIds(ValueError):
    """An array of ids holds a number below 0."""


def of_ids(array: Array, noun: str = "labels") -> Array:
    """An array of ids, without the axis of its only channel; noun: what messages call the ids.

    Raises ValueError for several channels, and for what is no integers.
    """
    if array.dtype.kind not in "bui":
        raise ValueError(
            f"{array.name} is {array.dtype}; {noun} are integers: convert them, float ids are "
            f"not exact"
        )
    return array.without_channel()


def read_ids(
    array: Array, roi: Roi, *, beyond: Beyond = "refuse", noun: str = "label"
) -> NDArray[np.uint64]:
    """The ids of `roi` of such an array, (z, y, x); beyond: see `Array.read`.

    noun: what messages call one of them.  Raises NegativeIds.
    """
    found = array.read(roi, beyond=beyond)
    if found.dtype.kind == "i" and found.size and found.min() < 0:
        raise NegativeIds(
            f"{array.name} holds the negative {noun} {found.min()} in {text(roi)}; ids are 0 and "
            f"above"
        )
    return found.astype(np.uint64, copy=False)
