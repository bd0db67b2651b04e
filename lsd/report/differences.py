"""Where a segmentation differs from the truth: which voxels are cut off from their object, which
are in a wrong segment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.contingency import Contingency
from lsd.report.colours import called


@dataclass(frozen=True, eq=False)
class Partners:
    """For each segment the object that it shares most voxels with, for each object the segment; ids
    in ascending order."""

    segments: NDArray[np.uint64]
    object_of: NDArray[np.uint64]
    objects: NDArray[np.uint64]
    segment_of: NDArray[np.uint64]

    @classmethod
    def of(cls, table: Contingency, *, left_out: Collection[int] = ()) -> Partners:
        """Of a whole volume's table; 0 is no partner, as background of either.  Of equals the
        smaller id is taken.

        left_out: labels of the truth that are not scored, which are no partners either
        """
        unseen = np.isin(table.objects, np.array([0, *sorted(left_out)], np.uint64))
        is_pair = (table.segments > 0) & ~unseen
        segments, objects, voxels = (
            table.segments[is_pair],
            table.objects[is_pair],
            table.voxels[is_pair],
        )
        return cls(*_largest(segments, objects, voxels), *_largest(objects, segments, voxels))

    def main_object(self, segments: NDArray[Any]) -> NDArray[np.uint64]:
        """The object that each segment stands for, 0 if none."""
        return _look_up(segments, self.segments, self.object_of)

    def main_segment(self, objects: NDArray[Any]) -> NDArray[np.uint64]:
        """The largest segment of each object, 0 if none."""
        return _look_up(objects, self.objects, self.segment_of)

    def merged(self, segments: NDArray[Any], objects: NDArray[Any]) -> NDArray[np.bool_]:
        """Voxels whose segment stands for another object."""
        return np.asarray((segments > 0) & (objects > 0) & (self.main_object(segments) != objects))

    def split(self, segments: NDArray[Any], objects: NDArray[Any]) -> NDArray[np.bool_]:
        """Voxels that are not in the largest segment of their object."""
        return np.asarray((objects > 0) & (self.main_segment(objects) != segments))

    def names(self, segments: NDArray[Any]) -> NDArray[np.uint64]:
        """What segments are coloured by: the object that they are the largest of, so that both
        have one colour; of all others an id that is no object's."""
        objects = self.main_object(segments)
        return called(segments, np.where(self.main_segment(objects) == segments, objects, 0))


def _largest(
    keys: NDArray[np.uint64], partners: NDArray[np.uint64], voxels: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    order = np.lexsort((partners, -voxels, keys))
    unique_keys, first = np.unique(keys[order], return_index=True)
    return unique_keys, partners[order][first]


def _look_up(
    ids: NDArray[Any], keys: NDArray[np.uint64], values: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    wanted = ids.astype(np.uint64, copy=False)
    if not len(keys):
        return np.zeros(wanted.shape, dtype=np.uint64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], np.uint64(0))
