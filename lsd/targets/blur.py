"""Gaussian moments of objects, tile by tile, as sums along x, then y, then z.

Ten moments of an object's mask about each of its cells make the descriptors.  Gaussian weights g are separable, so that g, t g
and t^2 g along each axis give them all in 19 passes, with t counted from the cell, so that nothing large cancels.  Along
x the mask consists of runs, and a pass is a difference of two cumulated weights for each run.  Along y and z a pass
is a weighted sum of rows, of those rows only that hold the object.

Everything is float64: thin objects, seen from beside, have a variance that float32 does not resolve.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lsd.targets.channels import MOMENTS, Scale, describe, scatter
from lsd.targets.rows import GROUP, index_rows, jit, weighted_sum, widen
from lsd.targets.tiles import LANES, LARGEST, Tiles
from lsd.targets.windows import Weights, gaussian, moments

Array = npt.NDArray[Any]


def blur(tiles: Tiles, runs: npt.NDArray[np.int32], scale: Scale, out: npt.NDArray[np.float32]) -> None:
    """Writes the descriptors of the tiles' objects to `out` (c, z, y, x), with a Gaussian window."""
    z, y, x = (moments(gaussian(sigma / cell)) for sigma, cell in zip(scale.sigma, scale.cell, strict=True))
    _tiles(tiles, runs, scale, _cumulated(x), y, z, out)


def _cumulated(weights: Weights) -> Weights:
    """Cumulated weights (3, 2 middle + 1): table[:, middle + x - edge] is the weight of all below `edge`, seen from x."""
    reach = weights.shape[1] // 2
    middle = LARGEST + LANES + reach
    number = np.clip(middle - np.arange(2 * middle + 1) + reach, 0, weights.shape[1])
    sums = np.concatenate([np.zeros((3, 1)), np.cumsum(weights, axis=1)], axis=1)
    return np.ascontiguousarray(sums[:, number])


@jit
def _tiles(tiles: Array, runs: Array, scale: Scale, table: Array, along_y: Array, along_z: Array, out: Array) -> None:
    fz, fy, fx = scale.factor
    depth, height = (tiles[:, 3] - tiles[:, 2]).max(), (tiles[:, 5] - tiles[:, 4]).max()
    width = -(-(tiles[:, 7] - tiles[:, 6]).max() // LANES) * LANES
    first = np.empty(depth * fz * height * fy, np.int64)
    needed, near = np.empty((depth, height), np.bool_), np.empty((depth, height), np.bool_)
    filled = np.empty((height, depth), np.bool_)
    rows = np.empty((height + along_y.shape[1]) * 3 * width)
    plane = np.empty(height * depth * 6 * width)
    row, block = np.empty(MOMENTS * width), np.empty(MOMENTS * LANES)
    line = np.empty((MOMENTS, width * fx), np.float32)
    for tile in tiles:
        w = -(-(tile[7] - tile[6]) // LANES) * LANES
        index_rows(tile, runs, scale.factor, first, needed)
        widen(needed, tile[3] - tile[2], tile[5] - tile[4], along_z.shape[1] // 2, near)
        _along_x_and_y(tile, w, runs, scale.factor, table, along_y, near, rows, plane, filled)
        for y in range(tile[4], tile[5]):
            for z in range(tile[2], tile[3]):
                if needed[z - tile[2], y - tile[4]]:
                    _along_z(tile, w, z, y, along_z, plane, filled, row)
                    describe(row, w, scale, (z, y, tile[6]), block, line)
                    scatter(line, tile, runs, first, scale, (z, y), out)


@jit
def _along_x_and_y(
    tile: Array,
    w: int,
    runs: Array,
    factor: tuple[int, int, int],
    table: Array,
    weights: Array,
    near: Array,
    rows: Array,
    plane: Array,
    filled: Array,
) -> None:
    """Fills plane (y, z, 6, w) with the moments 1, x, y, yx, xx, yy within each section; filled (y, z): where there are any."""
    begin, end, z0, z1, y0, y1, _, _ = tile
    depth, reach = z1 - z0, weights.shape[1] // 2
    places = np.empty(y1 - y0 + 2 * reach, np.int64)
    starts, taps = np.empty(2 * reach + 1 + GROUP, np.uintp), np.empty((3, 2 * reach + 1 + GROUP))
    run = begin
    for z in range(z0, z1):
        while run < end and runs[run, 0] < z * factor[0]:
            run += 1
        run, number = _along_x(tile, w, runs, run, z * factor[0], factor, table, reach, rows, places)
        for y in range(y0, y1):
            count = 0
            if near[z - z0, y - y0]:
                for k in range(number):
                    if -reach <= places[k] - y <= reach:
                        starts[count] = k * 3 * w
                        for moment in range(3):
                            taps[moment, count] = weights[moment, places[k] - y + reach]
                        count += 1
            filled[y - y0, z - z0] = count > 0
            if count > 0:
                at = ((y - y0) * depth + z - z0) * 6 * w
                weighted_sum(plane, at, 2 * w, rows, starts, taps[0], count)
                weighted_sum(plane, at + 2 * w, 2 * w, rows, starts, taps[1], count)
                weighted_sum(plane, at + 5 * w, w, rows, starts, taps[2], count)
                for k in range(count + GROUP):
                    starts[k] += np.uintp(2 * w)
                weighted_sum(plane, at + 4 * w, w, rows, starts, taps[0], count)


@jit
def _along_x(
    tile: Array,
    w: int,
    runs: Array,
    run: int,
    section: int,
    factor: tuple[int, int, int],
    table: Array,
    reach_y: int,
    rows: Array,
    places: Array,
) -> tuple[int, int]:
    """Fills rows (n, 3, w) with the moments 1, x, xx within each row of a section, from `run` on; places: the rows' y.

    Samples are the first voxels of cells.  Returns the first run after the section, and n.
    """
    _, end, _, _, y0, y1, x0, _ = tile
    fx, middle = factor[2], table.shape[1] // 2
    reach = middle - LARGEST - LANES
    number = 0
    while run < end and runs[run, 0] == section:
        y = runs[run, 1] // factor[1]
        if runs[run, 1] % factor[1] == 0 and y0 - reach_y <= y < y1 + reach_y:
            begin = max(-(-runs[run, 2] // fx) - x0, -reach)
            stop = min(-(-runs[run, 3] // fx) - x0, w + reach)
            if begin < stop:
                if number == 0 or places[number - 1] != y:
                    rows[number * 3 * w : (number + 1) * 3 * w] = 0.0
                    places[number] = y
                    number += 1
                for moment in range(3):
                    _add_run(rows, ((number - 1) * 3 + moment) * w, w, table[moment], middle - begin, middle - stop)
        run += 1
    return run, number


@jit
def _add_run(rows: Array, at: int, w: int, table: Array, below: int, above: int) -> None:
    a, b, c = np.uintp(at), np.uintp(above), np.uintp(below)
    for x in range(np.uintp(w)):
        rows[a + x] += table[b + x] - table[c + x]


@jit
def _along_z(tile: Array, w: int, z: int, y: int, weights: Array, plane: Array, filled: Array, row: Array) -> None:
    """Fills row (10, w) with the moments of the cells at z, y."""
    z0, z1, y0 = tile[2], tile[3], tile[4]
    reach = weights.shape[1] // 2
    starts, taps = np.empty(2 * reach + 1 + GROUP, np.uintp), np.empty((3, 2 * reach + 1 + GROUP))
    count = 0
    for other in range(max(z0, z - reach), min(z1, z + reach + 1)):
        if filled[y - y0, other - z0]:
            starts[count] = ((y - y0) * (z1 - z0) + other - z0) * 6 * w
            for moment in range(3):
                taps[moment, count] = weights[moment, other - z + reach]
            count += 1
    weighted_sum(row, 0, 6 * w, plane, starts, taps[0], count)
    weighted_sum(row, 6 * w, 3 * w, plane, starts, taps[1], count)
    weighted_sum(row, 9 * w, w, plane, starts, taps[2], count)
