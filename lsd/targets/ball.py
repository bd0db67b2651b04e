"""Moments of objects within a ball, tile by tile.

A ball is no product of one-dimensional weights, but each of its rows along x is an interval: sums
of 1, x and x^2 over an object's voxels in it are differences of prefix sums.  All are whole numbers
below 2^53, so float64 holds them exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lsd.targets import windows
from lsd.targets.channels import Scale, describe, scatter
from lsd.targets.rows import (
    GROUP,
    MOMENTS,
    Workspace,
    clear,
    index_rows,
    jit,
    weighted_sum,
    workspace,
)
from lsd.targets.tiles import Tiles, largest

Array = npt.NDArray[Any]


def probe(
    tiles: Tiles, runs: npt.NDArray[np.int32], scale: Scale, out: npt.NDArray[np.float32]
) -> None:
    """Writes the descriptors of the tiles' objects to `out` (c, z, y, x), with a ball as window."""
    inside = windows.ball(
        [sigma / cell for sigma, cell in zip(scale.sigma, scale.cell, strict=True)]
    )
    # voxels to either side in the row at (dz, dy) of the ball; -1: none
    halves = (inside.sum(-1) - 1) // 2
    halves[inside.sum(-1) == 0] = -1
    depth, height, width = largest(tiles)
    reach, rows = inside.shape[2] // 2, height + inside.shape[1] - 1
    sums, filled = (
        np.empty(depth * rows * 3 * (width + 2 * reach + 1)),
        np.empty((depth, rows), np.bool_),
    )
    starts, taps = (
        np.empty((3, 2 * halves.size + GROUP), np.uintp),
        np.empty((6, 2 * halves.size + GROUP)),
    )
    work, unit = workspace(tiles, scale.factor), 1.0 / inside.sum()
    flat, shape = out.reshape(-1), out.shape[1:]
    _tiles(
        tiles,
        runs,
        scale,
        halves.astype(np.int64),
        reach,
        unit,
        sums,
        filled,
        starts,
        taps,
        work,
        flat,
        shape,
    )


@jit
def _tiles(
    tiles: Array,
    runs: Array,
    scale: Scale,
    halves: Array,
    reach: int,
    unit: float,
    sums: Array,
    filled: Array,
    starts: Array,
    taps: Array,
    work: Workspace,
    out: Array,
    shape: tuple[int, int, int],
) -> None:
    for whole in tiles:
        w, tile = index_rows(whole, runs, scale.factor, work), work.tile
        if w > 0:
            _prefix_sums(tile, w, runs, scale.factor, reach, halves.shape[1] // 2, sums, filled)
            for z in range(tile[2], tile[3]):
                for y in range(tile[4], tile[5]):
                    if work.needed[z - tile[2], y - tile[4]]:
                        _gather(tile, w, z, y, halves, reach, sums, filled, starts, taps, work.row)
                        _centre(work.row, w, reach, unit)
                        describe(work.row, w, scale, (z, y, tile[6]), work.block, work.line)
                        scatter(work.line, tile, w, runs, work.first, scale, (z, y), out, shape)


@jit
def _prefix_sums(
    tile: Array,
    w: int,
    runs: Array,
    factor: tuple[int, int, int],
    reach_x: int,
    reach_y: int,
    sums: Array,
    filled: Array,
) -> None:
    """Fills sums (z, y, 3, w + 2 reach + 1) with what lies below each x of 1, u, u^2; u counts from
    the row's begin.

    y runs over the tile and `reach_y` rows on either side of it; filled (z, y): where there are
    samples at all.
    """
    z0, z1, y0, y1, x0 = tile[2], tile[3], tile[4], tile[5], tile[6]
    length, height = w + 2 * reach_x + 1, y1 - y0 + 2 * reach_y
    for z in range(z1 - z0):
        for y in range(height):
            filled[z, y] = False
    for i in range(tile[0], tile[1]):
        if runs[i, 0] % factor[0] == 0 and runs[i, 1] % factor[1] == 0:
            z, y = runs[i, 0] // factor[0] - z0, runs[i, 1] // factor[1] - y0 + reach_y
            start = max(-(-runs[i, 2] // factor[2]) - x0 + reach_x, 0)
            stop = min(-(-runs[i, 3] // factor[2]) - x0 + reach_x, length - 1)
            if 0 <= y < height and start < stop:
                at = (z * height + y) * 3 * length
                if not filled[z, y]:
                    clear(sums, at, at + 3 * length)
                    filled[z, y] = True
                for u in range(start, stop):
                    sums[at + u + 1], sums[at + length + u + 1], sums[at + 2 * length + u + 1] = (
                        1.0,
                        u,
                        u * u,
                    )
    for z in range(z1 - z0):
        for y in range(height):
            if filled[z, y]:
                for k in range(3):
                    at = ((z * height + y) * 3 + k) * length
                    for u in range(at + 1, at + length):
                        sums[u] += sums[u - 1]


@jit
def _gather(
    tile: Array,
    w: int,
    z: int,
    y: int,
    halves: Array,
    reach_x: int,
    sums: Array,
    filled: Array,
    starts: Array,
    taps: Array,
    row: Array,
) -> None:
    """Fills row (10, w) with the moments about (z, y) of each cell there, along x still from the
    row's begin."""
    reach_z, reach_y = halves.shape[0] // 2, halves.shape[1] // 2
    length, height = w + 2 * reach_x + 1, tile[5] - tile[4] + 2 * reach_y
    count = 0
    for dz in range(max(-reach_z, tile[2] - z), min(reach_z + 1, tile[3] - z)):
        for dy in range(-reach_y, reach_y + 1):
            half, place = (
                halves[dz + reach_z, dy + reach_y],
                (z - tile[2] + dz, y - tile[4] + dy + reach_y),
            )
            if half >= 0 and filled[place]:
                begin = (place[0] * height + place[1]) * 3 * length + reach_x
                for start, sign in ((begin - half, -1.0), (begin + half + 1, 1.0)):
                    for k in range(3):
                        starts[k, count] = start + k * length
                    taps[0, count], taps[1, count], taps[2, count] = sign, sign * dy, sign * dz
                    taps[3, count], taps[4, count], taps[5, count] = (
                        sign * dy * dy,
                        sign * dz * dy,
                        sign * dz * dz,
                    )
                    count += 1
    # 1, x, xx, y, yx, yy, z, zx, zy, zz: which prefix sum, and which factor
    for k, (power, factor) in enumerate(
        ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 3), (0, 2), (1, 2), (0, 4), (0, 5)),
    ):
        weighted_sum(row, k * w, w, sums, starts[power], taps[factor], count)


@jit
def _centre(row: Array, w: int, reach_x: int, unit: float) -> None:
    """Moves the moments along x to each cell, and divides all by the ball's voxels."""
    for x in range(w):
        u = x + reach_x
        row[2 * w + x] += u * (u * row[x] - 2 * row[w + x])
        row[w + x] -= u * row[x]
        row[4 * w + x] -= u * row[3 * w + x]
        row[7 * w + x] -= u * row[6 * w + x]
    for x in range(MOMENTS * w):
        row[x] *= unit
