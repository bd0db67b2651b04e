"""Which block a voxel that several blocks hold belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.pairs import count_pairs
from lsd.arrays.sums import sums
from lsd.segmentation.stitching.boxes import Boxes

NOBODY = -1
# of a block, where in part of its box it has a label: of partial blocks, see `owners`
Labelled = Callable[[int, Roi], NDArray[np.bool_]]
# voxels whose distances are in memory at once, 24 bytes each
_SLAB = 2**22


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
    nearest = np.full(roi.shape, np.inf)
    owner = np.full(roi.shape, NOBODY, np.int64)
    for index in sorted(candidates):
        inside = boxes.roi(index).intersect(roi)
        if inside.empty:
            continue
        place = (inside - roi.begin).to_slices()
        distance = _from_middle(boxes, index, inside)
        if labelled is not None:
            distance = np.where(labelled(index, inside), distance, np.inf)
        is_nearer = distance < nearest[place]
        nearest[place][is_nearer] = distance[is_nearer]
        owner[place][is_nearer] = index
    return owner


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


def _from_middle(boxes: Boxes, index: int, roi: Roi) -> NDArray[np.float64]:
    """How far each voxel of `roi` lies from the middle of a block."""
    total = np.zeros((1,) * roi.dims)
    for axis in range(roi.dims):
        begin, end = int(boxes.begins[index, axis]), int(boxes.ends[index, axis])
        # whole numbers up to the division, so that equal distances are equal
        twice = 2 * np.arange(roi.begin[axis], roi.end[axis]) + 1 - (begin + end)
        shape = [-1 if a == axis else 1 for a in range(roi.dims)]
        total = total + ((twice / (end - begin)) ** 2).reshape(shape)
    return total
