"""Sections as pictures: raw in grey, labels in colours laid over it, and where two partitions
differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]

SPLIT = (0.10, 0.45, 0.95)
MERGED = (1.0, 0.45, 0.05)
FALSE = (0.85, 0.10, 0.45)
UNKNOWN = (0.93, 0.88, 0.55)
# no id of a volume is made of these bits
_OTHER = np.uint64(0x9E3779B97F4A7C15)


def colours(ids: NDArray[Any]) -> Picture:
    """A colour for each id, the same in every picture, of bright and well-spread hues: float32
    (..., 3); 0 is black."""
    mixed = np.asarray(ids).astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    parts = [
        ((mixed >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float32) / 65535
        for shift in (48, 32, 16)
    ]
    hue, strength, light = parts[0], 0.55 + 0.4 * parts[1], 0.75 + 0.25 * parts[2]
    ramp = np.abs((hue[..., None] * 6 + np.array([0, 4, 2], np.float32)) % 6 - 3) - 1
    picture = light[..., None] * (1 - strength[..., None] * (1 - np.clip(ramp, 0, 1)))
    return np.where(np.asarray(ids)[..., None] == 0, 0, picture).astype(np.float32)


def called(ids: NDArray[Any], names: NDArray[Any]) -> NDArray[np.uint64]:
    """Ids for colours: the names of what has one, all others under an id that is nobody's name, as
    segment 7 is not neuron 7; 0 stays 0.

    names: of each id, 0 where it has none
    """
    own, names = np.asarray(ids).astype(np.uint64), np.asarray(names).astype(np.uint64)
    stays = (own == 0) | (own == _OTHER)  # which are each other's
    return np.where(names > 0, names, np.where(stays, own, own ^ _OTHER))


def grey(raw: NDArray[Any]) -> Picture:
    """Raw (y, x) in 0..1 as (y, x, 3), its darkest and brightest hundredth cut off."""
    low, high = np.percentile(raw, [0.5, 99.5])
    return np.repeat(
        np.clip((raw - low) / max(high - low, 1e-6), 0, 1)[..., None], 3, axis=-1
    ).astype(np.float32)


def overlay(
    raw: NDArray[Any], labels: NDArray[Any], palette: Picture, *, alpha: float = 0.5
) -> Picture:
    """`palette` (y, x, 3), the colours of `labels` (y, x), over raw in 0..1; boundaries dark, label
    0 left as it is."""
    picture = grey(raw)
    picture = np.where(labels[..., None] > 0, (1 - alpha) * picture + alpha * palette, picture)
    return np.where(boundaries(labels)[..., None], 0.15 * picture, picture).astype(np.float32)


def boundaries(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """True where the next voxel below or to the right has another label."""
    is_boundary = np.zeros(labels.shape, dtype=bool)
    is_boundary[:-1] |= labels[:-1] != labels[1:]
    is_boundary[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return is_boundary


def magnified(image: NDArray[Any], factor: int) -> NDArray[Any]:
    """Every voxel of (y, x, ...) as factor x factor pixels."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def channels_as_colours(values: NDArray[Any]) -> Picture:
    """Up to three channels (c, y, x) in 0..1 as red, green and blue, (y, x, 3); one alone is
    grey."""
    red, *others = np.clip(values[:3], 0, 1)
    green, blue = (others or [red])[0], (others or [red])[-1]
    if len(others) == 1:
        blue = red
    return np.stack([red, green, blue], axis=-1).astype(np.float32)
