"""The metric of benchmarks of large objects: what was found, how much of the foreground, and how
well objects are kept apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from lsd import spec
from lsd.arrays.contingency import Contingency
from lsd.evaluation import partition
from lsd.evaluation.metric import Background, TableMetric, refuse_nothing
from lsd.evaluation.metrics.foreground import ForegroundScore, in_words
from lsd.evaluation.overlaps import Overlaps, decimal
from lsd.evaluation.partition import Partition
from lsd.evaluation.ranking import Ranking
from lsd.evaluation.score import NO_OBJECT, Score, as_objective, defined
from lsd.evaluation.undefined import average
from lsd.spec.evaluate import IOUS

TITLES = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "dice": "Dice",
    "jaccard": "Jaccard",
    "voi": "VOI",
    "arand": "ARAND",
}
# that are best at 0
_ERRORS = ("voi", "arand")


@dataclass(frozen=True, eq=False)
class BenchmarkScore(Score):
    """Scores of the objects of a volume, or of several whose counts were added up.  What is
    undefined is None.

    ranking:    segments by their size, at each IoU of IOUS
    foreground: voxels, whatever object or segment they are of
    partition:  of the voxels of objects; None where there is no object
    segments, objects: how many there are;  dropped: objects that were left out, as too small
    wanted:     which of the numbers is the objective
    """

    title: ClassVar[str] = "score of large objects"
    short: ClassVar[str] = "objects"
    definitions: ClassVar[Mapping[str, str]] = {
        "ap": "Average precision as COCO has it, of segments ranked by their size, the mean over "
        "IoU 0.5, 0.55, .. 0.95.",
        "ap50": "The same at an IoU of 0.5.",
        "ap75": "The same at an IoU of 0.75.",
        "dice": "Dice of the foreground: of all objects and all segments, whichever.",
        "jaccard": "Intersection over union of the foreground.",
        "voi": "Variation of information of the voxels of objects, bits.",
        "arand": "Adapted Rand error of the voxels of objects.",
    }
    note: ClassVar[str] = (
        "AP is COCO's, of segments ranked by size, the mean over IoU 0.5, 0.55, .. 0.95; Dice and "
        "Jaccard are of the foreground;\nVOI (bits) and ARAND of the voxels of objects, in which "
        "background of the segmentation is one label"
    )

    ranking: Ranking
    foreground: ForegroundScore
    partition: Partition | None
    segments: int
    objects: int
    dropped: int
    wanted: str = "ap"

    @property
    def ap(self) -> float | None:
        """Average precision, the mean over the IoUs."""
        return average(self.ranking.average_precision(place) for place in range(len(IOUS))).mean

    @property
    def ap50(self) -> float | None:
        """Average precision at an IoU of 0.5."""
        return self.ranking.average_precision(IOUS.index(0.5))

    @property
    def ap75(self) -> float | None:
        """Average precision at an IoU of 0.75."""
        return self.ranking.average_precision(IOUS.index(0.75))

    @property
    def dice(self) -> float | None:
        """Dice of the foreground."""
        return self.foreground.dice

    @property
    def jaccard(self) -> float | None:
        """Intersection over union of the foreground."""
        return self.foreground.iou

    @property
    def voi(self) -> float | None:
        """Variation of information, bits."""
        return None if self.partition is None else self.partition.voi_sum

    @property
    def arand(self) -> float | None:
        """Adapted Rand error."""
        return None if self.partition is None else self.partition.arand

    @property
    def objective(self) -> float:
        """The number that is wanted, or what it lacks of 1 where that is best."""
        value: float | None = getattr(self, self.wanted)
        if self.wanted in _ERRORS and value is not None:
            return value
        return as_objective(value)

    @property
    def nothing_to_find(self) -> str:
        """No object."""
        return "" if self.objects else NO_OBJECT

    def as_dict(self) -> dict[str, Any]:
        """Every score by name, and the counts."""
        scores = {name: getattr(self, name) for name in TITLES}
        split, merge = (
            (self.partition.voi_split, self.partition.voi_merge) if self.partition else (None, None)
        )
        counts = {name: getattr(self, name) for name in ("segments", "objects", "dropped")}
        by_iou = {
            repr(iou): self.ranking.average_precision(place) for place, iou in enumerate(IOUS)
        }
        return {**scores, "voi_split": split, "voi_merge": merge, **counts, "ap_by_iou": by_iou}

    def row(self) -> dict[str, float | None]:
        """All of them."""
        return {title: getattr(self, name) for name, title in TITLES.items()}

    def brief(self) -> dict[str, float | None]:
        """The number that is wanted."""
        return {TITLES[self.wanted]: getattr(self, self.wanted)}

    def swept(self) -> dict[str, float | None]:
        """The number that is wanted first, and few others."""
        names = dict.fromkeys((self.wanted, "ap", "ap50", "ap75", "jaccard"))
        return {name: getattr(self, name) for name in names}

    def labels(self) -> list[str]:
        """Their titles."""
        return [TITLES[name] for name in self.swept()]

    def curves(self) -> dict[str, float]:
        """All that is defined."""
        return defined({name: getattr(self, name) for name in TITLES})

    def pool(self, others: Sequence[BenchmarkScore]) -> BenchmarkScore:
        """Segments, objects and voxels of several volumes as those of one."""
        scores = (self, *others)
        partitions = [score.partition for score in scores if score.partition]
        return replace(
            self,
            ranking=self.ranking.pool([score.ranking for score in others]),
            foreground=self.foreground.pool([score.foreground for score in others]),
            partition=partitions[0].pool(partitions[1:]) if partitions else None,
            segments=sum(score.segments for score in scores),
            objects=sum(score.objects for score in scores),
            dropped=sum(score.dropped for score in scores),
        )

    def __str__(self) -> str:
        return in_words(self.row())


class BenchmarkMetric(TableMetric):
    """`spec.Benchmark`."""

    finds_wholes = True

    def score(
        self, table: Contingency, *, ignore: Collection[int], background: Background
    ) -> BenchmarkScore:
        """The `BenchmarkScore` of a table."""
        settings: spec.Benchmark = self.spec
        overlaps = Overlaps.of(table, left_out=ignore, min_size=settings.min_size)
        refuse_nothing(table, ignore, counted=overlaps.voxels)
        areas = overlaps.segment_areas.astype(np.float64)
        return BenchmarkScore(
            Ranking.of(overlaps, areas, [decimal(iou) for iou in IOUS]),
            ForegroundScore.of(overlaps),
            _partition(table, overlaps),
            len(overlaps.segments),
            len(overlaps.objects),
            overlaps.dropped,
            settings.objective,
        )


def _partition(table: Contingency, overlaps: Overlaps) -> Partition | None:
    """Of the voxels of the objects that count."""
    if not len(overlaps.objects):
        return None
    rows = np.isin(table.objects, overlaps.objects)
    counted = Contingency(table.segments[rows], table.objects[rows], table.voxels[rows])
    return partition.score(counted, ignore=())
