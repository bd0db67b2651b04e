"""Average precision of segments that are ranked by a score, as COCO has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.sums import sums
from lsd.evaluation.matching import is_contested
from lsd.evaluation.overlaps import Overlaps

# recalls 0, .01, .. 1 that precision is read at
_POINTS = 101


@dataclass(frozen=True, eq=False)
class Ranking:
    """Segments by their score, the highest first; those of one score are one entry, so that no
    order among them decides.

    scores:    (n,) that occur, descending;  predicted: (n,) segments with each
    right:     (t, n) of these, how many are an object, at each of t thresholds
    objects:   of the truth
    """

    scores: NDArray[np.float64]
    predicted: NDArray[np.int64]
    right: NDArray[np.int64]
    objects: int

    @classmethod
    def of(
        cls, overlaps: Overlaps, scores: NDArray[np.float64], ious: Sequence[Fraction]
    ) -> Ranking:
        """scores: of each of the segments; ious: the thresholds"""
        descending, entry = np.unique(-scores, return_inverse=True)
        ones = np.ones(len(scores), np.int64)
        right = [
            sums(entry, _is_right(overlaps, scores, iou).astype(np.int64), len(descending))
            for iou in ious
        ]
        return cls(
            -descending,
            sums(entry, ones, len(descending)),
            np.array(right, np.int64).reshape(len(ious), len(descending)),
            len(overlaps.objects),
        )

    def average_precision(self, threshold: int) -> float | None:
        """Mean over the recalls 0, .01, .. 1 of the highest precision at that recall or a higher
        one, 0 where it is not reached; None where there is neither a segment nor an object.

        threshold: its number
        """
        if not self.objects:
            return 0.0 if len(self.scores) else None
        right = np.cumsum(self.right[threshold])
        precision = right / np.cumsum(self.predicted)
        highest = np.maximum.accumulate(precision[::-1])[::-1]
        # in integers: recall 7/10 is 70 hundredths
        place = np.searchsorted((_POINTS - 1) * right, self.objects * np.arange(_POINTS))
        return float(np.append(highest, 0.0)[place].sum() / _POINTS)

    def pool(self, others: Iterable[Ranking]) -> Ranking:
        """The segments of several volumes in one ranking."""
        all_of = (self, *others)
        scores = np.concatenate([ranking.scores for ranking in all_of])
        descending, entry = np.unique(-scores, return_inverse=True)
        predicted = np.concatenate([ranking.predicted for ranking in all_of])
        right = np.concatenate([ranking.right for ranking in all_of], axis=1)
        return Ranking(
            -descending,
            sums(entry, predicted, len(descending)),
            np.array([sums(entry, row, len(descending)) for row in right]).reshape(
                len(right), len(descending)
            ),
            sum(ranking.objects for ranking in all_of),
        )


def _is_right(overlaps: Overlaps, scores: NDArray[np.float64], iou: Fraction) -> NDArray[np.bool_]:
    """Segments that take an object when each, the highest score first, takes the free one that it
    shares the largest part of the union with; of equal ones the last, as COCO's program does."""
    places = np.flatnonzero(overlaps.at_least(iou))
    contested = is_contested(overlaps, places)
    right = np.zeros(len(overlaps.segments), np.bool_)
    right[overlaps.segment[places[~contested]]] = True
    rest = places[contested]
    order = np.lexsort(
        (-overlaps.object[rest], -overlaps.ious[rest], -scores[overlaps.segment[rest]])
    )
    taken: set[int] = set()
    pairs = zip(overlaps.segment[rest][order], overlaps.object[rest][order], strict=True)
    for segment, of_object in pairs:
        if not right[segment] and of_object not in taken:
            right[segment] = True
            taken.add(of_object)
    return right
