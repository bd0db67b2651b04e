"""From the moments of a row of cells to the descriptors of its voxels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lsd.targets.rows import MOMENTS, jit
from lsd.targets.tiles import LANES

Array = npt.NDArray[Any]

# nm^2: the least variance, by which Pearson's coefficients are divided safely
FLOOR = 1e-3


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
def describe(
    row: Array, w: int, scale: Scale, place: tuple[int, int, int], block: Array, line: Array
) -> None:
    """Fills line (10 * voxels in x,) with the channels of the w cells whose moments lie in row (10
    * w,).

    place: the first cell, z y x;  block: float64 (10 * LANES,) to work in.
    """
    repeat = np.uintp(scale.factor[2])
    for begin in range(np.uintp(0), np.uintp(w), np.uintp(LANES)):
        for k in range(np.uintp(MOMENTS)):
            for x in range(np.uintp(LANES)):
                block[k * np.uintp(LANES) + x] = row[k * np.uintp(w) + begin + x]
        _normalise(block, scale, (place[0], place[1], place[2] + begin))
        for k in range(np.uintp(MOMENTS)):
            at = k * np.uintp(w) + begin
            if repeat == 1:
                for x in range(np.uintp(LANES)):
                    line[at + x] = block[k * np.uintp(LANES) + x]
            else:
                for x in range(np.uintp(LANES)):
                    for i in range(repeat):
                        line[(at + x) * repeat + i] = block[k * np.uintp(LANES) + x]


@jit
def _normalise(block: Array, scale: Scale, place: tuple[int, int, int]) -> None:
    """Turns ten moments, in cells about each cell, into the ten channels, in place."""
    cz, cy, cx = scale.cell
    # constant strides, and LANES of them: this loop is a handful of vector instructions
    for x in range(LANES):
        count = block[x] if block[x] != 0.0 else 1.0
        mx, my, mz = (
            block[LANES + x] / count * cx,
            block[3 * LANES + x] / count * cy,
            block[6 * LANES + x] / count * cz,
        )
        xx = max(block[2 * LANES + x] / count * cx * cx - mx * mx, FLOOR)
        yy = max(block[5 * LANES + x] / count * cy * cy - my * my, FLOOR)
        zz = max(block[9 * LANES + x] / count * cz * cz - mz * mz, FLOOR)
        yx = (block[4 * LANES + x] / count * cy * cx - my * mx) / np.sqrt(yy * xx)
        zx = (block[7 * LANES + x] / count * cz * cx - mz * mx) / np.sqrt(zz * xx)
        zy = (block[8 * LANES + x] / count * cz * cy - mz * my) / np.sqrt(zz * yy)
        # by the definition an object that the window misses has its mean at the origin
        missed = block[x] == 0.0
        mz = -place[0] * cz if missed else mz
        my = -place[1] * cy if missed else my
        mx = -(place[2] + x) * cx if missed else mx
        block[x] = _clip(mz / scale.reach[0] * 0.5 + 0.5)
        block[LANES + x] = _clip(my / scale.reach[1] * 0.5 + 0.5)
        block[2 * LANES + x] = _clip(mx / scale.reach[2] * 0.5 + 0.5)
        block[3 * LANES + x] = _clip(zz / scale.sigma[0] ** 2)
        block[4 * LANES + x] = _clip(yy / scale.sigma[1] ** 2)
        block[5 * LANES + x] = _clip(xx / scale.sigma[2] ** 2)
        block[6 * LANES + x] = _clip(zy * 0.5 + 0.5)
        block[7 * LANES + x] = _clip(zx * 0.5 + 0.5)
        block[8 * LANES + x] = _clip(yx * 0.5 + 0.5)
        block[9 * LANES + x] = _clip(count)


@jit
def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)


@jit
def scatter(
    line: Array,
    tile: Array,
    w: int,
    runs: Array,
    first: Array,
    scale: Scale,
    cell: tuple[int, int],
    out: Array,
    shape: tuple[int, int, int],
) -> None:
    """Copies the channels of a row of cells (z, y) to those voxels of it that belong to the tile's
    object.

    out: (c, z, y, x) of `shape` z y x, flat as all arrays here: slices are counted references,
         dearer than a short copy.
    """
    stop, z0, y0, x0, x1 = tile[1], tile[2], tile[4], tile[6], tile[7]
    fz, fy, fx = scale.factor
    for z in range(cell[0] * fz, (cell[0] + 1) * fz):
        for y in range(cell[1] * fy, (cell[1] + 1) * fy):
            i = first[z - z0 * fz, y - y0 * fy]
            while 0 <= i < stop and runs[i, 0] == z and runs[i, 1] == y:
                begin, end = max(runs[i, 2], x0 * fx), min(runs[i, 3], x1 * fx)
                for channel in range(MOMENTS):
                    if scale.slots[channel] >= 0:
                        place = ((scale.slots[channel] * shape[0] + z) * shape[1] + y) * shape[
                            2
                        ] + begin
                        _copy(line, (channel * w - x0) * fx + begin, out, place, end - begin)
                i += 1


@jit
def _copy(source: Array, start: int, target: Array, begin: int, length: int) -> None:
    # unsigned: a signed index may be negative, which keeps loops from being vectorised
    read, write = np.uintp(start), np.uintp(begin)
    for x in range(np.uintp(length)):
        target[write + x] = source[read + x]
