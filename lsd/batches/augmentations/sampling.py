"""Reading an array at the points of a warp: raw by linear interpolation, labels at the nearest
voxel.

The warp is known on a coarse grid and interpolated row by row, so that no field as large as the
array is ever written.  Points beyond the array read its outermost voxel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.batches.compiled import compiled

Ints = tuple[int, int, int]
Tables = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


@compiled
def sample_linear(
    source: NDArray[Any],
    nodes: NDArray[np.float64],
    step: Ints,
    begin: Ints,
    shifts: Tables,
    out: NDArray[np.float32],
) -> None:
    """Fills `out` (z, y, x) with `source` (z, y, x), contiguous, interpolated linearly.

    nodes:  source coordinates (3, grid z, y, x) at every `step`-th output voxel, linear in between
    begin:  of `out`, in output voxels counted from the first node
    shifts: for each axis of the output the displacement (n, 3), in source voxels, of each of its n
            sections of `out`
    """
    row = np.empty((3, nodes.shape[3]))
    points = np.empty((3, out.shape[2]), np.float32)
    flat = source.reshape(-1)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            _grid_row(nodes, step, z + begin[0], y + begin[1], row)
            _points(row, step[2], begin[2], shifts[0][z] + shifts[1][y], shifts[2], points)
            _linear_row(flat, source.shape, points, out[z, y])


@compiled
def sample_nearest(
    source: NDArray[Any],
    nodes: NDArray[np.float64],
    step: Ints,
    begin: Ints,
    shifts: Tables,
    out: NDArray[Any],
) -> None:
    """Fills `out` with the voxels of `source` nearest to the points of the warp; see linear()."""
    row = np.empty((3, nodes.shape[3]))
    points = np.empty((3, out.shape[2]), np.float32)
    flat = source.reshape(-1)
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            _grid_row(nodes, step, z + begin[0], y + begin[1], row)
            _points(row, step[2], begin[2], shifts[0][z] + shifts[1][y], shifts[2], points)
            _nearest_row(flat, source.shape, points, out[z, y])


@compiled
def _grid_row(
    nodes: NDArray[np.float64], step: Ints, z: int, y: int, row: NDArray[np.float64]
) -> None:
    """The nodes along x at output row (z, y): `row` (3, grid x)."""
    z0, y0 = z // step[0], y // step[1]
    z1, y1 = min(z0 + 1, nodes.shape[1] - 1), min(y0 + 1, nodes.shape[2] - 1)
    tz, ty = z - z0 * step[0], y - y0 * step[1]
    for axis in range(3):
        for x in range(nodes.shape[3]):
            # difference / step first: steps of whole voxels then stay whole
            near, far = nodes[axis, z0, y0, x], nodes[axis, z1, y0, x]
            near += (nodes[axis, z0, y1, x] - near) / step[1] * ty
            far += (nodes[axis, z1, y1, x] - far) / step[1] * ty
            row[axis, x] = near + (far - near) / step[0] * tz


@compiled
def _points(
    row: NDArray[np.float64],
    step: int,
    begin: int,
    shift: NDArray[np.float32],
    shifts: NDArray[np.float32],
    points: NDArray[np.float32],
) -> None:
    """Source coordinates (3, n) of the n voxels of a row."""
    x, n = 0, points.shape[1]
    while x < n:
        left = (x + begin) // step
        right = min(left + 1, row.shape[1] - 1)
        stop = min(n, (left + 1) * step - begin)
        for axis in range(3):
            start = np.float32(row[axis, left] + shift[axis])
            slope = np.float32((row[axis, right] - row[axis, left]) / step)
            for i in range(x, stop):
                points[axis, i] = (
                    start + slope * np.float32(i + begin - left * step) + shifts[i, axis]
                )
        x = stop


@compiled
def _linear_row(
    flat: NDArray[Any], shape: Ints, points: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    low, one = np.float32(0), np.float32(1)
    last_z, last_y, last_x = (
        np.float32(shape[0] - 1),
        np.float32(shape[1] - 1),
        np.float32(shape[2] - 1),
    )
    cell_z, cell_y, cell_x = max(shape[0] - 2, 0), max(shape[1] - 2, 0), max(shape[2] - 2, 0)
    # an axis of one voxel has no neighbour
    to_z, to_y, to_x = (
        shape[1] * shape[2] * min(shape[0] - 1, 1),
        shape[2] * min(shape[1] - 1, 1),
        min(shape[2] - 1, 1),
    )
    for i in range(out.shape[0]):
        z = min(max(points[0, i], low), last_z)
        y = min(max(points[1, i], low), last_y)
        x = min(max(points[2, i], low), last_x)
        iz, iy, ix = min(int(z), cell_z), min(int(y), cell_y), min(int(x), cell_x)
        z, y, x = z - np.float32(iz), y - np.float32(iy), x - np.float32(ix)
        # near * (1 - t) + far * t is exact at both ends, near + (far - near) * t is not
        p, q, r = one - z, one - y, one - x
        at = (iz * shape[1] + iy) * shape[2] + ix
        a = np.float32(flat[at]) * r + np.float32(flat[at + to_x]) * x
        b = np.float32(flat[at + to_y]) * r + np.float32(flat[at + to_y + to_x]) * x
        at += to_z
        c = np.float32(flat[at]) * r + np.float32(flat[at + to_x]) * x
        d = np.float32(flat[at + to_y]) * r + np.float32(flat[at + to_y + to_x]) * x
        out[i] = (a * q + b * y) * p + (c * q + d * y) * z


@compiled
def _nearest_row(
    flat: NDArray[Any], shape: Ints, points: NDArray[np.float32], out: NDArray[Any]
) -> None:
    half = np.float32(0.5)
    for i in range(out.shape[0]):
        z = min(max(int(points[0, i] + half), 0), shape[0] - 1)
        y = min(max(int(points[1, i] + half), 0), shape[1] - 1)
        x = min(max(int(points[2, i] + half), 0), shape[2] - 1)
        out[i] = flat[(z * shape[1] + y) * shape[2] + x]
