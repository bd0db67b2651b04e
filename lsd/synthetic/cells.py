"""Where cell bodies are, and the nuclei in them: at most two in each place of a lattice.

Lengths are in steps, the shortest edge of a voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.synthetic.capsules import Capsules, Doubles, Floats, unit
from lsd.synthetic.lattice import normals, uniforms

SPACING = 96.0  # between places
PAIRED = 0.4  # of the places with cells have two, pressed against each other
SPILL = 4.0  # how far a cell may reach out of its place, so that neighbours touch, too
ALONE, IN_PAIR = (17.0, 40.0), (17.0, 24.0)  # radii
LONGEST = 1.15  # length over width of a cell that is alone
FILLED = 0.12  # of space, where every place has cells
# a cell of which less than this is left by the faces of the volume is no part of it
LEAST_DEPTH = (0.4, 10.0)  # of its radius, and in steps
_PLACES, _DIRECTIONS = 1, 2  # what random numbers are for


@dataclass(frozen=True)
class Cells:
    """Cell bodies and their nuclei, of which each is owned by the number of its cell, from 0 on.

    uniform: (n,) a random number of each cell, for its looks
    """

    bodies: Capsules
    nuclei: Capsules
    uniform: Doubles

    def __len__(self) -> int:
        return len(self.bodies)


class _Drawn(NamedTuple):
    """Cells, a row each: middle (n, 3), half of the line along a body (n, 3), radius (n,); of the
    nucleus its middle (n, 3) and radius (n,); a random number (n,)."""

    middle: Doubles
    half: Doubles
    radius: Doubles
    nucleus: Doubles
    nuclear: Doubles
    uniform: Doubles


def cells(seed: int, extent: tuple[float, ...], *, fraction: float) -> Cells:
    """Cells of a box from 0 to `extent` (steps, z y x), some of them cut by its faces.

    fraction: of space that cells fill, about; at most FILLED
    """
    begin = (-1, -1, -1)
    shape = tuple(ceil(size / SPACING) + 2 for size in extent)
    numbers = uniforms(seed, _PLACES, begin, shape, 18).reshape(-1, 18)
    directions = normals(seed, _DIRECTIONS, begin, shape, 9).reshape(-1, 3, 3).astype(np.float64)
    places = np.indices(shape).reshape(3, -1).T + np.array(begin)
    centre = (places + 0.5) * SPACING
    used = numbers[:, 0] < fraction / FILLED
    paired = used & (numbers[:, 1] < PAIRED)
    alone = _alone(centre, numbers, directions)
    first, second = _pair(centre, numbers, directions)
    # in the order of places, and of a pair one after the other
    chosen = [np.where(_wide(paired, a), b, a) for a, b in zip(alone, first, strict=True)]
    rows = [
        np.stack([one, other], axis=1).reshape(-1, *one.shape[1:])
        for one, other in zip(chosen, second, strict=True)
    ]
    kept = np.stack([used, paired], axis=1).reshape(-1)
    drawn = _Drawn(*rows)
    kept &= _reaches_in(drawn, np.asarray(extent))
    return _capsules(_Drawn(*(row[kept] for row in drawn)))


def _alone(centre: Doubles, numbers: Doubles, directions: Doubles) -> _Drawn:
    radius = _between(ALONE, numbers[:, 2])
    half = unit(directions[:, 0]) * (radius * (LONGEST - 1) * numbers[:, 3])[:, None]
    room = SPACING / 2 - radius * LONGEST + SPILL
    middle = centre + (2 * numbers[:, 4:7] - 1) * room[:, None]
    return _with_nucleus(middle, half, radius, numbers[:, [7, 8, 16]], directions[:, 1])


def _pair(centre: Doubles, numbers: Doubles, directions: Doubles) -> tuple[_Drawn, _Drawn]:
    """Two balls that touch: they are nearer than the sum of their radii, and flat in between."""
    radii = _between(IN_PAIR, numbers[:, 9:11])
    apart = radii.sum(axis=1) * _between((0.86, 0.96), numbers[:, 11])
    long = apart / 2 + radii.max(axis=1)
    middle = centre + (2 * numbers[:, 4:7] - 1) * (SPACING / 2 - long + SPILL)[:, None]
    side = unit(directions[:, 0]) * (apart / 2)[:, None]
    first, second = (
        _with_nucleus(
            middle + sign * side,
            np.zeros_like(middle),
            radii[:, member],
            numbers[:, [12 + member, 14 + member, 16 + member]],
            directions[:, 1 + member],
        )
        for member, sign in enumerate((-1, 1))
    )
    return first, second


def _with_nucleus(
    middle: Doubles, half: Doubles, radius: Doubles, numbers: Doubles, direction: Doubles
) -> _Drawn:
    """A nucleus about half as wide as the cell, a little out of its middle."""
    nuclear = radius * _between((0.5, 0.64), numbers[:, 0])
    nucleus = middle + unit(direction) * (radius * 0.2 * numbers[:, 1])[:, None]
    return _Drawn(middle, half, radius, nucleus, nuclear, numbers[:, 2])


def _reaches_in(drawn: _Drawn, extent: Doubles) -> NDArray[np.bool_]:
    """Cells that reach so far into the box that they are seen."""
    outside = np.linalg.norm(drawn.middle - np.clip(drawn.middle, 0, extent), axis=1)
    share, steps = LEAST_DEPTH
    return np.asarray(drawn.radius - outside >= np.maximum(share * drawn.radius, steps))


def _capsules(drawn: _Drawn) -> Cells:
    owner = np.arange(len(drawn.radius), dtype=np.int32)
    bodies = Capsules(
        _single(drawn.middle - drawn.half),
        _single(drawn.middle + drawn.half),
        _single(np.stack([drawn.radius] * 2, axis=1)),
        owner,
    )
    nuclei = Capsules(
        _single(drawn.nucleus - 0.5 * drawn.half),
        _single(drawn.nucleus + 0.5 * drawn.half),
        _single(np.stack([drawn.nuclear] * 2, axis=1)),
        owner,
    )
    return Cells(bodies, nuclei, drawn.uniform)


def _between(bounds: tuple[float, float], uniform: Doubles) -> Doubles:
    low, high = bounds
    return low + (high - low) * uniform


def _wide(mask: NDArray[np.bool_], like: Doubles) -> NDArray[np.bool_]:
    return mask.reshape(-1, *[1] * (like.ndim - 1))


def _single(values: Doubles) -> Floats:
    return values.astype(np.float32)
