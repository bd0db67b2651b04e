"""Which block a voxel that several blocks hold belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numba
import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.pairs import count_pairs
from lsd.arrays.sums import sums
from lsd.segmentation.stitching.boxes import Boxes

NOBODY = -1
# of a block, where in part of its box it has a label: of partial blocks, see `owners`
Labelled = Callable[[int, Roi], NDArray[np.bool_]]
# voxels whose distances are in memory at once, 16 bytes each
_SLAB = 2**22
# of blocks that are not partial
_EVERYWHERE = np.empty((0, 0, 0), np.bool_)


def owners(
    boxes: Boxes, candidates: Iterable[int], roi: Roi, *, labelled: Labelled | None = None
) -> NDArray[np.int64]:
    """The block that each voxel of `roi` belongs to, int64 (z, y, x); NOBODY where no block is.

    A voxel belongs to the block in whose middle it lies most: the one for which the squares of its
    distances from the middle, each as a share of half the block along an axis, have the smallest
    sum; of equals the first.  Blocks of one size that overlap are so cut half way, and what lies
    near the border of a block, where it knows least, is another's.

    candidates: all blocks that hold a voxel of roi, and any others
    labelled:   of partial blocks, which hold the objects of their own alone: where they have a
                label.  A voxel then belongs to one of those that do
    """
    numbers = np.array(sorted(candidates), np.int64)
    begins = np.maximum(boxes.begins[numbers], roi.begin)
    ends = np.minimum(boxes.ends[numbers], roi.end)
    # sections lie in a volume that is one voxel thick
    shape = (1,) * (3 - roi.dims) + tuple(map(int, roi.shape))
    nearest, owner = np.full(shape, np.inf), np.full(shape, NOBODY, np.int64)
    for place in np.flatnonzero((begins < ends).all(axis=1)):
        index, begin, end = int(numbers[place]), begins[place].tolist(), ends[place].tolist()
        where = _EVERYWHERE
        if labelled is not None:
            where = labelled(index, Roi(begin, [e - b for b, e in zip(begin, end, strict=True)]))
            where = np.ascontiguousarray(where).reshape((1,) * (3 - where.ndim) + where.shape)
        corner = [b - first for b, first in zip(begin, roi.begin, strict=True)]
        squares = _squares(boxes, index, begin, end)
        _claim(nearest, owner, index, *_three(corner, 0), *_three(squares, np.zeros(1)), where)
    return owner.reshape(roi.shape)


def own_voxels(boxes: Boxes, index: int, *, labelled: Labelled | None = None) -> NDArray[np.bool_]:
    """Which voxels of a block belong to it (z, y, x); labelled: see `owners`."""
    candidates, roi = [index, *boxes.neighbours(index)], boxes.roi(index)
    is_own = np.empty(roi.shape, np.bool_)
    for slab in _slabs(roi):
        is_own[(slab - roi.begin).to_slices()] = (
            owners(boxes, candidates, slab, labelled=labelled) == index
        )
    return is_own


def count_own(
    labels: NDArray[Any], is_own: NDArray[np.bool_]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Ids of a block in ascending order, without 0, and how many voxels of each belong to it;
    is_own: see `own_voxels`."""
    pairs = count_pairs(labels, is_own.view(np.uint8))
    is_label = pairs.first > 0
    names, number = np.unique(pairs.first[is_label], return_inverse=True)
    own = (pairs.counts * (pairs.second > 0))[is_label].astype(np.uint64)
    return names, sums(number, own, len(names))


def _slabs(roi: Roi) -> Iterator[Roi]:
    """Parts of `roi`, one after another along its first axis."""
    thickness = max(1, _SLAB * roi.shape[0] // roi.size)
    for begin in range(roi.begin[0], roi.end[0], thickness):
        shape = (min(thickness, roi.end[0] - begin), *roi.shape[1:])
        yield Roi((begin, *roi.begin[1:]), shape)


def _squares(
    boxes: Boxes, index: int, begin: Sequence[int], end: Sequence[int]
) -> list[NDArray[np.float64]]:
    """Along each axis of a part of a block the squares of the distances from the block's middle."""
    squares = []
    for axis in range(len(begin)):
        first, last = int(boxes.begins[index, axis]), int(boxes.ends[index, axis])
        # whole numbers up to the division, so that equal distances are equal
        twice = 2 * np.arange(begin[axis], end[axis]) + 1 - (first + last)
        squares.append((twice / (last - first)) ** 2)
    return squares


def _three(values: Sequence[Any], missing: Any) -> list[Any]:
    """One for each of three axes; sections have none for z."""
    return [missing] * (3 - len(values)) + list(values)


@numba.njit(cache=True, nogil=True)
def _claim(nearest, owner, index, z0, y0, x0, z, y, x, where):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Gives a block the voxels from (z0, y0, x0) on that it is nearest to so far.

    z, y, x: squares of distances from its middle; where: it has labels, of no voxels: everywhere
    """
    for i in range(len(z)):
        for j in range(len(y)):
            for k in range(len(x)):
                if where.size and not where[i, j, k]:
                    continue
                distance = z[i] + y[j] + x[k]
                if distance < nearest[z0 + i, y0 + j, x0 + k]:
                    nearest[z0 + i, y0 + j, x0 + k] = distance
                    owner[z0 + i, y0 + j, x0 + k] = index
