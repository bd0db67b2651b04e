"""Seeded watershed on a whole-numbered height, with one queue a level instead of a heap."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

# voxel positions are int32: half the memory traffic of the flooding
_LARGEST = 2**31 - 1


def flood(
    height: NDArray[np.int32],
    seeds: NDArray[np.integer],
    *,
    within: NDArray[np.bool_] | None = None,
    steps: Sequence[Sequence[int]] | None = None,
) -> NDArray[np.int32]:
    """Grow `seeds` over all of `height`, from high to low: int32, of the same shape.

    height: (z, y, x) or (y, x), not negative; seeds: 0, or the label that starts there
    within: where seeds may grow; 0 is left outside, and where no way from a seed leads.  None:
            everywhere
    steps:  from a voxel to its neighbours, each at most 1 along an axis, in raster order; None:
            those that share a face
    A voxel takes the label of the neighbour that reaches it first; of voxels equally high, the one
    that was
    reached first spreads first, seeds in raster order: no chance is involved.

    Source: Meyer 1994, topographic distance and watershed lines (flooding from markers); the order
    of mahotas.cwatershed.
    """
    if height.size > _LARGEST:
        raise ValueError(
            f"height has {height.size} voxels, allowed: {_LARGEST}; segment it in blocks"
        )
    cells = np.zeros(tuple(size + 2 for size in height.shape), dtype=np.int32)
    inside = tuple(slice(1, -1) for _ in height.shape)
    cells[inside] = np.where(
        seeds > 0, seeds, ~height if within is None else np.where(within, ~height, 0)
    )
    _spread(
        cells.reshape(-1),
        _started(cells, height, seeds),
        np.bincount(height.reshape(-1)),
        _steps(cells.shape, steps),
    )
    return np.maximum(cells[inside], 0)


def _steps(shape: tuple[int, ...], steps: Sequence[Sequence[int]] | None) -> NDArray[np.int32]:
    """Distance in memory to the neighbours of a voxel, in raster order."""
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    if steps is None:
        return np.array([-s for s in strides] + strides[::-1], dtype=np.int32)
    return np.array([np.dot(step, strides) for step in steps], dtype=np.int32)


def _started(
    cells: NDArray[np.int32], height: NDArray[np.int32], seeds: NDArray[np.integer]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Positions of the seeds in memory of `cells`, and their heights, in raster order."""
    where = np.nonzero(seeds)
    positions = np.ravel_multi_index(tuple(axis + 1 for axis in where), cells.shape)
    return positions.astype(np.int32), height[where]


@numba.njit(cache=True, nogil=True)
def _spread(cells, started, counts, steps):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Label `cells` in place: positive a label, negative ~height of a voxel not reached, 0 the
    border.

    Every voxel waits exactly once, among those of its height, so that all queues fit into one
    array, one after another.
    """
    positions, heights = started
    levels = counts.size
    first = np.zeros(levels, np.int64)
    for level in range(1, levels):
        first[level] = first[level - 1] + counts[level - 1]
    last = first.copy()
    queue = np.empty(cells.size, np.int32)
    for i in range(positions.size):
        queue[last[heights[i]]] = positions[i]
        last[heights[i]] += 1
    level = levels - 1
    while level >= 0:
        if first[level] == last[level]:
            level -= 1
            continue
        position = queue[first[level]]
        first[level] += 1
        label = cells[position]
        for step in steps:
            neighbour = position + step
            height = ~cells[neighbour]
            if height >= 0:
                cells[neighbour] = label
                queue[last[height]] = neighbour
                last[height] += 1
                level = max(level, height)
