"""Smooth random fields, and blurring.

Only additions, multiplications and square roots: their results are the same on every machine, so a
seed's volume is, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
# standard deviation of a cubic B-spline with unit normal coefficients, averaged over positions, per
# axis
SPREAD = math.sqrt(151 / 315)


class Noise(Protocol):
    """Random fields (z, y, x) of one grid of voxels; each call gives another one."""

    def smooth(self, spacing: tuple[float, ...]) -> Floats:
        """Normal noise that is smooth over about `spacing` voxels an axis."""

    def white(self) -> Floats:
        """Normal noise, each voxel by itself."""


@dataclass(frozen=True)
class DrawnNoise:
    """Noise of a grid that is made as a whole."""

    rng: np.random.Generator
    shape: tuple[int, ...]

    def smooth(self, spacing: tuple[float, ...]) -> Floats:
        """As `smooth_noise`."""
        return smooth_noise(self.rng, self.shape, spacing=spacing)

    def white(self) -> Floats:
        """Each voxel by itself."""
        return self.rng.standard_normal(self.shape, dtype=np.float32)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], *, spacing: tuple[float, ...]
) -> Floats:
    """Normal noise, mean 0 and standard deviation 1, smooth over about `spacing` voxels an axis.

    A cubic B-spline with random coefficients; an axis whose spacing is below 1.5 voxels is left
    independent.
    """
    _, counts = coefficients((0,) * len(shape), shape, spacing)
    field = rng.standard_normal(counts, dtype=np.float32)
    return spline(field, (0,) * len(shape), shape, spacing)


def coefficients(
    begin: tuple[int, ...], shape: tuple[int, ...], spacing: tuple[float, ...]
) -> tuple[list[int], list[int]]:
    """The first of the coefficients that voxels from `begin` on need, and how many, an axis."""
    first = [math.floor(b / s) if _is_smooth(s) else b for b, s in zip(begin, spacing, strict=True)]
    counts = [
        math.floor((b + n - 1) / s) - f + 4 if _is_smooth(s) else n
        for b, n, s, f in zip(begin, shape, spacing, first, strict=True)
    ]
    return first, counts


def spline(
    field: Floats, begin: tuple[int, ...], shape: tuple[int, ...], spacing: tuple[float, ...]
) -> Floats:
    """A field of `coefficients`, seen at the voxels from `begin` on."""
    for axis, (b, n, s) in enumerate(zip(begin, shape, spacing, strict=True)):
        if _is_smooth(s):
            field = _interpolate(field, b, n, s, axis)
    return field


def gaussian_blur(field: Floats, sigma: tuple[float, ...]) -> Floats:
    """Gaussian blur, sigma in voxels an axis, reflecting at the faces."""
    for axis, s in enumerate(sigma):
        if s > 0:
            half = math.ceil(3 * s)
            # rounded: exp differs in its last digit between machines
            weights = [round(math.exp(-0.5 * (k / s) ** 2), 6) for k in range(-half, half + 1)]
            total = math.fsum(weights)
            field = ndimage.correlate1d(
                field, [w / total for w in weights], axis=axis, mode="reflect"
            )
    return field


def _is_smooth(spacing: float) -> bool:
    return spacing >= 1.5


def _interpolate(field: Floats, begin: int, count: int, spacing: float, axis: int) -> Floats:
    """Values of the spline at `count` points from `begin` on, 1 / spacing of a coefficient apart,
    along one axis."""
    at = np.arange(begin, begin + count) / spacing
    start = np.floor(at).astype(np.int64)
    t = at - start
    start -= start[0]
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    line = [1] * field.ndim
    line[axis] = -1
    total: Floats | None = None
    for k, weight in enumerate(weights):
        part = field.take(start + k, axis=axis) * (weight / 6 / SPREAD).astype(np.float32).reshape(
            line
        )
        total = part if total is None else np.add(total, part, out=total)
    assert total is not None
    return total
