"""How sure scores of objects are: intervals of what other objects of the same kind would give, from
drawing those that there are again and again, with replacement.

Source: Efron 1979 (percentiles of the bootstrap).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.components import connected_components
from lsd.arrays.contingency import Contingency
from lsd.arrays.sums import sums
from lsd.evaluation.detection import match
from lsd.evaluation.overlaps import Overlaps

DRAWS = 2000
# of each object: what was found of it at IoU 0.5, and its voxels in segments, outside of them, and
# of segments outside of objects
COUNTS = ("tp", "fp", "fn", "iou", "both", "missed", "beyond")
SCORES = ("AP50", "PQ", "IoU")


@dataclass(frozen=True, eq=False)
class Truth:
    """Objects of a stack of images, or of one volume.

    objects: (z, y, x), the id of each; in several sections an object is one, since sections of one
             object are alike
    parts:   what segments are compared with: the objects, or the pieces of them in each section
    owner:   the object of each part, by its number
    """

    objects: NDArray[np.uint64]
    parts: NDArray[np.uint64]
    owner: NDArray[np.uint64]

    @classmethod
    def of(cls, objects: NDArray[np.uint64], *, by_section: bool) -> Truth:
        """by_section: every section is an image of its own."""
        parts, owner = connected_components(objects, connectivity=8 if by_section else None)
        return cls(objects, parts.astype(np.uint64), owner)


def bootstrap(
    truth: Truth, *segmentations: NDArray[np.uint64], draws: int = DRAWS
) -> NDArray[np.float64]:
    """(draws + 1, segmentations, 3): `SCORES` of each, first of all objects as they are, then of
    each draw, in which all segmentations see the same objects.

    segmentations: (z, y, x), ids that no two sections share where each is an image of its own
    What is drawn is an object, with all its sections and the segments that overlap it most; and
    what lies on no object, as pieces of all segmentations together.
    """
    tables = [_match(segmentation, truth) for segmentation in segmentations]
    strays = np.zeros(truth.objects.shape, np.bool_)
    for segmentation, table in zip(segmentations, tables, strict=True):
        strays |= np.isin(segmentation, table.homeless)
    places, _ = connected_components(strays)
    rows = np.stack(
        [
            _rows(truth, segmentation, table, places)
            for segmentation, table in zip(segmentations, tables, strict=True)
        ]
    )
    units = rows.shape[1]
    drawn = np.random.default_rng(0).multinomial(units, np.full(units, 1 / units), size=draws)
    weights = np.concatenate([np.ones((1, units)), drawn])
    return _scores(np.einsum("du,suc->dsc", weights, rows))


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Between which 95% of the draws lie."""
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class _Matched:
    """overlaps: of segments and parts; segment, part, iou: of each pair that was found;
    home: the part that each segment overlaps most, by its place, -1 where there is none;
    homeless: segments without one"""

    overlaps: Overlaps
    segment: NDArray[np.int64]
    part: NDArray[np.int64]
    iou: NDArray[np.float64]
    home: NDArray[np.int64]

    @property
    def homeless(self) -> NDArray[np.uint64]:
        """Their ids."""
        return self.overlaps.segments[self.home < 0]


def _match(segmentation: NDArray[np.uint64], truth: Truth) -> _Matched:
    table = Contingency.of(segmentation, truth.parts)
    overlaps, found = Overlaps.of(table), match(table, threshold=0.5)
    home = np.full(len(overlaps.segments), -1)
    ascending = np.argsort(overlaps.shared, kind="stable")
    # of several parts the last that is written stays, which is the largest
    home[overlaps.segment[ascending]] = overlaps.object[ascending]
    return _Matched(
        overlaps,
        np.searchsorted(overlaps.segments, found.pairs[:, 0]),
        np.searchsorted(overlaps.objects, found.pairs[:, 1]),
        found.ious,
        home,
    )


def _rows(
    truth: Truth, segmentation: NDArray[np.uint64], matched: _Matched, places: NDArray[np.uint32]
) -> NDArray[np.float64]:
    """`COUNTS` of each object, and of each place where segments lie on none."""
    overlaps = matched.overlaps
    ids = np.unique(truth.owner[1:])
    of_part = np.searchsorted(ids, truth.owner[overlaps.objects])
    units = len(ids) + int(places.max(initial=0))
    of_segment = np.where(matched.home < 0, -1, of_part[matched.home] if len(of_part) else -1)
    stray = places > 0
    segments = np.searchsorted(overlaps.segments, segmentation[stray])
    on_place = segmentation[stray] > 0
    first = segments[on_place]
    homeless = first[matched.home[first] < 0]
    of_segment[homeless] = len(ids) + places[stray][on_place][matched.home[first] < 0] - 1

    def added(units_of: NDArray[np.int64], values: NDArray[np.generic]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(units_of, values.astype(np.float64), units), np.float64)

    def counted(units_of: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.bincount(units_of, minlength=units).astype(np.float64)

    tp = counted(of_part[matched.part])
    shared_of_segment = sums(overlaps.segment, overlaps.shared, len(overlaps.segments))
    both = added(of_part[overlaps.object], overlaps.shared)
    columns = {
        "tp": tp,
        "fp": counted(np.delete(of_segment, matched.segment)),
        "fn": counted(of_part) - tp,
        "iou": added(of_part[matched.part], matched.iou),
        "both": both,
        "missed": added(of_part, overlaps.object_areas) - both,
        "beyond": added(of_segment, overlaps.segment_areas - shared_of_segment),
    }
    return np.stack([columns[name] for name in COUNTS], axis=1)


def _scores(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """`SCORES` of sums of `COUNTS`, in their last axis; nan where undefined."""
    tp, fp, fn, iou, both, missed, beyond = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore"):
        return np.stack(
            [
                tp / (tp + fp + fn),
                iou / (tp + (fp + fn) / 2),
                both / (both + missed + beyond),
            ],
            axis=-1,
        )
