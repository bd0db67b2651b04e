"""Smooth random fields, and blurring.

Only additions, multiplications and square roots: their results are the same on every machine, so a
seed's volume is, too.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
# standard deviation of a cubic B-spline with unit normal coefficients, averaged over positions, per
# axis
SPREAD = math.sqrt(151 / 315)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], *, spacing: tuple[float, ...]
) -> Floats:
    """Normal noise, mean 0 and standard deviation 1, smooth over about `spacing` voxels an axis.

    A cubic B-spline with random coefficients; an axis whose spacing is below 1.5 voxels is left
    independent.
    """
    smooth = [s >= 1.5 for s in spacing]
    counts = [
        math.floor((n - 1) / s) + 4 if soft else n
        for n, s, soft in zip(shape, spacing, smooth, strict=True)
    ]
    field = rng.standard_normal(counts, dtype=np.float32)
    for axis, (n, s, soft) in enumerate(zip(shape, spacing, smooth, strict=True)):
        if soft:
            field = _interpolate(field, n, s, axis)
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


def _interpolate(field: Floats, count: int, spacing: float, axis: int) -> Floats:
    """Values of the spline at `count` points, 1 / spacing of a coefficient apart, along one
    axis."""
    at = np.arange(count) / spacing
    start = np.floor(at).astype(np.int64)
    t = at - start
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
