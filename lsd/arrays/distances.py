"""Distances from voxels to the border of the object that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt


def distances_to_others(
    labels: npt.NDArray[Any],
    spacing: Sequence[float],
    *,
    known: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.float32]:
    """From the centre of each voxel to that of the nearest one of another label, of the shape of
    `labels`; inf where all are of one.

    labels:  any integers (z, y, x), or (y, x); 0 is a label as others are
    spacing: distance between voxels along each axis
    known:   voxels that are not known are of another label than those that are; None: all are

    Exact, and linear in voxels, whatever the number of objects: lines along one axis after another,
    each run of one label by the lower envelope of parabolas.
    Source: Felzenszwalb and Huttenlocher 2012, "Distance transforms of sampled functions".
    """
    squares = np.full(labels.shape, np.inf)
    for axis in range(labels.ndim):
        borders = np.zeros(labels.shape, np.bool_)
        after, before = (_along(axis, labels.ndim, part) for part in (slice(1, None), slice(-1)))
        borders[after] = labels[after] != labels[before]
        if known is not None:
            borders[after] |= known[after] != known[before]
        _spread(_lines(squares, axis), _lines(borders, axis), float(spacing[axis]))
    return np.asarray(np.sqrt(squares), np.float32)


def _along(axis: int, dims: int, part: slice) -> tuple[slice, ...]:
    return tuple(part if place == axis else slice(None) for place in range(dims))


def _lines(array: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """A view (a, b, n) whose last axis is `axis`."""
    whole = array if array.ndim == 3 else array[np.newaxis]
    return np.moveaxis(whole, axis + whole.ndim - array.ndim, -1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _spread(squares, borders, spacing):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Squared distances (a, b, n) along other axes become those along the last axis, too.

    borders: whether a run of one label begins at a voxel.  The voxel next to a run is of another
    label, at distance 0 of it, and nearer than all beyond it.
    """
    count = squares.shape[2]
    line = np.empty(count)
    places, heights, begins = np.empty(count + 2), np.empty(count + 2), np.empty(count + 2)
    for i in range(squares.shape[0]):
        for j in range(squares.shape[1]):
            begin = 0
            while begin < count:
                end = begin + 1
                while end < count and not borders[i, j, end]:
                    end += 1
                last = -1
                for place in range(max(begin - 1, 0), min(end + 1, count)):
                    is_other = place < begin or place == end
                    height = 0.0 if is_other else squares[i, j, place]
                    if height == np.inf:
                        continue
                    position = place * spacing
                    crossing = -np.inf
                    while last >= 0:
                        crossing = (height + position**2 - heights[last] - places[last] ** 2) / (
                            2 * (position - places[last])
                        )
                        if crossing > begins[last]:
                            break
                        last -= 1
                    last += 1
                    places[last], heights[last] = position, height
                    begins[last] = crossing if last > 0 else -np.inf
                if last >= 0:
                    at = 0
                    for place in range(begin, end):
                        position = place * spacing
                        while at < last and begins[at + 1] < position:
                            at += 1
                        line[place] = heights[at] + (position - places[at]) ** 2
                    for place in range(begin, end):
                        squares[i, j, place] = line[place]
                begin = end
