"""How alike objects and segments are, without a threshold of what is found: AJI, best Dice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsd.evaluation.overlaps import Overlaps
from lsd.evaluation.undefined import ratio


@dataclass(frozen=True)
class Likeness:
    """Of the objects of one volume or several; what is undefined is None.

    aji_shared, aji_union: voxels; see `aji`
    object_dice, segment_dice: sum, over objects and over segments, of the Dice of each with the
                  one that is most like it
    objects, segments: how many there are
    """

    aji_shared: int
    aji_union: int
    object_dice: float
    segment_dice: float
    objects: int
    segments: int

    @classmethod
    def of(cls, overlaps: Overlaps) -> Likeness:
        """Of the objects of a volume."""
        shared, union = _joined(overlaps)
        return cls(
            shared,
            union,
            _sum_of_best(overlaps.object, overlaps.dices),
            _sum_of_best(overlaps.segment, overlaps.dices),
            len(overlaps.objects),
            len(overlaps.segments),
        )

    @property
    def aji(self) -> float | None:
        """Aggregated Jaccard index: each object with the segment of the highest IoU, their
        intersections over their unions, summed up; segments that no object took join the unions.

        Source: Kumar et al. 2017.
        """
        return ratio(self.aji_shared, self.aji_union)

    @property
    def object_best_dice(self) -> float | None:
        """Mean over the objects of the Dice with the segment that is most like it."""
        return ratio(self.object_dice, self.objects)

    @property
    def segment_best_dice(self) -> float | None:
        """Mean over the segments of the Dice with the object that is most like it."""
        return ratio(self.segment_dice, self.segments)

    @property
    def best_dice(self) -> float | None:
        """Symmetric best Dice, the smaller of both: 0 where only one side is empty.

        Source: Scharr et al. 2016.
        """
        defined = [
            dice for dice in (self.object_best_dice, self.segment_best_dice) if dice is not None
        ]
        return min(defined, default=None)

    def __add__(self, other: Likeness) -> Likeness:
        return Likeness(
            self.aji_shared + other.aji_shared,
            self.aji_union + other.aji_union,
            self.object_dice + other.object_dice,
            self.segment_dice + other.segment_dice,
            self.objects + other.objects,
            self.segments + other.segments,
        )


def _joined(overlaps: Overlaps) -> tuple[int, int]:
    """What each object shares with the segment of its highest IoU, of equals the one with more in
    common, then that of the smaller id, summed up; and the unions of both, with what nobody
    took."""
    order = np.lexsort((-overlaps.shared, -overlaps.ious, overlaps.object))
    objects, first = np.unique(overlaps.object[order], return_index=True)
    best = order[first]
    taken = np.isin(np.arange(len(overlaps.segments)), overlaps.segment[best])
    missed = np.isin(np.arange(len(overlaps.objects)), objects, invert=True)
    union = overlaps.unions[best].sum()
    union += overlaps.object_areas[missed].sum() + overlaps.segment_areas[~taken].sum()
    return int(overlaps.shared[best].sum()), int(union)


def _sum_of_best(of: NDArray[np.int64], dices: NDArray[np.float64]) -> float:
    best = np.zeros(int(of.max(initial=-1)) + 1)
    np.maximum.at(best, of, dices)
    return float(best.sum())
