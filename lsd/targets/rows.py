"""What the kernels share: sums of rows, and which rows of a tile hold its object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from lsd.targets.tiles import FIELDS, LANES, Tiles, largest

Array = npt.NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compiles at the first call, and keeps the result on disk; runs without the interpreter's
    lock."""
    # contract: a * b + c in one instruction
    return cast(
        Function,
        numba.njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")(function),
    )


# of 1, x, xx, y, yx, yy, z, zx, zy, zz, in the order in which the passes make them
MOMENTS = 10
# taps that a sum takes in one go over its rows
GROUP = 8


@jit
def clear(array: Array, begin: int, end: int) -> None:
    """array[begin:end] = 0."""
    for i in range(np.uintp(begin), np.uintp(end)):
        array[i] = 0.0


@jit
def weighted_sum(
    out: Array, begin: int, length: int, source: Array, starts: Array, weights: Array, count: int
) -> None:
    """out[begin:begin + length] = sum over k < count of weights[k] * source[starts[k]:starts[k] +
    length].

    starts and weights hold a multiple of GROUP entries and are filled up here.
    """
    while count % GROUP:
        starts[count], weights[count] = starts[count - 1], 0.0
        count += 1
    # unsigned: a signed index may be negative, which keeps the loop from being vectorised
    at, size = np.uintp(begin), np.uintp(length)
    for x in range(size):
        out[at + x] = 0.0
    for k in range(0, count, GROUP):
        s0, s1, s2, s3 = starts[k], starts[k + 1], starts[k + 2], starts[k + 3]
        s4, s5, s6, s7 = starts[k + 4], starts[k + 5], starts[k + 6], starts[k + 7]
        w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        w4, w5, w6, w7 = weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7]
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


class Workspace(NamedTuple):
    """What a tile is worked on with, of the size of the largest.

    Inner kernels take its arrays one by one: out of a tuple the compiler cannot tell that they are
    apart.

    tile:   (8,) the tile, only as wide in x as its object is there
    first:  (voxels in z, voxels in y) first run of each row that reaches into the tile, or -1
    needed: (cells in z, cells in y) True where a row of cells holds a voxel of the object
    row:    moments of a row of cells;  block: of LANES cells;  line: channels of a row of voxels
    """

    tile: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    needed: npt.NDArray[np.bool_]
    row: npt.NDArray[np.float64]
    block: npt.NDArray[np.float64]
    line: npt.NDArray[np.float32]


def workspace(tiles: Tiles, factor: tuple[int, int, int]) -> Workspace:
    """Made here and not in the kernels, which compile the faster for it."""
    depth, height, width = largest(tiles)
    return Workspace(
        np.empty(len(FIELDS), np.int64),
        np.empty((depth * factor[0], height * factor[1]), np.int64),
        np.empty((depth, height), np.bool_),
        np.empty(MOMENTS * width),
        np.empty(MOMENTS * LANES),
        np.empty(MOMENTS * width * factor[2], np.float32),
    )


@jit
def index_rows(whole: Array, runs: Array, factor: tuple[int, int, int], work: Workspace) -> int:
    """Fills the workspace's tile, first and needed for a tile; returns its width in whole LANES, or
    0 if it is empty."""
    z0, y0, x0, x1 = whole[2], whole[4], whole[6], whole[7]
    depth, height = whole[3] - z0, whole[5] - y0
    for z in range(depth * factor[0]):
        for y in range(height * factor[1]):
            work.first[z, y] = -1
            work.needed[z // factor[0], y // factor[1]] = False
    begin, end = x1, x0
    for i in range(whole[0], whole[1]):
        z, y = runs[i, 0] - z0 * factor[0], runs[i, 1] - y0 * factor[1]
        if (
            0 <= y < height * factor[1]
            and runs[i, 3] > x0 * factor[2]
            and runs[i, 2] < x1 * factor[2]
        ):
            if work.first[z, y] < 0:
                work.first[z, y] = i
            work.needed[z // factor[0], y // factor[1]] = True
            begin, end = (
                min(begin, runs[i, 2] // factor[2]),
                max(end, (runs[i, 3] - 1) // factor[2] + 1),
            )
    for field in range(len(whole)):
        work.tile[field] = whole[field]
    work.tile[6], work.tile[7] = max(begin, x0), min(end, x1)
    return int(max(0, -(-(work.tile[7] - work.tile[6]) // LANES) * LANES))


@jit
def widen(needed: Array, depth: int, width: int, reach: int, near: Array) -> None:
    """near[z, y] becomes True where needed[z', y] is, for a z' at most `reach` away."""
    for y in range(width):
        last = -reach - 1
        for z in range(depth):
            last = z if needed[z, y] else last
            near[z, y] = z - last <= reach
        last = depth + reach
        for z in range(depth - 1, -1, -1):
            last = z if needed[z, y] else last
            near[z, y] |= last - z <= reach
