"""Neurites around cell bodies: a path through every place of a lattice, and mitochondria along it.

Paths know nothing of each other.  Where several run, each voxel is of the one that it lies deepest
in, so that neurites press on each other and end where others are.  Lengths are in steps, the
shortest edge of a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsd.synthetic.capsules import Capsules, Doubles, Floats, unit
from lsd.synthetic.lattice import normals, uniforms

SPACING = 19.0  # between places
STEP, STEPS = 7.0, 9  # of a path, to either side
RADIUS = (2.0, 8.0)
TURN = 0.35
# how far from its place a neurite reaches
LONGEST = SPACING + STEP * STEPS + 1.3 * RADIUS[1]
WITH_MITOCHONDRION = 0.5  # of the neurites that are wide enough
_WIDE = 4.0
_PATHS, _NUMBERS = 3, 4  # what random numbers are for


@dataclass(frozen=True)
class Tangle:
    """Neurites and their mitochondria, both owned by neurite.

    normal, uniform: (n,) and (n, 2) random numbers of each neurite, for its looks
    axis: (n, 3) a direction along the mitochondrion of each
    """

    neurites: Capsules
    mitochondria: Capsules
    normal: Floats
    uniform: Doubles
    axis: Floats


def tangle(seed: int, low: Doubles, high: Doubles) -> Tangle:
    """All neurites that may come into a box from `low` to `high` (steps, z y x)."""
    begin = np.floor((low - LONGEST) / SPACING).astype(int)
    shape = np.ceil((high + LONGEST) / SPACING).astype(int) - begin + 1
    corner, extent = tuple(begin.tolist()), tuple(shape.tolist())
    points = 2 * STEPS + 1
    numbers = uniforms(seed, _NUMBERS, corner, extent, 8).reshape(-1, 8)
    at_places = normals(seed, _PATHS, corner, extent, 4 * points + 1)
    drawn = at_places.reshape(-1, 4 * points + 1).astype(np.float64)
    places = np.indices(extent).reshape(3, -1).T + begin
    turns = drawn[:, : 3 * points].reshape(-1, points, 3)
    path = _paths((places + numbers[:, :3]) * SPACING, turns)
    smallest, largest = RADIUS
    radius = smallest + (largest - smallest) * numbers[:, 3] ** 2
    radii = radius[:, None] * np.clip(1 + 0.15 * drawn[:, 3 * points : 4 * points], 0.6, 1.3)
    first = (numbers[:, 4] * (points - 2)).astype(int)
    has = (radius > _WIDE) & (numbers[:, 5] < WITH_MITOCHONDRION)
    bodies, axis = _mitochondria(path, first, 0.55 * radius, has)
    return Tangle(
        _chain(path, radii), bodies, drawn[:, -1].astype(np.float32), numbers[:, 6:8], axis
    )


def _paths(start: Doubles, turns: Doubles) -> Doubles:
    """Points (n, 2 * STEPS + 1, 3) of paths that leave `start` to either side.  turns: as many"""
    direction = unit(turns[:, STEPS])
    halves = []
    for sign in (-1, 1):
        at, ahead = start, sign * direction
        points = []
        for step in range(1, STEPS + 1):
            ahead = unit(ahead + TURN * turns[:, STEPS + sign * step])
            at = at + STEP * ahead
            points.append(at)
        halves.append(points)
    return np.stack([*halves[0][::-1], start, *halves[1]], axis=1)


def _chain(path: Doubles, radii: Doubles) -> Capsules:
    count, points = radii.shape
    owner = np.repeat(np.arange(count, dtype=np.int32), points - 1)
    pairs = np.stack([radii[:, :-1], radii[:, 1:]], axis=2)
    return Capsules(
        path[:, :-1].reshape(-1, 3).astype(np.float32),
        path[:, 1:].reshape(-1, 3).astype(np.float32),
        pairs.reshape(-1, 2).astype(np.float32),
        owner,
    )


def _mitochondria(
    path: Doubles, first: NDArray[np.int_], radius: Doubles, has: NDArray[np.bool_]
) -> tuple[Capsules, Floats]:
    """One along two points of each path that has one, and a direction along it for all."""
    rows = np.arange(len(path))
    begin, end = path[rows, first], path[rows, first + 1]
    capsules = Capsules(
        begin[has].astype(np.float32),
        end[has].astype(np.float32),
        np.stack([radius[has]] * 2, axis=1).astype(np.float32),
        rows[has].astype(np.int32),
    )
    return capsules, unit(end - begin).astype(np.float32)
