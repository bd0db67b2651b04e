"""Which segments and objects of the truth share voxels, and how many: all that scores of objects
need."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.contingency import Contingency
from lsd.arrays.sums import sums

# floats this far from a threshold decide as integers would
_SURE = 1e-9


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Segments (n,) and objects (m,) in ascending order of their ids, without background, and pairs
    of them (k,) that share voxels.

    segment_areas, object_areas: voxels of each, those on background among them
    segment, object: of each pair, as a place in `segments` and `objects`
    shared: voxels that both of a pair have
    voxels: that were counted
    dropped: objects that were left out, since they are too small
    """

    segments: NDArray[np.uint64]
    objects: NDArray[np.uint64]
    segment_areas: NDArray[np.int64]
    object_areas: NDArray[np.int64]
    segment: NDArray[np.int64]
    object: NDArray[np.int64]
    shared: NDArray[np.int64]
    voxels: int
    dropped: int

    @classmethod
    def of(
        cls, table: Contingency, *, left_out: Collection[int] = (), min_size: int = 0
    ) -> Overlaps:
        """The overlaps of a table, in which 0 is background of either.

        left_out: labels of the truth whose voxels are not counted
        min_size: objects with fewer voxels are left out too, with their voxels, so that no segment
                  is blamed for finding one
        """
        crumbs = _below(table, min_size)
        unseen = np.concatenate([np.array(sorted(left_out), np.uint64), crumbs])
        counted = ~np.isin(table.objects, unseen)
        segments, segment, segment_areas = _areas(table.segments[counted], table.voxels[counted])
        objects, of_object, object_areas = _areas(table.objects[counted], table.voxels[counted])
        is_pair = (segment >= 0) & (of_object >= 0)
        return cls(
            segments,
            objects,
            segment_areas,
            object_areas,
            segment[is_pair],
            of_object[is_pair],
            table.voxels[counted][is_pair],
            voxels=int(table.voxels[counted].sum()),
            dropped=int(np.isin(crumbs, np.array(sorted(left_out), np.uint64), invert=True).sum()),
        )

    @cached_property
    def unions(self) -> NDArray[np.int64]:
        """Voxels that one of a pair has, or both."""
        areas = self.segment_areas[self.segment] + self.object_areas[self.object]
        return np.asarray(areas - self.shared)

    @cached_property
    def ious(self) -> NDArray[np.float64]:
        """Intersection over union of each pair."""
        return np.asarray(self.shared / self.unions)

    @property
    def dices(self) -> NDArray[np.float64]:
        """Dice of each pair: twice what both have, over what they have together."""
        return np.asarray(2 * self.shared / (self.unions + self.shared))

    def at_least(self, iou: Fraction) -> NDArray[np.bool_]:
        """Pairs whose intersection over union is `iou` or more, exactly."""
        ious, unions = self.ious, self.unions
        enough = ious >= float(iou)
        for pair in np.flatnonzero(np.abs(ious - float(iou)) < _SURE).tolist():
            shared = int(self.shared[pair]) * iou.denominator
            enough[pair] = shared >= iou.numerator * int(unions[pair])
        return np.asarray(enough)


def decimal(iou: float) -> Fraction:
    """The decimal that a number prints as: 7/10 of 0.7, which as a float is a little less."""
    return Fraction(str(float(iou)))


def _below(table: Contingency, min_size: int) -> NDArray[np.uint64]:
    """Objects with fewer voxels."""
    objects, _, areas = _areas(table.objects, table.voxels)
    return objects[areas < min_size]


def _areas(
    ids: NDArray[np.uint64], voxels: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Ids other than 0 in ascending order, the place of each row's id among them (-1: it is 0), and
    the voxels of each."""
    unique, place = np.unique(ids, return_inverse=True)
    areas = sums(place, voxels, len(unique))
    background = int(len(unique) > 0 and unique[0] == 0)
    return unique[background:], place - background, areas[background:]
