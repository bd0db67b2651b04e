"""An array on disk that is indexed as a numpy array is."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.volumes.array import Array

# what an axis is indexed with, and the voxels that this means
Part = int | slice


class View:
    """An array on disk, (z, y, x) or (c, z, y, x); indexing reads, as in view[10:20, :, 5].

    Voxels are counted from 0, as in numpy: integers, slices and `...` are understood.
    np.asarray(view) reads all of it.
    """

    def __init__(self, array: Array) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """(c,) z, y, x."""
        return tuple(int(size) for size in self._array.shape)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """As it is read."""
        return self._array.dtype

    def __repr__(self) -> str:
        return f"View({self._array.name!r}, {self.shape} {self.dtype})"

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """The voxels that a numpy index means.  Raises IndexError for one that numpy would."""
        parts = _per_axis(index, self.shape)
        ranges = [_voxels(part, size) for part, size in zip(parts, self.shape, strict=True)]
        if any(len(voxels) == 0 for voxels in ranges):
            return np.empty(
                [len(v) for v, part in zip(ranges, parts, strict=True) if isinstance(part, slice)],
                self.dtype,
            )
        dims = self._array.roi.dims
        begin = [min(voxels[0], voxels[-1]) for voxels in ranges[-dims:]]
        end = [max(voxels[0], voxels[-1]) + 1 for voxels in ranges[-dims:]]
        roi = Roi(begin, [b - a for a, b in zip(begin, end, strict=True)])
        data = self._array.read(roi + self._array.roi.begin)
        # channels are read whole
        channels = parts[: self.ndim - dims]
        inside = [slice(None, None, p.step) if isinstance(p, slice) else 0 for p in parts[-dims:]]
        return np.ascontiguousarray(data[(*channels, *inside)])


def _per_axis(index: Any, shape: tuple[int, ...]) -> tuple[Part, ...]:
    """One integer or slice for each axis."""
    entries = index if isinstance(index, tuple) else (index,)
    if sum(entry is Ellipsis for entry in entries) > 1:
        raise IndexError("an index has one ellipsis (...) at most")
    ellipsis = next((i for i, entry in enumerate(entries) if entry is Ellipsis), len(entries))
    parts = [entry for entry in entries if entry is not Ellipsis]
    if len(parts) > len(shape):
        raise IndexError(f"the index has {len(parts)} entries, the array {len(shape)} axes")
    whole_axes: list[Any] = [slice(None)] * (len(shape) - len(parts))
    return tuple(_part(part) for part in (*parts[:ellipsis], *whole_axes, *parts[ellipsis:]))


def _part(part: Any) -> Part:
    if isinstance(part, slice):
        return part
    try:
        return operator.index(part)
    except TypeError:
        raise IndexError(
            f"an array on disk is indexed by integers, slices and ..., got {part!r}; read it first "
            f"for other indices, as in np.asarray(volume.raw)[index]"
        ) from None


def _voxels(part: Part, size: int) -> range:
    if isinstance(part, slice):
        return range(*part.indices(size))
    if not -size <= part < size:
        raise IndexError(f"index {part} is out of an axis of {size} voxels")
    return range(part % size, part % size + 1)
