"""Class balancing: positives and negatives of a channel weigh the same in sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

CLIP = (0.05, 0.95)


def balance(
    target: npt.NDArray[Any], mask: npt.NDArray[Any], *, channel_axis: int = 0
) -> npt.NDArray[np.float32]:
    """Weights of a 0/1 target, float32 of its shape, balanced in each channel; 0 where mask is 0.

    With f the fraction of positives (target > 0.5) among the voxels masked in, clipped to 0.05 ..
    0.95, a positive weighs 1 / 2f and a negative 1 / 2(1 - f).  A batch (b, c, z, y, x) is balanced
    as a whole with channel_axis=1.
    """
    if target.shape != mask.shape:
        raise ValueError(
            f"mask has shape {mask.shape}, target {target.shape}; each target voxel needs its mask"
        )
    axes = tuple(axis for axis in range(target.ndim) if axis != channel_axis % target.ndim)
    known = mask.astype(np.bool_)
    positive = known & (target > 0.5)
    # float64 on purpose: float32 counts stop at 2**24
    fraction = positive.sum(axes, keepdims=True) / np.maximum(known.sum(axes, keepdims=True), 1)
    fraction = np.clip(fraction, *CLIP)
    up, down = (0.5 / fraction).astype(np.float32), (0.5 / (1 - fraction)).astype(np.float32)
    weights: npt.NDArray[np.float32] = np.where(positive, up, down)
    return np.multiply(weights, known, out=weights)
