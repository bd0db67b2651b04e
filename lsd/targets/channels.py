"""From the moments of a row of cells to the descriptors of its voxels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lsd.targets.rows import jit
from lsd.targets.tiles import LANES

Array = npt.NDArray[Any]

# nm^2: the least variance, by which Pearson's coefficients are divided safely
FLOOR = 1e-3
# of 1, x, y, yx, xx, yy, z, zx, zy, zz, in the order in which the passes make them
MOMENTS = 10


class Scale(NamedTuple):
    """How moments become channels; z y x each.

    factor: voxels in a cell along each axis
    cell:   its size, nm
    sigma:  nm
    reach:  nm, the mean offset that becomes 1
    slots:  for each of the ten channels of 3D its place in the output, or -1
    """

    factor: tuple[int, int, int]
    cell: tuple[float, float, float]
    sigma: tuple[float, float, float]
    reach: tuple[float, float, float]
    slots: tuple[int, ...]


@jit
def describe(row: Array, width: int, scale: Scale, place: tuple[int, int, int], block: Array, line: Array) -> None:
    """Writes to line (10, voxels in x) the channels of a row of cells whose moments lie in row (10 * width,).

    place: the row's first cell, z y x;  block: float64 (10 * LANES,) to work in.
    """
    repeat = scale.factor[2]
    for begin in range(0, width, LANES):
        for k in range(MOMENTS):
            for x in range(LANES):
                block[k * LANES + x] = row[k * width + begin + x]
        _normalise(block, scale, (place[0], place[1], place[2] + begin))
        for k in range(MOMENTS):
            for x in range(LANES):
                value = min(max(block[k * LANES + x], 0.0), 1.0)
                for i in range(repeat):
                    line[k, (begin + x) * repeat + i] = value


@jit
def _normalise(block: Array, scale: Scale, place: tuple[int, int, int]) -> None:
    """Turns ten moments, in cells about each cell, into the ten channels, in place."""
    cz, cy, cx = scale.cell
    # constant strides, and LANES of them: this loop is a handful of vector instructions
    for x in range(LANES):
        count = block[x] if block[x] != 0.0 else 1.0
        mx, my, mz = block[LANES + x] / count * cx, block[2 * LANES + x] / count * cy, block[6 * LANES + x] / count * cz
        xx = max(block[4 * LANES + x] / count * cx * cx - mx * mx, FLOOR)
        yy = max(block[5 * LANES + x] / count * cy * cy - my * my, FLOOR)
        zz = max(block[9 * LANES + x] / count * cz * cz - mz * mz, FLOOR)
        yx = (block[3 * LANES + x] / count * cy * cx - my * mx) / np.sqrt(yy * xx)
        zx = (block[7 * LANES + x] / count * cz * cx - mz * mx) / np.sqrt(zz * xx)
        zy = (block[8 * LANES + x] / count * cz * cy - mz * my) / np.sqrt(zz * yy)
        # by the definition an object that the window misses has its mean at the origin
        missed = block[x] == 0.0
        mz = -place[0] * cz if missed else mz
        my = -place[1] * cy if missed else my
        mx = -(place[2] + x) * cx if missed else mx
        block[x] = mz / scale.reach[0] * 0.5 + 0.5
        block[LANES + x] = my / scale.reach[1] * 0.5 + 0.5
        block[2 * LANES + x] = mx / scale.reach[2] * 0.5 + 0.5
        block[3 * LANES + x] = zz / scale.sigma[0] ** 2
        block[4 * LANES + x] = yy / scale.sigma[1] ** 2
        block[5 * LANES + x] = xx / scale.sigma[2] ** 2
        block[6 * LANES + x] = zy * 0.5 + 0.5
        block[7 * LANES + x] = zx * 0.5 + 0.5
        block[8 * LANES + x] = yx * 0.5 + 0.5
        block[9 * LANES + x] = count


@jit
def scatter(line: Array, tile: Array, runs: Array, first: Array, scale: Scale, cell: tuple[int, int], out: Array) -> None:
    """Copies the channels of a row of cells (z, y) to those voxels of it that belong to the tile's object."""
    _, _, z0, _, y0, y1, x0, x1 = tile
    fz, fy, fx = scale.factor
    for z in range(cell[0] * fz, (cell[0] + 1) * fz):
        for y in range(cell[1] * fy, (cell[1] + 1) * fy):
            i = first[(z - z0 * fz) * (y1 - y0) * fy + y - y0 * fy]
            while 0 <= i < tile[1] and runs[i, 0] == z and runs[i, 1] == y:
                begin, end = max(runs[i, 2], x0 * fx), min(runs[i, 3], x1 * fx)
                for channel in range(MOMENTS):
                    slot = scale.slots[channel]
                    if slot >= 0:
                        for x in range(begin, end):
                            out[slot, z, y, x] = line[channel, x - x0 * fx]
                i += 1
