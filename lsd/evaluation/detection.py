"""Objects that were found, of two arrays or of the table that was counted of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import explaining_calls, number, whole_number
from lsd.arrays.contingency import Contingency
from lsd.arrays.ids import ids
from lsd.evaluation.matching import Found, found_at
from lsd.evaluation.overlaps import Overlaps, decimal
from lsd.evaluation.ranking import Ranking
from lsd.evaluation.undefined import average
from lsd.spec.evaluate import IOUS

Kind = Literal["accuracy", "ranked"]
Segments = NDArray[Any] | Contingency
Scores = Mapping[int, float] | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Match(Found):
    """What was found, and as what.

    pairs: (tp, 2) uint64, segment and object;  ious: (tp,) of each pair
    """

    pairs: NDArray[np.uint64]
    ious: NDArray[np.float64]


@explaining_calls
def match(
    segmentation: Segments,
    truth: NDArray[Any] | None = None,
    *,
    threshold: float,
    min_size: int = 0,
    mask: NDArray[Any] | None = None,
) -> Match:
    """Which segment is taken for which object: one to one, as many pairs with an intersection over
    union (IoU) of `threshold` or more as possible, then with the largest sum of IoUs.

    segmentation, truth: integer arrays of one shape, in which 0 is background; or the table of both
               (`lsd.arrays.contingency.Contingency`) alone
    threshold: 0 to 1, the decimal that it prints as: an IoU of 7/10 is enough for 0.7
    min_size:  objects of the truth with fewer voxels are left out, with their voxels
    mask:      where voxels count
    Gives tp, fp and fn, pairs with their IoUs, and precision, recall, f1, accuracy, sq, rq and pq,
    which are None where they are undefined.
    Raises ValueError for shapes that differ and arrays that are no ids.

    >>> import numpy
    >>> from lsd.evaluation.detection import match
    >>> truth = numpy.array([[1, 1, 1, 1, 0, 2, 2, 2]])
    >>> segments = numpy.array([[7, 7, 7, 0, 0, 8, 0, 0]])
    >>> found = match(segments, truth, threshold=0.5)
    >>> found.tp, found.fp, found.fn, found.sq
    (1, 1, 1, 0.75)
    """
    overlaps = _overlaps(segmentation, truth, min_size=min_size, mask=mask)
    found, places = found_at(overlaps, decimal(number(threshold, "threshold", low=0, high=1)))
    pairs = np.stack(
        [
            overlaps.segments[overlaps.segment[places]],
            overlaps.objects[overlaps.object[places]],
        ],
        axis=1,
    )
    return Match(**vars(found), pairs=pairs, ious=overlaps.ious[places])


@explaining_calls
def average_precision(
    segmentation: Segments,
    truth: NDArray[Any] | None = None,
    *,
    kind: Kind,
    thresholds: float | Iterable[float] = IOUS,
    min_size: int = 0,
    scores: Scores | None = None,
    mask: NDArray[Any] | None = None,
) -> float | None:
    """Average precision: the mean over thresholds of the intersection over union, by default 0.5,
    0.55, .. 0.95; None where there is neither a segment nor an object.

    kind:   "accuracy": TP / (TP + FP + FN) of `match`, which stardist, cellpose and Kaggle (2018)
            call average precision;
            "ranked": area under the precision at 101 recalls of segments ranked by a score, as COCO
            has it
    scores: by which "ranked" ranks: a number for each segment, or an array of the shape of the
            segmentation, of which each segment has the mean, such as a probability.  None: their
            sizes
    segmentation, truth, min_size, mask: as of `match`
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}; allowed: {', '.join(get_args(Kind))}")
    given = thresholds if isinstance(thresholds, Iterable) else (thresholds,)
    exact = [decimal(number(iou, "thresholds", low=0, high=1)) for iou in given]
    if not exact:
        raise ValueError("thresholds are empty; name at least one, between 0 and 1")
    overlaps = _overlaps(segmentation, truth, min_size=min_size, mask=mask)
    if kind == "accuracy":
        if scores is not None:
            raise ValueError('scores are of kind="ranked"; accuracy knows no order of segments')
        return average(found_at(overlaps, iou)[0].accuracy for iou in exact).mean
    ranking = Ranking.of(overlaps, _scores(scores, segmentation, overlaps, mask), exact)
    return average(ranking.average_precision(place) for place in range(len(exact))).mean


def _overlaps(
    segmentation: Segments,
    truth: NDArray[Any] | None,
    *,
    min_size: int,
    mask: NDArray[Any] | None,
) -> Overlaps:
    least = whole_number(min_size, "min_size", low=0)
    if isinstance(segmentation, Contingency):
        if truth is not None or mask is not None:
            raise ValueError("a table holds the truth and what is counted; give nothing beside it")
        return Overlaps.of(segmentation, min_size=least)
    if truth is None:
        raise ValueError("there is no truth to compare with; give it as the second array")
    return Overlaps.of(Contingency.of(segmentation, truth, mask=mask), min_size=least)


def _scores(
    scores: Scores | None,
    segmentation: Segments,
    overlaps: Overlaps,
    mask: NDArray[Any] | None,
) -> NDArray[np.float64]:
    """Of each segment.  Raises ValueError where one has none, or it is no number."""
    if scores is None:
        return overlaps.segment_areas.astype(np.float64)
    if isinstance(scores, Mapping):
        missing = [segment for segment in overlaps.segments.tolist() if segment not in scores]
        if missing:
            raise ValueError(f"segment {missing[0]} has no score; give one for each")
        by_segment = np.array([scores[segment] for segment in overlaps.segments.tolist()], float)
    else:
        by_segment = _means(scores, segmentation, overlaps, mask)
    if np.isnan(by_segment).any():
        raise ValueError("a score is no number (nan), and segments cannot be ranked by it")
    return by_segment


def _means(
    values: NDArray[Any], segmentation: Segments, overlaps: Overlaps, mask: NDArray[Any] | None
) -> NDArray[np.float64]:
    """The mean of `values` over each segment."""
    if isinstance(segmentation, Contingency):
        raise ValueError(
            "a table does not say where segments lie; give a score for each, as in {segment: score}"
        )
    labels, values = ids(segmentation, "segmentation"), np.asarray(values)
    if values.shape != labels.shape:
        raise ValueError(
            f"scores have shape {values.shape}, the segmentation {labels.shape}; give one number a "
            "voxel, or one a segment, as in {segment: score}"
        )
    # numpy compares int64 with uint64 as float64, in which large ids are one
    labels = labels.astype(np.uint64, copy=False)
    counted = np.isin(labels, overlaps.segments)
    if mask is not None:
        counted &= np.asarray(mask, np.bool_)
    place = np.searchsorted(overlaps.segments, labels[counted])
    total = np.bincount(place, values[counted].astype(np.float64), len(overlaps.segments))
    return np.asarray(total / np.bincount(place, minlength=len(overlaps.segments)))
