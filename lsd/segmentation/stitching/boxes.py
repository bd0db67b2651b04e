"""Where labelled blocks lie, which of them share voxels, and where two are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lsd.blockwise.on_disk.grid import Grid

# how much farther than exactly neighbours are looked for: numbers of the tree are floats
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Boxes:
    """Blocks in voxels of the world, int64 (n, dims): the first voxel of each, and the first beyond
    it.

    They stand in ascending order of their begins (then of their shapes), so that a block's number
    does not depend on the order in which blocks were named.
    """

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    @staticmethod
    def order(begins: NDArray[np.int64], shapes: NDArray[np.int64]) -> list[int]:
        """Which of some blocks stands where in the order of `Boxes`."""
        keys = np.concatenate([begins, shapes], axis=1)
        return [int(number) for number in np.lexsort(keys.T[::-1])]

    def __len__(self) -> int:
        return len(self.begins)

    def roi(self, index: int) -> Roi:
        """The voxels of a block."""
        begin = self.begins[index]
        return Roi([int(n) for n in begin], [int(n) for n in self.ends[index] - begin])

    @property
    def hull(self) -> Roi:
        """The box around all of them."""
        begin = self.begins.min(axis=0)
        return Roi([int(n) for n in begin], [int(n) for n in self.ends.max(axis=0) - begin])

    def twice(self) -> int | None:
        """The first block that lies where the next one lies; None: there is none."""
        alike = (np.diff(self.begins, axis=0) == 0) & (np.diff(self.ends, axis=0) == 0)
        places = np.flatnonzero(alike.all(axis=1))
        return int(places[0]) if len(places) else None

    def in_roi(self, roi: Roi) -> list[int]:
        """The blocks that hold a voxel of `roi`, in ascending order."""
        begin, end = np.array(roi.begin, np.int64), np.array(roi.end, np.int64)
        reach = float(((end - begin + self._largest) / (2 * self._largest)).max())
        near = self._tree.query_ball_point(
            (begin + end) / (2 * self._largest), reach + _ROUNDING, p=np.inf, return_sorted=True
        )
        numbers = np.array(near, np.int64)
        inside = (self.begins[numbers] < end) & (self.ends[numbers] > begin)
        return [int(number) for number in numbers[inside.all(axis=1)]]

    def neighbours(self, index: int, *, touching: bool = False) -> list[int]:
        """The other blocks that a block is compared with: those that share voxels with it, and,
        touching, those that begin where it ends along one axis and lie beside it along the
        others."""
        roi = self.roi(index)
        around = Coordinate((int(touching),) * roi.dims)
        near = [other for other in self.in_roi(roi.grow(around, around)) if other != index]
        if not touching:
            return near
        return [other for other in near if int(self._apart(index, other).sum()) <= 1]

    def pairs(self, *, touching: bool = False) -> NDArray[np.int64]:
        """All pairs i < j that are compared, in ascending order: (n, 2)."""
        near = self._tree.query_pairs(1 + _ROUNDING, p=np.inf, output_type="ndarray")
        one, other = near.T
        common = np.minimum(self.ends[one], self.ends[other]) - np.maximum(
            self.begins[one], self.begins[other]
        )
        kept = (common > 0).all(axis=1)
        if touching:
            kept = (common >= 0).all(axis=1) & ((common == 0).sum(axis=1) <= 1)
        pairs = near[kept].astype(np.int64)
        return np.asarray(pairs[np.lexsort(pairs.T[::-1])])

    def compared(self, i: int, j: int) -> tuple[Roi, Roi]:
        """What of each of two neighbours is compared, of one shape: what they share, or the planes
        at the face where they touch."""
        one, other = self.roi(i), self.roi(j)
        if not self._apart(i, j).any():
            both = one.intersect(other)
            return both, both
        axis = int(np.flatnonzero(self._apart(i, j))[0])
        step = Coordinate(int(a == axis) for a in range(one.dims))
        if one.end[axis] == other.begin[axis]:
            return one.intersect(other - step), (one + step).intersect(other)
        return one.intersect(other + step), (one - step).intersect(other)

    def _apart(self, i: int, j: int) -> NDArray[np.bool_]:
        """Along which axes two blocks that are near share nothing."""
        return np.asarray(
            np.minimum(self.ends[i], self.ends[j]) <= np.maximum(self.begins[i], self.begins[j])
        )

    @cached_property
    def _largest(self) -> NDArray[np.int64]:
        return np.asarray((self.ends - self.begins).max(axis=0))

    @cached_property
    def _tree(self) -> cKDTree:
        """Middles, in largest blocks: two blocks that share a voxel are less than one apart along
        each axis."""
        return cKDTree((self.begins + self.ends) / (2 * self._largest))


def boxes_of(grid: Grid, numbers: Sequence[int] | None = None) -> Boxes:
    """What each block of a grid reads, within its region; numbers: of the blocks, None: all."""
    first, shape = grid.block(0), np.array(grid.shape, np.int64)
    which = np.arange(len(grid)) if numbers is None else np.array(numbers, np.int64)
    places = np.stack(np.unravel_index(which, shape), axis=1)
    moved = places * np.array(grid.write_shape, np.int64)
    begins = np.maximum(np.array(first.read.begin, np.int64) + moved, np.array(grid.roi.begin))
    ends = np.minimum(np.array(first.read.end, np.int64) + moved, np.array(grid.roi.end))
    return Boxes(begins, ends)
