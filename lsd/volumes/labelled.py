"""How much of a volume is labelled; volumes without any truth are refused before training draws from them for ever."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from funlib.geometry import Coordinate, Roi

from lsd.volumes.volume import OpenVolume

BLOCK = 128


def fraction_labelled(volume: OpenVolume, *, roi: Roi | None = None) -> float:
    """Part (0..1) of the voxels of `roi` (default: the volume's) that are known and not background."""
    roi = roi or volume.roi
    return sum(_labelled(volume, block) for block in _blocks(roi)) / int(roi.size)


def check_labels(volume: OpenVolume) -> None:
    """ValueError if the volume has no labels, or no known voxel with a label above 0.  Stops reading at the first one."""
    if volume.labels is None:
        raise ValueError(f"volume {volume.name!r} has no labels; name the array in labels=")
    if not any(_labelled(volume, block) for block in _blocks(volume.roi)):
        raise ValueError(
            f"volume {volume.name!r}: {volume.labels.name} is empty or all background where it is known; "
            "correct labels, labels_mask, unknown or region"
        )


def _labelled(volume: OpenVolume, block: Roi) -> int:
    labels, known = volume.read_truth(block)
    return int(np.count_nonzero(labels[known]))


def _blocks(roi: Roi) -> Iterator[Roi]:
    grid = Coordinate(-(-n // BLOCK) for n in roi.shape)
    for index in np.ndindex(*grid):
        yield Roi(roi.begin + Coordinate(index) * BLOCK, (BLOCK,) * roi.dims).intersect(roi)
