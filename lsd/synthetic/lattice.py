"""Random numbers that belong to places: each follows from a seed, what it is for, and the place
alone, so any part of space can be made without the rest of it, and is the same whoever makes it.

Places are the points of a lattice, z y x as whole numbers, also negative ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lsd.synthetic.noise import Floats, coefficients, spline

# of splitmix64 (Steele et al. 2014)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_ONE, _TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
# the sum of four numbers of 0..65535 has a variance of 65536^2 / 3
_SPREAD = 3**0.5 / 65536


def uniforms(
    seed: int, purpose: int, begin: tuple[int, ...], shape: tuple[int, ...], numbers: int
) -> NDArray[np.float64]:
    """Numbers in 0..1 of each place of a box (z, y, x, numbers)."""
    bits = _bits(seed, purpose, begin, (*shape, numbers))
    return np.asarray((bits >> np.uint64(11)) * (1.0 / 9007199254740992.0))


def normals(
    seed: int, purpose: int, begin: tuple[int, ...], shape: tuple[int, ...], numbers: int = 1
) -> Floats:
    """Numbers of each place of a box (z, y, x, numbers) of mean 0 and standard deviation 1, nearly
    normal: sums of four uniform ones, which are the same on every machine and at most 3.5."""
    quarters = _bits(seed, purpose, begin, (*shape, numbers))[..., None].view(np.uint16)
    total = quarters.sum(axis=-1, dtype=np.float64)
    return np.asarray((total - 131070.0) * _SPREAD, np.float32)


@dataclass(frozen=True)
class PlacedNoise:
    """Noise of the voxels from `begin` on, a part of one field that is everywhere.

    Each call gives another field, so parts agree where they ask for the same ones in the same
    order.
    """

    seed: int
    begin: tuple[int, ...]
    shape: tuple[int, ...]
    purposes: Iterator[int] = field(default_factory=lambda: count(1000))

    def smooth(self, spacing: tuple[float, ...]) -> Floats:
        """Normal noise that is smooth over about `spacing` voxels an axis."""
        first, counts = coefficients(self.begin, self.shape, spacing)
        drawn = normals(self.seed, next(self.purposes), tuple(first), tuple(counts))[..., 0]
        return spline(drawn, self.begin, self.shape, spacing)

    def white(self) -> Floats:
        """Each voxel by itself."""
        return normals(self.seed, next(self.purposes), self.begin, self.shape)[..., 0]


def _bits(
    seed: int, purpose: int, begin: tuple[int, ...], shape: tuple[int, ...]
) -> NDArray[np.uint64]:
    """64 random bits of each number of each place; shape: of the places, and how many numbers."""
    key = np.random.SeedSequence([seed % 2**64, purpose]).generate_state(1, np.uint64)[0]
    bits = np.empty(shape, np.uint64)
    _fill(key, np.asarray(begin, np.int64), bits)
    return bits


@njit(cache=True)
def _mixed(bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Another number for each, of which all bits depend on all bits."""
    bits = bits + _STEP
    bits = (bits ^ (bits >> np.uint64(30))) * _ONE
    bits = (bits ^ (bits >> np.uint64(27))) * _TWO
    return bits ^ (bits >> np.uint64(31))


@njit(cache=True)
def _fill(key, begin, bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for z in range(bits.shape[0]):
        in_section = _mixed(key ^ np.uint64(begin[0] + z))
        for y in range(bits.shape[1]):
            in_row = _mixed(in_section ^ np.uint64(begin[1] + y))
            for x in range(bits.shape[2]):
                at_place = _mixed(in_row ^ np.uint64(begin[2] + x))
                for number in range(bits.shape[3]):
                    at_place = _mixed(at_place)
                    bits[z, y, x, number] = at_place
