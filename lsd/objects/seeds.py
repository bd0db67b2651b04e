"""Located objects in the voxels of a volume, and the blocks that they lie in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Grid, tile
from lsd.objects.located import Located
from lsd.segmentation.over_blocks.inputs import even
from lsd.spec import Seeds as Settings
from lsd.volumes.units import Remainder

# margins are rounded up to it, so that blocks have handy chunks
_STEP = 16
# room around the box of a located object, as a share of it on each side: boxes are coarse
_ROOM = 0.5
# of a voxel, which rounding may miss a face by
_HAIR = 1e-6


@dataclass(frozen=True)
class Seed:
    """A located object; voxel: of the world, that its point lies in; box: that it was located
    in."""

    id: int
    voxel: Coordinate
    box: Roi


@dataclass(frozen=True, eq=False)
class Seeds:
    """Located objects in voxels of the world, in ascending order of their ids.

    ids: (n,) uint64; voxels, begins, ends: (n, 3), of the points, and of the boxes
    """

    ids: NDArray[np.uint64]
    voxels: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(
        cls, located: Located, *, voxel_size: Sequence[float], remainder: Remainder, region: Roi
    ) -> Seeds:
        """Those whose point lies in a region of the grid of this voxel size (nm); remainder: see
        `Array.remainder`."""
        size, rest = np.array(voxel_size, np.float64), np.array([float(nm) for nm in remainder])
        voxels = np.floor((located.point - rest) / size).astype(np.int64)
        begins = np.floor((located.begin - rest) / size + _HAIR).astype(np.int64)
        ends = np.ceil((located.end - rest) / size - _HAIR).astype(np.int64)
        inside = (voxels >= np.array(region.begin)) & (voxels < np.array(region.end))
        rows = np.flatnonzero(inside.all(axis=1))
        rows = rows[np.argsort(located.id[rows], kind="stable")]
        # a box holds its point, also where voxels are larger than it
        begins, ends = np.minimum(begins, voxels), np.maximum(ends, voxels + 1)
        return cls(located.id[rows], voxels[rows], begins[rows], ends[rows])

    def __len__(self) -> int:
        """Number of them."""
        return len(self.ids)

    def in_roi(self, roi: Roi) -> list[Seed]:
        """Those whose point lies in a box."""
        inside = (self.voxels >= np.array(roi.begin)) & (self.voxels < np.array(roi.end))
        return [self._seed(row) for row in np.flatnonzero(inside.all(axis=1)).tolist()]

    def blocks(self, grid: Grid) -> NDArray[np.int64]:
        """Numbers of the blocks of a grid that have any, in ascending order."""
        place = (self.voxels - np.array(grid.roi.begin)) // np.array(grid.write_shape)
        return np.unique(np.ravel_multi_index(tuple(place.T), tuple(grid.shape)))

    def reach(self, grid: Grid) -> Coordinate:
        """Voxels around the blocks of a grid that their objects may reach into: so far as each has
        room around its box."""
        begin, shape = np.array(grid.roi.begin), np.array(grid.write_shape)
        low = begin + (self.voxels - begin) // shape * shape
        room = np.ceil(_ROOM * (self.ends - self.begins)).astype(np.int64)
        out = np.maximum(low - self.begins, self.ends - (low + shape)) + room
        most = out.max(axis=0, initial=0)
        return Coordinate(math.ceil(n / _STEP) * _STEP for n in most.tolist())

    def _seed(self, row: int) -> Seed:
        begin = self.begins[row]
        box = Roi(begin.tolist(), (self.ends[row] - begin).tolist())
        return Seed(int(self.ids[row]), Coordinate(self.voxels[row].tolist()), box)


def seeds_grid(seeds: Seeds, region: Roi, settings: Settings) -> Grid:
    """The blocks of a region, each with its margin; where one block is all there is along an axis,
    nothing is around it."""
    none, step = (0,) * region.dims, (1,) * region.dims
    shape = [
        even(n, most) for n, most in zip(region.shape, settings.block[-region.dims :], strict=True)
    ]
    alone = tile(region, shape, step=step, context=(none, none))
    margin = seeds.reach(alone) if settings.margin is None else settings.margin[-region.dims :]
    around = [n if count > 1 else 0 for n, count in zip(margin, alone.shape, strict=True)]
    return tile(region, shape, step=step, context=(around, around))
