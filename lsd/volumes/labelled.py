"""Volumes without any truth are refused before training draws from them for ever."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from funlib.geometry import Coordinate, Roi

from lsd.volumes.volume import OpenVolume

BLOCK = 128


def check_labels(volume: OpenVolume) -> None:
    """ValueError if the volume has no labels, or no known voxel with a label above 0.  Stops reading at the first one."""
    if volume.labels is None:
        raise ValueError(f"volume {volume.name!r} has no labels; name the array in labels=")
    if not any(_labelled(volume, block) for block in _blocks(volume.roi)):
        raise ValueError(
            f"volume {volume.name!r}: {volume.labels.name} is empty or all background where it is known; "
            "correct labels, labels_mask, unknown or region"
        )


def _labelled(volume: OpenVolume, block: Roi) -> bool:
    labels, known = volume.read_truth(block)
    return bool(labels[known].any())


def _blocks(roi: Roi) -> Iterator[Roi]:
    grid = Coordinate(-(-n // BLOCK) for n in roi.shape)
    for index in np.ndindex(*grid):
        yield Roi(roi.begin + Coordinate(index) * BLOCK, (BLOCK,) * roi.dims).intersect(roi)
