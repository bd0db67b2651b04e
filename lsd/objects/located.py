"""The table of located objects: where each lies, how large it is, and how surely it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsd.arrays.ids import ids
from lsd.spec.plurals import some

# ids that a message names
_NAMED = 5


@dataclass(frozen=True, eq=False)
class Located:
    """Objects of a volume, a row each; lengths in nm from the origin of the world, z y x.

    id:         (n,) uint64, above 0, each once: its label in the segmentation that it was found in
    point:      (n, 3) the centre of one of its voxels, deep inside of it
    begin, end: (n, 3) of the box that holds it: from the faces of its first to those of its last
                voxels
    voxels:     (n,) how many it has, at the scale at which it was found
    volume:     (n,) cubic micrometres
    confidence: (n,) mean of how surely its voxels are of an object, 0..1

    Of planes, arrays (n, 3) are (n, 2), y x, also where n is 0, and volumes are areas.  Raises
    ValueError, with the ids, for what is there twice, lies nowhere or outside of its own box, or
    has no voxel.
    """

    id: NDArray[np.uint64]
    point: NDArray[np.float64]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    voxels: NDArray[np.uint64]
    volume: NDArray[np.float64]
    confidence: NDArray[np.float64]

    def __post_init__(self) -> None:
        numbers = np.atleast_1d(ids(self.id, "id").astype(np.uint64, copy=False))
        # none of a plane are none of a plane: their columns are others
        dims = 2 if np.shape(self.point)[1:] == (2,) else 3
        checked: dict[str, NDArray[Any]] = {
            "id": numbers,
            "voxels": ids(self.voxels, "voxels").astype(np.uint64, copy=False),
        }
        for name in ("point", "begin", "end", "volume", "confidence"):
            wanted = (len(numbers), dims) if name in _LENGTHS else (len(numbers),)
            checked[name] = _floats(getattr(self, name), name, wanted)
        _check(**checked)
        for name, array in checked.items():
            # what was checked stays as it is
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        """Number of objects."""
        return len(self.id)

    @property
    def dims(self) -> int:
        """Axes of space: 3, of planes 2."""
        return int(self.point.shape[1])

    def chosen(self, rows: ArrayLike) -> Located:
        """Some of the objects; rows: (n,) bool, or indices in the order that is wanted."""
        columns = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        return Located(**columns)

    def within(self, begin: Sequence[float], end: Sequence[float]) -> Located:
        """Objects whose point lies in a box, begin <= point < end (nm)."""
        inside = (self.point >= np.asarray(begin)) & (self.point < np.asarray(end))
        return self.chosen(inside.all(axis=1))


_LENGTHS = ("point", "begin", "end")


def _floats(values: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    array = array.reshape(shape) if array.size == 0 and 0 in shape else array
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; wanted: {shape}, a row for each id")
    return array


def _check(
    *,
    id: NDArray[np.uint64],
    point: NDArray[np.float64],
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    voxels: NDArray[np.uint64],
    volume: NDArray[np.float64],
    confidence: NDArray[np.float64],
) -> None:
    if voxels.shape != id.shape:
        raise ValueError(f"voxels has shape {voxels.shape}; wanted: {id.shape}, one for each id")
    unique, counts = np.unique(id, return_counts=True)
    places = np.isfinite(point) & np.isfinite(begin) & np.isfinite(end)
    outside = ~((begin <= point) & (point <= end)).all(axis=1)
    wrong = {
        "ids that are there twice; give each once": unique[counts > 1],
        "ids of background; objects are numbered from 1": id[id == 0],
        "objects without a place; give point, begin and end in nm": id[~places.all(axis=1)],
        "objects whose point lies outside of their box": id[outside],
        "objects without a voxel": id[voxels == 0],
        "objects without a volume; it is above 0": id[~(np.isfinite(volume) & (volume > 0))],
        "objects whose confidence is not in 0..1": id[~((confidence >= 0) & (confidence <= 1))],
    }
    for words, of_ids in wrong.items():
        if len(of_ids):
            what, _, way_out = words.partition("; ")
            named = some([str(number) for number in of_ids.tolist()], _NAMED)
            raise ValueError(f"{what}: {named}{way_out and f'; {way_out}'}")


__all__ = ["Located"]
