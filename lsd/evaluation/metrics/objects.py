"""The metric of objects: which were found, by how much segments and objects overlap."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lsd import spec
from lsd.arrays.contingency import Contingency
from lsd.evaluation.likeness import Likeness
from lsd.evaluation.matching import Found, found_at
from lsd.evaluation.metric import Background, TableMetric, refuse_nothing
from lsd.evaluation.metrics.foreground import ForegroundScore, in_words
from lsd.evaluation.overlaps import Overlaps, decimal
from lsd.evaluation.ranking import Ranking
from lsd.evaluation.score import NO_OBJECT, Score, as_objective, defined
from lsd.evaluation.undefined import Average, average
from lsd.spec.evaluate import IOUS
from lsd.spec.plurals import are, counted

# that are computed at each IoU, and their mean over several
AT_EACH = ("accuracy", "ranked", "precision", "recall", "f1", "sq", "pq")
TITLES = {
    "accuracy": "accuracy",
    "ranked": "ranked AP",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "sq": "SQ",
    "pq": "PQ",
    "aji": "AJI",
    "best_dice": "best Dice",
}


@dataclass(frozen=True, eq=False)
class ObjectScore(Score):
    """What a segmentation found of the objects of a volume, or of several whose counts were added
    up.  What is undefined is None.

    found:    at each threshold of the IoU, ascending
    ranking:  segments by their size, at the same thresholds
    likeness, foreground: without a threshold
    dropped:  objects that are no part of all that, since they are too small
    wanted:   which of the numbers is the objective
    """

    title: ClassVar[str] = "score of objects"
    short: ClassVar[str] = "objects"
    definitions: ClassVar[Mapping[str, str]] = {
        "accuracy": "TP / (TP + FP + FN); TP: pairs of a segment and an object with an IoU of "
        "`iou` or more, FP: segments without one, FN: objects without one.",
        "ranked": "Average precision as COCO has it, of segments ranked by their size.",
        "f1": "2 TP / (2 TP + FP + FN).",
        "pq": "Panoptic quality, SQ times F1.",
        "precision": "TP / (TP + FP).",
        "recall": "TP / (TP + FN).",
        "sq": "Segmentation quality, the mean IoU of the pairs.",
        "aji": "Aggregated Jaccard index.",
        "best_dice": "Mean Dice of each object with the segment most like it, or of each segment "
        "with the object, whichever is smaller.",
        "iou": "The intersection over union from which on a segment is taken for an object.",
        "tp": "Pairs of a segment and an object.",
        "fp": "Segments without an object.",
        "fn": "Objects without a segment.",
    }
    note: ClassVar[str] = (
        "accuracy is TP / (TP + FP + FN), the AP of stardist and cellpose; ranked AP is COCO's, of "
        "segments by their size;\nmeans are over IoU 0.5, 0.55, .. 0.95; counts of several volumes "
        "are added up"
    )

    found: Mapping[float, Found]
    ranking: Ranking
    likeness: Likeness
    foreground: ForegroundScore
    dropped: int
    wanted: spec.ObjectDetection

    @classmethod
    def of(cls, overlaps: Overlaps, wanted: spec.ObjectDetection) -> ObjectScore:
        """Of the objects of a volume."""
        ious = sorted({*IOUS, *(() if wanted.iou is None else (wanted.iou,))})
        decimals = [decimal(iou) for iou in ious]
        return cls(
            {iou: found_at(overlaps, exact)[0] for iou, exact in zip(ious, decimals, strict=True)},
            Ranking.of(overlaps, overlaps.segment_areas.astype(float), decimals),
            Likeness.of(overlaps),
            ForegroundScore.of(overlaps),
            overlaps.dropped,
            wanted,
        )

    @property
    def iou(self) -> float:
        """From which on a segment is taken for an object, where there is one: that of the settings,
        else the first."""
        return IOUS[0] if self.wanted.iou is None else self.wanted.iou

    @property
    def objective(self) -> float:
        """1 - the number that is wanted."""
        return as_objective(self.value)

    @property
    def nothing_to_find(self) -> str:
        """No object."""
        return "" if self.likeness.objects else NO_OBJECT

    @property
    def value(self) -> float | None:
        """The number that is wanted."""
        name = self.wanted.objective
        if name not in AT_EACH:
            return {"aji": self.likeness.aji, "best_dice": self.likeness.best_dice}[name]
        return self.mean(name).mean if self.wanted.iou is None else self._at(self.iou, name)

    def at(self, iou: float) -> dict[str, float | None]:
        """The numbers at one of the thresholds, by name."""
        return {name: self._at(iou, name) for name in AT_EACH}

    def mean(self, name: str) -> Average:
        """Of one number, over the IoUs 0.5, 0.55, .. 0.95."""
        return average(self._at(iou, name) for iou in IOUS)

    def as_dict(self) -> dict[str, Any]:
        """Everything by name: counts and numbers at the threshold, their means over IOUS and how
        many undefined ones were left out of each, and all of it by threshold."""
        likeness, means = self.likeness, {name: self.mean(name) for name in AT_EACH}
        by_iou = {
            repr(iou): {"tp": found.tp, "fp": found.fp, "fn": found.fn, **self.at(iou)}
            for iou, found in self.found.items()
        }
        return {
            "objects": likeness.objects,
            "segments": likeness.segments,
            "dropped": self.dropped,
            "iou": self.iou,
            **by_iou[repr(self.iou)],
            "rq": self.found[self.iou].rq,
            "aji": likeness.aji,
            "best_dice": likeness.best_dice,
            "object_best_dice": likeness.object_best_dice,
            "segment_best_dice": likeness.segment_best_dice,
            "mean": {name: mean.mean for name, mean in means.items()},
            "left_out_of_mean": {name: mean.left_out for name, mean in means.items()},
            "by_iou": by_iou,
            "foreground": self.foreground.as_dict(),
        }

    def row(self) -> dict[str, float | None]:
        """The number that is wanted, then those that others report."""
        at, percent = self.at(self.iou), f"{100 * self.iou:.4g}"
        shown = {
            f"accuracy{percent}": at["accuracy"],
            f"ranked AP{percent}": at["ranked"],
            f"F1 {percent}": at["f1"],
            f"PQ {percent}": at["pq"],
            "mean accuracy": self.mean("accuracy").mean,
            "mean ranked AP": self.mean("ranked").mean,
            "AJI": self.likeness.aji,
            "IoU": self.foreground.iou,
        }
        return self.brief() | shown

    def brief(self) -> dict[str, float | None]:
        """The number that is wanted."""
        name = self.wanted.objective
        title = TITLES[name]
        if name in AT_EACH:
            percent = f"{100 * self.iou:.4g}"
            between = "" if name in ("accuracy", "ranked") else " "
            title = f"mean {title}" if self.wanted.iou is None else f"{title}{between}{percent}"
        return {title: self.value}

    def swept(self) -> dict[str, float | None]:
        """As in a table, the number that is wanted first."""
        return {
            heading.lower().replace(" ", "_"): value for heading, value in self._drawn().items()
        }

    def labels(self) -> list[str]:
        """Their headings."""
        return list(self._drawn())

    def curves(self) -> dict[str, float]:
        """What is defined of the same."""
        return defined(self.swept())

    def pool(self, others: Sequence[ObjectScore]) -> ObjectScore:
        """Segments and objects of several volumes as those of one: counts are added up, scores are
        not averaged."""
        scores = (self, *others)
        return ObjectScore(
            {
                iou: sum((score.found[iou] for score in scores), Found(0, 0, 0, 0.0))
                for iou in self.found
            },
            self.ranking.pool([score.ranking for score in others]),
            sum((score.likeness for score in others), self.likeness),
            self.foreground.pool([score.foreground for score in others]),
            sum(score.dropped for score in scores),
            self.wanted,
        )

    def __str__(self) -> str:
        found = self.found[self.iou]
        return (
            f"{in_words(self.brief())} ({found.tp} of {found.tp + found.fn} objects found at IoU "
            f"{self.iou:g}, {counted(found.fp, 'segment')} {are(found.fp)} none)"
        )

    def _at(self, iou: float, name: str) -> float | None:
        if name == "ranked":
            return self.ranking.average_precision(list(self.found).index(iou))
        number: float | None = getattr(self.found[iou], name)
        return number

    def _drawn(self) -> dict[str, float | None]:
        """Few enough for a figure."""
        row = self.row()
        percent = f"{100 * self.iou:.4g}"
        others = (f"accuracy{percent}", f"F1 {percent}", f"PQ {percent}", "mean accuracy", "IoU")
        return self.brief() | {heading: row[heading] for heading in others}


class ObjectsMetric(TableMetric):
    """`spec.ObjectDetection`."""

    finds_wholes = True

    def score(
        self, table: Contingency, *, ignore: Collection[int], background: Background
    ) -> ObjectScore:
        """The `ObjectScore` of a table."""
        settings: spec.ObjectDetection = self.spec
        overlaps = Overlaps.of(table, left_out=ignore, min_size=settings.min_size)
        refuse_nothing(table, ignore, counted=overlaps.voxels)
        return ObjectScore.of(overlaps, settings)
