"""Turning a volume: its axes in another order, some of them mirrored; and how points, offsets and
regions turn with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate, Roi

Value = TypeVar("Value")
# of numpy, or of torch, which this module does not import
Array = TypeVar("Array")


@dataclass(frozen=True)
class Turn:
    """Axis a of the turned volume is axis order[a] of the volume, mirrored where flips[a]."""

    order: tuple[int, ...]
    flips: tuple[bool, ...]

    @classmethod
    def none(cls, dims: int) -> Turn:
        """The turn that leaves a volume of so many axes as it is."""
        return cls(tuple(range(dims)), (False,) * dims)

    def apply(self, array: Array) -> Array:
        """`array` (..., *spatial) turned; a view of a numpy array, of a tensor where nothing is
        mirrored."""
        return _mirrored(_permuted(array, self.order), self.flips)

    def undo(self, array: Array) -> Array:
        """The inverse of `apply`."""
        return _permuted(
            _mirrored(array, self.flips),
            [self.order.index(axis) for axis in range(len(self.order))],
        )

    def offset(self, offset: Sequence[int]) -> tuple[int, ...]:
        """The offset between two voxels of the turned volume that is `offset` between them in the
        volume."""
        turned = (offset[axis] for axis in self.order)
        return tuple(-step if flip else step for step, flip in zip(turned, self.flips, strict=True))

    def before(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Points (axes, ...) of the turned volume, relative to its centre, as they lie in the
        volume."""
        source = np.empty_like(points)
        for axis, (origin, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            source[origin] = -points[axis] if flip else points[axis]
        return source

    def source(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """One value for each axis of the turned volume, such as its shape, in the order of the
        volume's axes."""
        return tuple(values[self.order.index(axis)] for axis in range(len(self.order)))

    def source_roi(self, roi: Roi, whole: Roi) -> Roi:
        """The region that becomes `roi`, where all of the turned volume is `whole`; both volumes
        begin at the same voxel."""
        below, above = roi.begin - whole.begin, whole.end - roi.end
        begin = [above[axis] if flip else below[axis] for axis, flip in enumerate(self.flips)]
        return Roi(whole.begin + Coordinate(self.source(begin)), self.source(tuple(roi.shape)))


def _permuted(array: Array, order: Sequence[int]) -> Array:
    lead = array.ndim - len(order)  # type: ignore[attr-defined]
    axes = (*range(lead), *(lead + axis for axis in order))
    permute: Any = getattr(array, "permute", None) or array.transpose  # type: ignore[attr-defined]
    permuted: Array = permute(*axes)
    return permuted


def _mirrored(array: Array, flips: Sequence[bool]) -> Array:
    axes = tuple(axis - len(flips) for axis, flip in enumerate(flips) if flip)
    # a tensor is copied to be flipped, even about no axis
    if not axes:
        return array
    flipped: Any = np.flip(array, axes) if isinstance(array, np.ndarray) else array.flip(axes)  # type: ignore[attr-defined]
    mirrored: Array = flipped
    return mirrored
