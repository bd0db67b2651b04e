"""What corrections name: fragments and segments, by an id or a place; what is none is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.report.exports.exporter import ExportedVolume
from lsd.segmentation.on_disk.results import Segmented, pieces
from lsd.spec.corrections import Corrections, Named
from lsd.volumes.units import whole_voxels

Pair = tuple[int, int]


class Unknown(NamedTuple):
    """A name that means nothing.

    place: where it stands in the corrections, as in ("joins", 0, 1); why: in words
    """

    place: tuple[str | int, ...]
    why: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.place))}: {self.why}"


class UnknownNames(ValueError):
    """Corrections name what is not there; names: all of them, a line of the message each."""

    def __init__(self, names: list[Unknown]) -> None:
        super().__init__("\n".join(map(str, names)))
        self.names = tuple(names)


def refuse_unknown(volume: ExportedVolume, corrections: Corrections) -> None:
    """Raises UnknownNames where a join, a cut or `trusted` names no fragment or segment."""
    segmented = volume.results.at(volume.threshold)
    named = [*_named(corrections)]
    ids = np.unique([name for _, name in named if isinstance(name, int)]).astype(np.uint64)
    missing = {*_missing(segmented, ids).tolist()}
    what = "segment" if segmented.table is None else "fragment"
    wrong = [
        Unknown(place, why)
        for place, name in named
        if (
            why := _no_place(segmented, name)
            if isinstance(name, tuple)
            else f"there is no {what} {name} in {segmented.array.name}; are the corrections of "
            f"another segmentation?"
            if name in missing
            else ""
        )
    ]
    if wrong:
        raise UnknownNames(wrong)


def ends(volume: ExportedVolume, pair: tuple[Named, Named]) -> Pair:
    """The fragments of a pair.  Raises ValueError where both are one."""
    one, other = (id_of(volume, end) for end in pair)
    if one == other:
        raise ValueError(f"{pair[0]} and {pair[1]} are both in fragment {one}; name two")
    return one, other


def id_of(volume: ExportedVolume, named: Named) -> int:
    """The fragment that is meant, which is there."""
    if isinstance(named, tuple):
        return _at(volume.results.at(volume.threshold), named)
    return int(named)


def _named(corrections: Corrections) -> Iterator[tuple[tuple[str | int, ...], Named]]:
    """Every name, and where it stands."""
    for part in ("joins", "cuts"):
        for number, pair in enumerate(getattr(corrections, part)):
            for end, name in enumerate(pair):
                yield (part, number, end), name
    for number, name in enumerate(corrections.trusted or ()):
        yield ("trusted", number), name


def _no_place(segmented: Segmented, place: tuple[float, ...]) -> str:
    """Why a place means nothing; "" where it lies in a fragment."""
    dims = segmented.array.roi.dims
    if len(place) != dims:
        return f"a place of this volume has {dims} numbers, got {place}"
    if _at(segmented, place):
        return ""
    return f"there is no fragment at {place} nm of {segmented.array.name}"


def _at(segmented: Segmented, place: tuple[float, ...]) -> int:
    """The id at a place, 0 where there is none."""
    array = segmented.array
    rest = [nm - float(part) for nm, part in zip(place, array.remainder, strict=True)]
    # the voxel that holds the place, not the nearest corner
    middle = [nm - size / 2 for nm, size in zip(rest, array.voxel_size, strict=True)]
    voxel = whole_voxels(middle, array.voxel_size)
    ids = array.read(Roi(voxel, (1,) * len(place)), beyond="zero")
    return int(ids.reshape(-1)[0])


def _missing(segmented: Segmented, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Those that are none of the array's, ascending; where no table tells, the array is looked
    through until all are found."""
    if segmented.table is not None:
        return ids[~segmented.table.places.hold(ids)]
    for roi in pieces(segmented.array.roi):
        if not len(ids):
            break
        ids = np.setdiff1d(ids, segmented.array.read(roi).astype(np.uint64, copy=False))
    return ids
