"""Gaussian moments of objects, tile by tile, as sums along x, then y, then z.

Ten moments of an object's mask about each of its cells make the descriptors.  Gaussian weights g
are separable, so that g, t g and t^2 g along each axis give them all in 19 passes, with t counted
from the cell, so that nothing large cancels.  Along x the mask consists of runs, and a pass is a
difference of two cumulated weights for each run.  Along y and z a pass is a weighted sum of rows,
from the first to the last that holds the object.

Everything is float64: thin objects, seen from beside, have a variance that float32 does not
resolve.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lsd.targets.channels import Scale, describe, scatter
from lsd.targets.rows import Workspace, clear, index_rows, jit, widen, workspace
from lsd.targets.tiles import WIDEST, Tiles, largest
from lsd.targets.windows import Weights, gaussian, moments

Array = npt.NDArray[Any]

# what is summed along y with weights g, t g, t^2 g, in rows of w: where to, how many rows, moment
# of the weights
PASSES_Y = ((0, 3, 0), (3, 2, 1), (5, 1, 2))
# the same along z, and where from
PASSES_Z = ((0, 6, 0, 0), (6, 2, 1, 0), (8, 1, 1, 3), (9, 1, 2, 0))


def blur(
    tiles: Tiles, runs: npt.NDArray[np.int32], scale: Scale, out: npt.NDArray[np.float32]
) -> None:
    """Writes the descriptors of the tiles' objects to `out` (c, z, y, x), with a Gaussian
    window."""
    z, y, x = (
        moments(gaussian(sigma / cell)) for sigma, cell in zip(scale.sigma, scale.cell, strict=True)
    )
    depth, height, width = largest(tiles)
    rows = np.empty((height + y.shape[1]) * 3 * width)
    plane, extent = np.empty(height * depth * 6 * width), np.empty((height, 2), np.int64)
    near, work = np.empty((depth, height), np.bool_), workspace(tiles, scale.factor)
    _tiles(
        tiles,
        runs,
        scale,
        _cumulated(x),
        y,
        z,
        near,
        rows,
        plane,
        extent,
        work,
        out.reshape(-1),
        out.shape[1:],
    )


def _cumulated(weights: Weights) -> Weights:
    """Cumulated weights (3 * (2 middle + 1),): at [middle + x - edge] of each third is the weight
    below `edge`, seen from x."""
    reach = weights.shape[1] // 2
    middle = WIDEST + reach
    number = np.clip(middle - np.arange(2 * middle + 1) + reach, 0, weights.shape[1])
    sums = np.concatenate([np.zeros((3, 1)), np.cumsum(weights, axis=1)], axis=1)
    return np.asarray(sums[:, number]).reshape(-1)


@jit
def _tiles(
    tiles: Array,
    runs: Array,
    scale: Scale,
    table: Array,
    along_y: Array,
    along_z: Array,
    near: Array,
    rows: Array,
    plane: Array,
    extent: Array,
    work: Workspace,
    out: Array,
    shape: tuple[int, int, int],
) -> None:
    for whole in tiles:
        w, tile = index_rows(whole, runs, scale.factor, work), work.tile
        if w > 0:
            widen(work.needed, tile[3] - tile[2], tile[5] - tile[4], along_z.shape[1] // 2, near)
            _along_x_and_y(tile, w, runs, scale.factor, table, along_y, near, rows, plane, extent)
            for y in range(tile[4], tile[5]):
                for z in range(tile[2], tile[3]):
                    if work.needed[z - tile[2], y - tile[4]]:
                        _along_z(tile, w, z, y, along_z, plane, extent, work.row)
                        describe(work.row, w, scale, (z, y, tile[6]), work.block, work.line)
                        scatter(work.line, tile, w, runs, work.first, scale, (z, y), out, shape)


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
    extent: Array,
) -> None:
    """Fills plane (y, z, 6, w) with the moments 1, x, xx, y, yx, yy within each section.

    extent (y, 2): the first z that holds any, and the end; what is between and `near` no cell is
    left as it was.
    """
    run, end, z0, z1, y0, y1 = tile[0], tile[1], tile[2], tile[3], tile[4], tile[5]
    depth, reach = z1 - z0, weights.shape[1] // 2
    for y in range(y1 - y0):
        extent[y, 0] = -1
    for z in range(z0, z1):
        while run < end and runs[run, 0] < z * factor[0]:
            run += 1
        run, bottom, top = _along_x(tile, w, runs, run, z * factor[0], factor, table, reach, rows)
        for y in range(y0, y1):
            low, high = max(bottom, y - reach), min(top, y + reach + 1)
            if low < high and near[z - z0, y - y0]:
                at, start, tap = (
                    ((y - y0) * depth + z - z0) * 6 * w,
                    (low - y0 + reach) * 3 * w,
                    low - y + reach,
                )
                if extent[y - y0, 0] < 0:
                    extent[y - y0, 0] = z
                else:
                    clear(plane, ((y - y0) * depth + extent[y - y0, 1] - z0) * 6 * w, at)
                extent[y - y0, 1] = z + 1
                for place, length, moment in PASSES_Y:
                    _sum(
                        plane,
                        at + place * w,
                        length * w,
                        rows,
                        start,
                        3 * w,
                        weights,
                        moment,
                        tap,
                        high - low,
                    )


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
) -> tuple[int, int, int]:
    """Fills rows (y, 3, w) with the moments 1, x, xx within each row of a section, whose runs begin
    at `run`.

    rows begins `reach_y` before the tile.  Samples are the first voxels of cells.  Returns the
    first run after the section, the first y that holds a sample, and the end.
    """
    end, y0, y1, x0 = tile[1], tile[4], tile[5], tile[6]
    fx, middle = factor[2], len(table) // 6
    reach = middle - WIDEST
    bottom, top = 0, 0
    while run < end and runs[run, 0] == section:
        y = runs[run, 1] // factor[1]
        if runs[run, 1] % factor[1] == 0 and y0 - reach_y <= y < y1 + reach_y:
            begin = max(-(-runs[run, 2] // fx) - x0, -reach)
            stop = min(-(-runs[run, 3] // fx) - x0, w + reach)
            if begin < stop:
                if bottom == top:
                    bottom, top = y, y
                at = (y - y0 + reach_y) * 3 * w
                if y >= top:
                    clear(rows, (top - y0 + reach_y) * 3 * w, at + 3 * w)
                    top = y + 1
                for moment in range(3):
                    _add_run(
                        rows,
                        at + moment * w,
                        w,
                        table,
                        moment * (2 * middle + 1) + middle,
                        begin,
                        stop,
                    )
        run += 1
    return run, bottom, top


@jit
def _add_run(
    rows: Array, at: int, w: int, table: Array, middle: int, begin: int, stop: int
) -> None:
    a, b, c = np.uintp(at), np.uintp(middle - stop), np.uintp(middle - begin)
    for x in range(np.uintp(w)):
        rows[a + x] += table[b + x] - table[c + x]


@jit
def _along_z(
    tile: Array, w: int, z: int, y: int, weights: Array, plane: Array, extent: Array, row: Array
) -> None:
    """Fills row (10, w) with the moments 1, x, xx, y, yx, yy, z, zx, zy, zz of the cells at z,
    y."""
    z0, z1, y0 = tile[2], tile[3], tile[4]
    reach = weights.shape[1] // 2
    low, high = max(extent[y - y0, 0], z - reach), min(extent[y - y0, 1], z + reach + 1)
    count = high - low if extent[y - y0, 0] >= 0 else 0
    start, tap = ((y - y0) * (z1 - z0) + low - z0) * 6 * w, low - z + reach
    for place, length, moment, origin in PASSES_Z:
        _sum(
            row,
            place * w,
            length * w,
            plane,
            start + origin * w,
            6 * w,
            weights,
            moment,
            tap,
            count,
        )


@jit
def _sum(
    out: Array,
    begin: int,
    length: int,
    source: Array,
    start: int,
    step: int,
    weights: Array,
    moment: int,
    tap: int,
    count: int,
) -> None:
    """out[begin + x] = sum over k < count of weights[moment, tap + k] * source[start + k * step +
    x], for x < length."""
    # unsigned: a signed index may be negative, which keeps loops from being vectorised
    at, size, s0, one = np.uintp(begin), np.uintp(length), np.uintp(start), np.uintp(step)
    for x in range(size):
        out[at + x] = 0.0
    k = 0
    while count - k >= 8:
        s1, s2, s3 = s0 + one, s0 + np.uintp(2) * one, s0 + np.uintp(3) * one
        s4, s5, s6, s7 = (
            s0 + np.uintp(4) * one,
            s1 + np.uintp(4) * one,
            s2 + np.uintp(4) * one,
            s3 + np.uintp(4) * one,
        )
        i = tap + k
        w0, w1, w2, w3 = (
            weights[moment, i],
            weights[moment, i + 1],
            weights[moment, i + 2],
            weights[moment, i + 3],
        )
        w4, w5, w6, w7 = (
            weights[moment, i + 4],
            weights[moment, i + 5],
            weights[moment, i + 6],
            weights[moment, i + 7],
        )
        for x in range(size):
            total = (
                w0 * source[s0 + x]
                + w1 * source[s1 + x]
                + w2 * source[s2 + x]
                + w3 * source[s3 + x]
            )
            total += (
                w4 * source[s4 + x]
                + w5 * source[s5 + x]
                + w6 * source[s6 + x]
                + w7 * source[s7 + x]
            )
            out[at + x] += total
        s0 += np.uintp(8) * one
        k += 8
    while count - k >= 2:
        w0, w1, s1 = weights[moment, tap + k], weights[moment, tap + k + 1], s0 + one
        for x in range(size):
            out[at + x] += w0 * source[s0 + x] + w1 * source[s1 + x]
        s0 += np.uintp(2) * one
        k += 2
    if k < count:
        w0 = weights[moment, tap + k]
        for x in range(size):
            out[at + x] += w0 * source[s0 + x]
