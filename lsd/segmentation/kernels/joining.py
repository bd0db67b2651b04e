"""Which pieces are one object, and what becomes of those that are not inside: decided on whole
objects, whatever the blocks that the pieces are of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.sums import sums
from lsd.arrays.union_find import joined
from lsd.spec import Objects

# a piece: its voxels and its first one in the volume, the threshold that it is of (by its place in
# the list of them), whether it is inside, and whether it is open (see `kernels.pieces`)
PIECE = np.dtype(
    [("voxels", "<u8"), ("first", "<u8"), ("threshold", "<u2"), ("inside", "?"), ("open", "?")]
)


def object_of_each(
    pieces: NDArray[np.void], pairs: NDArray[np.int64], same: NDArray[np.bool_], settings: Objects
) -> NDArray[np.uint64]:
    """The object of each piece (n,), 0 where it is none; objects of each threshold are numbered
    1 .. in the order of their first voxels.

    pieces: rows of PIECE; pairs: (m, 2) of them, by place, which are the `same` but for a face of
            a block, or touch by a face
    """
    roots = joined(len(pieces), pairs[same])
    voxels = sums(roots, pieces["voxels"], len(pieces))
    kept = pieces["inside"][roots] & (voxels[roots] >= settings.min_size)
    number = np.zeros(len(pieces) + 1, np.uint64)
    objects = np.flatnonzero(kept & (roots == np.arange(len(pieces))))
    first = np.full(len(pieces), np.iinfo(np.uint64).max)
    np.minimum.at(first, roots, pieces["first"])
    number[objects] = _numbers(pieces["threshold"][objects], first[objects])
    owner = np.where(kept, roots, len(pieces))
    if settings.fill_holes:
        owner = _filled(owner, pairs, pieces["open"])
    return number[owner]


def _numbers(thresholds: NDArray[np.uint16], first: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """1 .. for those of each threshold, in the order of their first voxels."""
    order = np.lexsort((first, thresholds))
    begins = np.searchsorted(thresholds[order], np.arange(int(thresholds.max(initial=0)) + 1))
    numbers = np.empty(len(order), np.uint64)
    numbers[order] = np.arange(1, len(order) + 1) - begins[thresholds[order]]
    return numbers


def _filled(
    owner: NDArray[np.int64], pairs: NDArray[np.int64], is_open: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """`owner` of each piece, len(owner) where it has none, with those of the pieces that a single
    one closes in."""
    count = len(owner)
    free = owner == count
    both_free = free[pairs].all(axis=1)
    regions = joined(count, pairs[both_free])
    walls = pairs[free[pairs[:, 0]] != free[pairs[:, 1]]]
    free_first = free[walls[:, 0]]
    region = regions[np.where(free_first, walls[:, 0], walls[:, 1])]
    beside = owner[np.where(free_first, walls[:, 1], walls[:, 0])]
    lowest, highest = np.full(count, count), np.full(count, -1)
    np.minimum.at(lowest, region, beside)
    np.maximum.at(highest, region, beside)
    reaches_out = np.zeros(count, np.bool_)
    np.logical_or.at(reaches_out, regions, is_open)
    closed_in = (lowest == highest) & ~reaches_out
    return np.where(free & closed_in[regions], lowest[regions], owner)
