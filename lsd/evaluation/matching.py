"""Which segment is taken for which object, one to one, and how many are right, false and missed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from lsd.evaluation.overlaps import Overlaps
from lsd.evaluation.undefined import ratio


@dataclass(frozen=True)
class Found:
    """How many objects were found, at one threshold of the intersection over union (IoU).

    tp: pairs of a segment and an object;  fp: segments without one;  fn: objects without one
    iou_sum: of the pairs
    What is undefined, as all of it where there is neither a segment nor an object, is None.
    Source: Kirillov et al. 2019 (panoptic quality).
    """

    tp: int
    fp: int
    fn: int
    iou_sum: float

    @property
    def precision(self) -> float | None:
        """Of the segments, the fraction that is an object."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Of the objects, the fraction that was found."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float | None:
        """TP / (TP + FP + FN), which stardist, cellpose and Kaggle (2018) call average precision at
        a threshold."""
        return ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def sq(self) -> float | None:
        """Segmentation quality: mean IoU of the pairs."""
        return ratio(self.iou_sum, self.tp)

    @property
    def rq(self) -> float | None:
        """Recognition quality: F1 by another name."""
        return self.f1

    @property
    def pq(self) -> float | None:
        """Panoptic quality, SQ * RQ; 0 where nothing was found of what there is."""
        return ratio(2 * self.iou_sum, 2 * self.tp + self.fp + self.fn)

    def __add__(self, other: Found) -> Found:
        return Found(
            self.tp + other.tp,
            self.fp + other.fp,
            self.fn + other.fn,
            self.iou_sum + other.iou_sum,
        )


def found_at(overlaps: Overlaps, iou: Fraction) -> tuple[Found, NDArray[np.int64]]:
    """What was found at a threshold, and the pairs (places in `overlaps`)."""
    pairs = one_to_one(overlaps, overlaps.at_least(iou))
    tp = len(pairs)
    return (
        Found(
            tp=tp,
            fp=len(overlaps.segments) - tp,
            fn=len(overlaps.objects) - tp,
            iou_sum=math.fsum(overlaps.ious[pairs]),
        ),
        pairs,
    )


def one_to_one(overlaps: Overlaps, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """As many of the allowed pairs as possible, in which no segment and no object occurs twice; of
    several such choices that with the largest sum of IoUs.  Ascending places in `overlaps`."""
    places = np.flatnonzero(allowed)
    contested = is_contested(overlaps, places)
    chosen = places[~contested]
    if contested.any():
        chosen = np.concatenate([chosen, _assigned(overlaps, places[contested])])
    return np.sort(chosen)


def is_contested(overlaps: Overlaps, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of pairs, whether their segment or their object occurs in another one of them.  None does
    where all share more than half of their union."""
    segment, of_object = overlaps.segment[places], overlaps.object[places]
    return np.asarray((np.bincount(segment)[segment] > 1) | (np.bincount(of_object)[of_object] > 1))


def _assigned(overlaps: Overlaps, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The best of contested pairs: the assignment of segments to objects, or each to nothing, that
    costs least."""
    segments, row = np.unique(overlaps.segment[places], return_inverse=True)
    objects, column = np.unique(overlaps.object[places], return_inverse=True)
    # a pair costs 1 to 2, and to go without one more than all that can be saved among pairs
    alone = min(len(segments), len(objects)) + 3.0
    rows = np.arange(len(segments))
    costs = csr_array(
        (
            np.concatenate([2 - overlaps.ious[places], np.full(len(segments), alone)]),
            (np.concatenate([row, rows]), np.concatenate([column, len(objects) + rows])),
        ),
        shape=(len(segments), len(objects) + len(segments)),
    )
    chosen_row, chosen_column = min_weight_full_bipartite_matching(costs)
    is_pair = chosen_column < len(objects)
    keys = row * len(objects) + column
    wanted = chosen_row[is_pair].astype(np.int64) * len(objects) + chosen_column[is_pair]
    return places[np.isin(keys, wanted)]
