"""Where fragments start: the innermost voxels of the foreground."""

from __future__ import annotations

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray


def squared_distance(foreground: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Square of the Euclidean distance, in voxels, to the nearest voxel that is not foreground;
    exact.

    Where all is foreground there is no such voxel: 1 everywhere.
    """
    if foreground.all():
        return np.ones(foreground.shape, dtype=np.int32)
    distance: NDArray[np.int32] = edt.edtsq(np.ascontiguousarray(foreground), parallel=1).astype(
        np.int32
    )
    return distance


def maxima(height: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """True where `height` is the largest within a box of `size` voxels around, as
    scipy.ndimage.maximum_filter places it."""
    highest = height
    for axis in range(height.ndim):
        highest = _largest_within(highest, size, axis)
    return np.asarray(highest == height)


def seeds(height: NDArray[np.int32], size: int) -> NDArray[np.unsignedinteger]:
    """Maxima of `height` within `size` voxels, numbered 1..n; those that share a face are one
    seed."""
    # cc3d drops axes of length 1
    numbered: NDArray[np.unsignedinteger] = cc3d.connected_components(
        maxima(height, size), connectivity=6 if height.ndim == 3 else 4
    ).reshape(height.shape)
    return numbered


def _largest_within(height: NDArray[np.int32], size: int, axis: int) -> NDArray[np.int32]:
    """Running maximum over positions -(size // 2) .. size - 1 - size // 2 of one axis, cut off at
    the border.

    Windows of twice the width come from two of half of it: log2(size) passes, each as fast as
    memory.
    """
    before = size // 2
    padding = [(0, 0)] * height.ndim
    padding[axis] = (before, size - 1 - before)
    window, width = np.pad(height, padding), 1  # heights are not negative: 0 changes no maximum
    while width < size:
        step = min(width, size - width)
        window = np.maximum(_cut(window, axis, 0, -step), _cut(window, axis, step, None))
        width += step
    return window


def _cut(array: NDArray[np.int32], axis: int, begin: int, end: int | None) -> NDArray[np.int32]:
    return array[tuple(slice(begin, end) if a == axis else slice(None) for a in range(array.ndim))]
