"""One neurite's path through the space that is still free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lsd.synthetic.capsules import Capsules, Floats

CANDIDATES = 10
OVERLAP = 6.0  # nm that a neurite presses into its neighbours, which flattens both


@dataclass(frozen=True)
class Space:
    """Distance from each point of a coarse grid to the nearest neurite's surface.

    clearance: (z, y, x) nm, negative inside neurites; origin: nm of its first point; spacing: nm
               between points
    """

    clearance: Floats
    origin: NDArray[np.float64]
    spacing: float

    def occupy(self, capsules: Capsules, *, reach: float) -> None:
        """Takes the capsules' space; clearance is exact up to `reach` nm, and no larger value may
        be in use."""
        _occupy(
            self.clearance,
            self.origin,
            self.spacing,
            capsules.begin,
            capsules.end,
            capsules.radius,
            reach,
        )

    def walk(
        self,
        start: Floats,
        direction: Floats,
        targets: Floats,
        *,
        turn: float,
        least: float,
        rng: np.random.Generator,
    ) -> tuple[Floats, Floats]:
        """Points (m, 3) and radii (m,), nm, of a path that stays in free space.

        targets: the radius wanted at each step, at most len(targets) steps; turn: how strongly it
                 meanders;
        least: the radius below which it ends
        """
        jitter = rng.standard_normal((len(targets), CANDIDATES, 3), dtype=np.float32) * np.float32(
            turn
        )
        points = np.zeros((len(targets), 3), np.float32)
        radii = np.zeros(len(targets), np.float32)
        count = _walk(
            self.clearance,
            self.origin,
            self.spacing,
            start,
            direction,
            targets,
            jitter,
            least,
            OVERLAP,
            points,
            radii,
        )
        return points[:count], radii[:count]


@njit(cache=True)
def _at(clearance, origin, spacing, z, y, x):  # type: ignore[no-untyped-def]
    i = min(max(int((z - origin[0]) / spacing + 0.5), 0), clearance.shape[0] - 1)
    j = min(max(int((y - origin[1]) / spacing + 0.5), 0), clearance.shape[1] - 1)
    k = min(max(int((x - origin[2]) / spacing + 0.5), 0), clearance.shape[2] - 1)
    return clearance[i, j, k]


@njit(cache=True)
def _walk(  # type: ignore[no-untyped-def]
    clearance, origin, spacing, start, direction, targets, jitter, least, overlap, points, radii
):
    p = start.astype(np.float64)
    d = direction.astype(np.float64)
    ahead = np.zeros(3)
    best = np.zeros(3)
    for i in range(targets.shape[0]):
        room = _at(clearance, origin, spacing, p[0], p[1], p[2]) + overlap
        if room < least:
            return i
        points[i] = p
        radii[i] = min(targets[i], room)
        for axis in range(3):
            if (
                p[axis] < origin[axis]
                or p[axis] > origin[axis] + (clearance.shape[axis] - 1) * spacing
            ):
                return i + 1
        step = min(max(0.5 * targets[i], 14.0), 45.0)
        highest = -1e9
        for k in range(jitter.shape[1]):
            norm = 0.0
            for axis in range(3):
                ahead[axis] = d[axis] + jitter[i, k, axis]
                norm += ahead[axis] * ahead[axis]
            norm = np.sqrt(norm) + 1e-9
            score = 0.0
            for axis in range(3):
                ahead[axis] /= norm
                score += ahead[axis] * d[axis]
            score *= 0.3 * targets[i]
            for distance in (step, step + targets[i], step + 3 * targets[i]):
                c = _at(
                    clearance, origin, spacing,
                    p[0] + ahead[0] * distance,
                    p[1] + ahead[1] * distance,
                    p[2] + ahead[2] * distance,
                )  # fmt: skip
                score += min(c, targets[i]) - 0.1 * max(0.0, c - targets[i])
            if score > highest:
                highest = score
                best[:] = ahead
        for axis in range(3):
            d[axis] = best[axis]
            p[axis] += step * d[axis]
    return targets.shape[0]


@njit(cache=True)
def _occupy(clearance, origin, spacing, begin, end, radius, reach):  # type: ignore[no-untyped-def]
    low = np.zeros(3, np.int64)
    high = np.zeros(3, np.int64)
    for n in range(begin.shape[0]):
        widest = max(radius[n, 0], radius[n, 1]) + reach
        for axis in range(3):
            low[axis] = max(
                0,
                int(
                    np.floor((min(begin[n, axis], end[n, axis]) - widest - origin[axis]) / spacing)
                ),
            )
            high[axis] = min(
                clearance.shape[axis],
                int(np.ceil((max(begin[n, axis], end[n, axis]) + widest - origin[axis]) / spacing))
                + 1,
            )
        bz, by, bx = end[n, 0] - begin[n, 0], end[n, 1] - begin[n, 1], end[n, 2] - begin[n, 2]
        length = bz * bz + by * by + bx * bx
        for i in range(low[0], high[0]):
            for j in range(low[1], high[1]):
                for k in range(low[2], high[2]):
                    pz = origin[0] + i * spacing - begin[n, 0]
                    py = origin[1] + j * spacing - begin[n, 1]
                    px = origin[2] + k * spacing - begin[n, 2]
                    along = 0.0
                    if length > 0:
                        along = min(1.0, max(0.0, (pz * bz + py * by + px * bx) / length))
                    distance = np.sqrt(
                        (pz - along * bz) ** 2 + (py - along * by) ** 2 + (px - along * bx) ** 2
                    )
                    distance -= radius[n, 0] + along * (radius[n, 1] - radius[n, 0])
                    if distance < clearance[i, j, k]:
                        clearance[i, j, k] = distance
