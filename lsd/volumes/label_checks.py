"""Volumes without any truth are refused before training draws from them for ever."""

from __future__ import annotations

import sys

from funlib.geometry import Roi

from lsd.volumes.known_voxels import truth_blocks
from lsd.volumes.stored_chunks import why_unwritten
from lsd.volumes.volume import OpenVolume


def check_labels(volume: OpenVolume) -> None:
    """ValueError if the volume has no labels, or no known voxel with a label above 0.  Stops
    reading at the first one."""
    if volume.labels is None:
        raise ValueError(f"volume {volume.name!r} has no labels; name the array in labels=")
    if not any(
        _labelled(volume, block)
        for block in truth_blocks(volume, volume.roi, limit=sys.maxsize).rois
    ):
        raise ValueError(
            f"volume {volume.name!r}: {volume.labels.name} is empty or all background where it is "
            f"known"
            f"{_cause(volume) or '; correct labels, labels_mask, unknown or region'}"
        )


def _labelled(volume: OpenVolume, block: Roi) -> bool:
    labels, known = volume.read_truth(block)
    return bool(labels[known].any())


def _cause(volume: OpenVolume) -> str:
    return next(
        (
            cause
            for array in (volume.labels, volume.labels_mask)
            if array and (cause := why_unwritten(array))
        ),
        "",
    )
