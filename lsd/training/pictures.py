"""Sections of a batch as pictures: raw grey, labels in colours of their own, three channels of a
head as red, green, blue."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def raw_picture(raw: NDArray[np.float32], *, above: int = 0) -> Picture:
    """A section of raw (1, z, y, x) in [-1, 1] in grey: (3, y, x) in [0, 1].

    above: how many sections it lies above the middle one
    """
    section = _section(raw, above)[0]
    return np.clip(np.stack([section] * 3) / 2 + 0.5, 0, 1)


def head_picture(head: NDArray[np.float32], *, above: int = 0) -> Picture:
    """A section of a head (c, z, y, x) in [0, 1]: its first three channels, (3, y, x).

    One channel alone is grey.
    """
    section = np.asarray(_section(head, above)[:3], np.float32)
    return np.stack([section[0], section[-1], section[0]]) if len(section) < 3 else section


def labels_picture(labels: NDArray[np.uint64], *, above: int = 0) -> Picture:
    """A section of labels (z, y, x) in colour, (3, y, x); 0 is black.

    A label has the same colour in every picture.
    """
    section = _section(labels[None], above)[0]
    # odd factors near 2**64 / golden ratio: neighbouring ids land far apart in the upper bits
    factors = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
    bits = np.stack([(section * np.uint64(factor)) >> np.uint64(56) for factor in factors]).astype(
        np.float32
    )
    return np.where(section == 0, np.float32(0), 0.15 + 0.85 * bits / 255).astype(np.float32)


def most_known(weights: Iterable[NDArray[np.float32]]) -> tuple[int, int]:
    """The sample and the section of which most is known: (number, sections above the middle).

    weights: of each head, (b, c, z, y, x)
    Among equals it is the section nearest to the middle, of the first sample.
    """
    known = sum(_known(weight) for weight in weights)
    assert isinstance(known, np.ndarray)
    middle = known.shape[1] // 2
    most = np.argwhere(known == known.max()).tolist()
    sample, section = min(most, key=lambda place: (abs(place[1] - middle), place))
    return sample, section - middle


def _known(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """Fraction of each section that counts, (b, z); in 2D of each sample, (b, 1)."""
    sections = weight if weight.ndim == 5 else weight[:, :, None]
    return np.asarray((sections > 0).mean(axis=(1, 3, 4)))


def _section(array: NDArray[np.generic], above: int) -> NDArray[np.generic]:
    """(c, z, y, x) -> (c, y, x); (c, y, x) stays."""
    return array if array.ndim == 3 else array[:, array.shape[1] // 2 + above]
