"""Tapered capsules in space, and the two that are nearest to every voxel.

A capsule is the union of all balls along a line, whose radius changes linearly.  Neurites,
organelles and vesicles (a capsule without length) are all made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
FAR = np.float32(1e6)


@dataclass(frozen=True)
class Capsules:
    """begin, end: (n, 3) nm; radius: (n, 2) nm at begin and end; owner: (n,) int32, what each
    belongs to."""

    begin: Floats
    end: Floats
    radius: Floats
    owner: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.owner)


class NearestOwners(NamedTuple):
    """Per voxel: distance to the surface of the nearest owner (nm, negative inside), that owner,
    distance to the second."""

    first: Floats
    owner: NDArray[np.int32]
    second: Floats


def along(path: NDArray[np.floating], radius: NDArray[np.floating], owner: int) -> Capsules:
    """Capsules along a path: points (m, 3) and radii (m,), nm.  A path of one point is a ball."""
    points, radii = np.asarray(path, np.float32), np.asarray(radius, np.float32)
    if len(points) == 1:
        points, radii = np.repeat(points, 2, 0), np.repeat(radii, 2)
    pairs = np.stack([radii[:-1], radii[1:]], 1)
    return Capsules(points[:-1], points[1:], pairs, np.full(len(pairs), owner, np.int32))


def join(parts: list[Capsules]) -> Capsules:
    """All capsules in one value, in order."""
    if not parts:
        nowhere = np.zeros((0, 3), np.float32)
        return Capsules(nowhere, nowhere, nowhere[:, :2].copy(), np.zeros(0, np.int32))
    return Capsules(
        np.concatenate([part.begin for part in parts]),
        np.concatenate([part.end for part in parts]),
        np.concatenate([part.radius for part in parts]),
        np.concatenate([part.owner for part in parts]),
    )


def unit(vectors: Doubles) -> Doubles:
    """Vectors (.., 3) with length 1."""
    length = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    return np.asarray(vectors / np.maximum(length, 1e-6))


def nearest_two(
    capsules: Capsules,
    positions: Floats,
    *,
    voxel_size: tuple[float, ...],
    reach: float,
    begin: tuple[int, ...] = (0, 0, 0),
) -> NearestOwners:
    """The nearest owner of every voxel and its distance, and the distance to the nearest other
    owner.

    positions: (3, z, y, x) nm, where each voxel lies: its index times voxel_size, displaced by less
               than `reach` / 2
    begin:     index of the first voxel
    reach:     nm beyond a capsule's surface up to which it is seen; owner is -1 and distances are
               1e6 where none is
    """
    shape = positions.shape[1:]
    nearest = NearestOwners(np.full(shape, FAR), np.full(shape, -1, np.int32), np.full(shape, FAR))
    assert positions.dtype == np.float32
    displaced = _largest_displacement(positions, voxel_size, begin)
    size, corner = np.asarray(voxel_size, np.float64), np.asarray(begin, np.float64)
    _stamp(
        capsules.begin,
        capsules.end,
        capsules.radius,
        capsules.owner,
        positions,
        (corner, size, displaced),
        reach,
        *nearest,
    )
    return nearest


def _largest_displacement(
    positions: Floats, voxel_size: tuple[float, ...], begin: tuple[int, ...]
) -> NDArray[np.float64]:
    largest = np.zeros(3)
    for axis, (size, first) in enumerate(zip(voxel_size, begin, strict=True)):
        line = [1, 1, 1]
        line[axis] = -1
        index = np.arange(first, first + positions.shape[1 + axis], dtype=np.float32)
        regular = (index * np.float32(size)).reshape(line)
        largest[axis] = float(np.abs(positions[axis] - regular).max())
    return largest


@njit(cache=True)
def _stamp(begin, end, radius, owner, positions, grid, reach, first, nearest, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Goes over the box around each capsule; sequential, so that the result never depends on a
    number of threads."""
    low = np.zeros(3, np.int64)
    high = np.zeros(3, np.int64)
    corner, size, displaced = grid
    for n in range(owner.shape[0]):
        widest = max(radius[n, 0], radius[n, 1]) + reach
        for axis in range(3):
            margin = widest + displaced[axis]
            low[axis] = max(
                0,
                int(np.floor((min(begin[n, axis], end[n, axis]) - margin) / size[axis]))
                - int(corner[axis]),
            )
            high[axis] = min(
                first.shape[axis],
                int(np.ceil((max(begin[n, axis], end[n, axis]) + margin) / size[axis]))
                + 1
                - int(corner[axis]),
            )
        az, ay, ax = float(begin[n, 0]), float(begin[n, 1]), float(begin[n, 2])
        bz, by, bx = end[n, 0] - az, end[n, 1] - ay, end[n, 2] - ax
        length = bz * bz + by * by + bx * bx
        for z in range(low[0], high[0]):
            for y in range(low[1], high[1]):
                for x in range(low[2], high[2]):
                    pz = positions[0, z, y, x] - az
                    py = positions[1, z, y, x] - ay
                    px = positions[2, z, y, x] - ax
                    along = 0.0
                    if length > 0:
                        along = min(1.0, max(0.0, (pz * bz + py * by + px * bx) / length))
                    pz -= along * bz
                    py -= along * by
                    px -= along * bx
                    squared = pz * pz + py * py + px * px
                    if squared > widest * widest:
                        continue
                    distance = np.float32(
                        np.sqrt(squared) - radius[n, 0] - along * (radius[n, 1] - radius[n, 0])
                    )
                    if distance < first[z, y, x]:
                        if nearest[z, y, x] != owner[n]:
                            second[z, y, x] = first[z, y, x]
                            nearest[z, y, x] = owner[n]
                        first[z, y, x] = distance
                    elif distance < second[z, y, x] and nearest[z, y, x] != owner[n]:
                        second[z, y, x] = distance
