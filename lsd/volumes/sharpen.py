"""Raw with its fine details strengthened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from funlib.geometry import Coordinate
from numpy.typing import NDArray

from lsd.spec import Sharpen

TRUNCATE = 3.0


def sharpen_margin(sharpen: Sharpen, voxel_size: Sequence[float]) -> Coordinate:
    """Voxels around a place that what it becomes depends on, along each axis."""
    return Coordinate(int(TRUNCATE * sigma + 0.5) for sigma in _sigma(sharpen, voxel_size))


def sharpened(
    raw: NDArray[np.float32], sharpen: Sharpen, voxel_size: Sequence[float]
) -> NDArray[np.float32]:
    """Unsharp masking of `raw` (z, y, x) in 0..1: raw + amount * (raw - raw smoothed by a
    Gaussian), clipped to 0..1.

    Exact but for `sharpen_margin` voxels at the borders, where raw is continued by its outermost
    values.
    """
    from scipy.ndimage import gaussian_filter  # takes long to load, and few volumes are sharpened

    smooth = gaussian_filter(raw, _sigma(sharpen, voxel_size), mode="nearest", truncate=TRUNCATE)
    out: NDArray[np.float32] = raw + np.float32(sharpen.amount) * (raw - smooth)
    return out.clip(0, 1, out=out)


def _sigma(sharpen: Sharpen, voxel_size: Sequence[float]) -> list[float]:
    """The standard deviation in voxels, along each axis."""
    first = len(voxel_size) - 2 if sharpen.in_xy else 0
    return [sharpen.sigma / size if axis >= first else 0.0 for axis, size in enumerate(voxel_size)]
