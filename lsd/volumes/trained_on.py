"""Volumes that are scored, and hold voxels that were trained on."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from lsd.spec import Dataset, Volume
from lsd.spec.user_paths import with_variables
from lsd.spec.volumes import Part
from lsd.volumes.volume import open_volume

_PARTS: tuple[Part, ...] = ("validate", "test")
# what says which raw it is
_FIELDS = ("synthetic", "images", "raw")


def trained_on(dataset: Dataset, *, data_root: Path) -> Iterator[tuple[str, str]]:
    """Name and warning of each volume with truth, to validate or to test with, of which a part is
    of a training volume: of the same raw of one file, in regions that meet.

    data_root: where relative paths start; labels that cover a part of raw are a region, too
    """
    training = dataset.part("train")
    for part in _PARTS:
        for name, volume in dataset.part(part).items():
            if not (volume.labels or volume.skeletons or volume.images):
                continue
            for other, trained in training.items():
                met = _is_one(volume, trained, data_root) and _meet(volume, trained)
                if met and not _covers_apart(volume, trained, data_root):
                    yield (
                        name,
                        f"volume {name!r} of {part} holds voxels of {other!r}, which is trained "
                        f"on, so its scores are too good; {part} with another volume or region",
                    )


def _is_one(volume: Volume, other: Volume, root: Path) -> bool:
    same = all(getattr(volume, field) == getattr(other, field) for field in _FIELDS)
    return same and _place(volume, root) == _place(other, root)


def _place(volume: Volume, root: Path) -> str | None:
    """Where its file lies, whatever the path is written like."""
    return volume.path and os.path.realpath(root / with_variables(volume.path))


def _meet(volume: Volume, other: Volume) -> bool:
    return all(
        _begin(ours) < _end(theirs) and _begin(theirs) < _end(ours)
        for ours, theirs in zip_longest(volume.region, other.region, fillvalue=(None, None))
    )


def _covers_apart(volume: Volume, other: Volume, root: Path) -> bool:
    """Whether arrays that cover a part of raw have no voxel in common; not where they cannot be
    opened."""
    if volume.path is None or volume.fit == other.fit == "refuse":
        return False
    try:
        found = [open_volume(one, name="", data_root=root) for one in (volume, other)]
    except ValueError:
        return False
    one, another = (opened.in_file(opened.roi) - opened.file_roi.begin for opened in found)
    return bool(one.intersect(another).empty)


def _begin(axis: tuple[int | None, int | None]) -> float:
    return -math.inf if axis[0] is None else axis[0]


def _end(axis: tuple[int | None, int | None]) -> float:
    return math.inf if axis[1] is None else axis[1]
