"""Sections of a batch as pictures: raw grey, labels in colours of their own, three channels of a head as red, green, blue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def grey(raw: NDArray[np.float32]) -> Picture:
    """Middle section of raw (1, z, y, x) in [-1, 1] as (3, y, x) in [0, 1]."""
    section = _middle(raw)[0]
    return np.clip(np.stack([section] * 3) / 2 + 0.5, 0, 1)


def channels(head: NDArray[np.float32]) -> Picture:
    """Middle section of a head (c, z, y, x) in [0, 1] as (3, y, x): its first three channels; one channel is grey."""
    section = _middle(head)[:3]
    three = np.stack([section[0], section[-1], section[0]]) if len(section) < 3 else section
    return np.asarray(three, np.float32)


def colours(labels: NDArray[np.uint64]) -> Picture:
    """Middle section of labels (z, y, x) as (3, y, x): a colour for each label, the same in every picture; 0 is black."""
    section = _middle(labels[None])[0]
    # odd factors near 2**64 / golden ratio: neighbouring ids land far apart in the upper bits
    factors = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
    bits = np.stack([(section * np.uint64(factor)) >> np.uint64(56) for factor in factors]).astype(np.float32)
    return np.where(section == 0, np.float32(0), 0.15 + 0.85 * bits / 255).astype(np.float32)


def _middle(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """(c, z, y, x) -> (c, y, x); (c, y, x) stays."""
    return array if array.ndim == 3 else array[:, array.shape[1] // 2]
