"""What the kernels share: sums of rows, and which rows of a tile hold its object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compiles at the first call, and keeps the result on disk; runs without the interpreter's lock."""
    # contract: a * b + c in one instruction
    return cast(Function, numba.njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")(function))


# taps that a sum takes in one go over its rows
GROUP = 8


@jit
def weighted_sum(out: Array, begin: int, length: int, source: Array, starts: Array, weights: Array, count: int) -> None:
    """out[begin:begin + length] = sum over k < count of weights[k] * source[starts[k]:starts[k] + length].

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
            total = w0 * source[s0 + x] + w1 * source[s1 + x] + w2 * source[s2 + x] + w3 * source[s3 + x]
            total += w4 * source[s4 + x] + w5 * source[s5 + x] + w6 * source[s6 + x] + w7 * source[s7 + x]
            out[at + x] += total


@jit
def index_rows(tile: Array, runs: Array, factor: tuple[int, int, int], first: Array, needed: Array) -> Array:
    """Finds the tile's rows of voxels and cells that hold its object; returns the tile, only as wide in x as the object there.

    first:  (voxels in z * voxels in y,) becomes the first run of each row that reaches into the tile, or -1
    needed: (cells in z, cells in y) becomes True where a row of cells holds a voxel of the object
    """
    _, _, z0, z1, y0, y1, x0, x1 = tile
    height = (y1 - y0) * factor[1]
    begin, end = x1, x0
    first[: (z1 - z0) * factor[0] * height] = -1
    needed[: z1 - z0, : y1 - y0] = False
    for i in range(tile[0], tile[1]):
        z, y = runs[i, 0] - z0 * factor[0], runs[i, 1] - y0 * factor[1]
        if 0 <= y < height and runs[i, 3] > x0 * factor[2] and runs[i, 2] < x1 * factor[2]:
            if first[z * height + y] < 0:
                first[z * height + y] = i
            needed[z // factor[0], y // factor[1]] = True
            begin, end = min(begin, runs[i, 2] // factor[2]), max(end, (runs[i, 3] - 1) // factor[2] + 1)
    narrow = tile.copy()
    narrow[6], narrow[7] = max(begin, x0), min(end, x1)
    return narrow


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
