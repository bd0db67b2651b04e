"""The window around a voxel over which descriptors take statistics: a truncated Gaussian, or a
ball."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt

Mode = Literal["gaussian", "sphere"]
Weights = npt.NDArray[np.float64]

TRUNCATE = 3.0


def radius(sigma: float, mode: Mode = "gaussian") -> int:
    """Voxels that the window reaches to either side along an axis; sigma in voxels."""
    match mode:
        case "gaussian":
            return int(TRUNCATE * sigma + 0.5)
        case "sphere":
            # the tolerance keeps a ball of 80 nm at 8 nm ten voxels wide, whatever the rounding of
            # the division
            return int(sigma * (1 + 1e-9))
        case _:
            assert_never(mode)


def gaussian(sigma: float) -> Weights:
    """Weights of the voxels -radius .. radius, of sum 1; sigma in voxels."""
    steps = np.arange(-radius(sigma), radius(sigma) + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    return np.asarray(weights / weights.sum(), np.float64)


def moments(weights: Weights) -> Weights:
    """Weights for the zeroth, first and second moment about the centre: w, t w, t^2 w; (3, 2 radius
    + 1)."""
    steps = np.arange(len(weights)) - len(weights) // 2
    # contiguous, whatever the length: the kernels are compiled for one layout
    return np.ascontiguousarray(weights * np.power.outer(steps.astype(np.float64), np.arange(3)).T)


def ball(sigma: Sequence[float]) -> npt.NDArray[np.bool_]:
    """The voxels t with sum (t_i / sigma_i)^2 <= 1, centred; sigma in voxels, one an axis."""
    axes = [np.arange(-radius(s, "sphere"), radius(s, "sphere") + 1) / s for s in sigma]
    squares = np.meshgrid(*(axis**2 for axis in axes), indexing="ij", sparse=True)
    return np.asarray(sum(squares) <= 1 + 1e-9)
