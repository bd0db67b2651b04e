"""Volumes that are scored, and hold voxels that were trained on."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from lsd.spec import Dataset, Volume
from lsd.spec.user_paths import with_variables
from lsd.spec.volumes import Part
from lsd.volumes.images.listing import listed, rows_of
from lsd.volumes.volume import open_volume

_Axis = tuple[int | None, int | None]

_PARTS: tuple[Part, ...] = ("validate", "test")
# what says which raw it is
_FIELDS = ("synthetic", "images", "raw")


def trained_on(dataset: Dataset, *, data_root: Path) -> Iterator[tuple[str, str]]:
    """Name and warning of each volume with truth, to validate or to test with, of which a part is
    of a training volume: of the same raw of one file, or of an image that both list, in regions
    that meet.

    data_root: where relative paths start; labels that cover a part of raw are a region, too
    """
    training = dataset.part("train")
    for part in _PARTS:
        for name, volume in dataset.part(part).items():
            if not (volume.labels or volume.skeletons or volume.images):
                continue
            for other, trained in training.items():
                if _shares(volume, trained, data_root):
                    yield (
                        name,
                        f"volume {name!r} of {part} holds voxels of {other!r}, which is trained "
                        f"on, so its scores are too good; {part} with another volume or region",
                    )


def _shares(volume: Volume, other: Volume, root: Path) -> bool:
    if volume.images and other.images:
        ours, theirs = _pictures(volume, root), _pictures(other, root)
        if ours is not None and theirs is not None:
            return bool(ours & theirs) and _meet(volume.region[1:], other.region[1:])
    met = _is_one(volume, other, root) and _meet(volume.region, other.region)
    return met and not _covers_apart(volume, other, root)


def _pictures(volume: Volume, root: Path) -> set[str] | None:
    """The files of its images, in its region; None where they cannot be listed."""
    assert volume.images is not None, "it was looked at"
    try:
        rows = rows_of(listed(volume.images, root=root), volume.images.part or "")
    except (ValueError, OSError):
        return None
    sections = slice(*volume.region[0]) if volume.region else slice(None)
    return {os.path.realpath(row.image) for row in rows[sections]}


def _is_one(volume: Volume, other: Volume, root: Path) -> bool:
    same = all(getattr(volume, field) == getattr(other, field) for field in _FIELDS)
    return same and _place(volume, root) == _place(other, root)


def _place(volume: Volume, root: Path) -> str | None:
    """Where its file lies, whatever the path is written like."""
    return volume.path and os.path.realpath(root / with_variables(volume.path))


def _meet(region: Sequence[_Axis], other: Sequence[_Axis]) -> bool:
    return all(
        _begin(ours) < _end(theirs) and _begin(theirs) < _end(ours)
        for ours, theirs in zip_longest(region, other, fillvalue=(None, None))
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


def _begin(axis: _Axis) -> float:
    return -math.inf if axis[0] is None else axis[0]


def _end(axis: _Axis) -> float:
    return math.inf if axis[1] is None else axis[1]
