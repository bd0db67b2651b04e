"""Masks: how much of what is an object lies in a segment, whichever."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from lsd import spec
from lsd.arrays.contingency import Contingency
from lsd.evaluation.metric import Background, TableMetric, refuse_nothing
from lsd.evaluation.overlaps import Overlaps
from lsd.evaluation.score import NO_OBJECT, Score, as_objective, defined
from lsd.evaluation.undefined import ratio

TITLES = {
    "iou": "IoU",
    "dice": "Dice",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
}
COUNTS = ("both", "segments_alone", "objects_alone", "neither")


@dataclass(frozen=True)
class ForegroundScore(Score):
    """Voxels by what they are: an object and in a segment, in a segment alone, an object alone,
    neither.  What is undefined is None.

    wanted: the number that is best where it is highest
    """

    title: ClassVar[str] = "score of the foreground"
    short: ClassVar[str] = "foreground"
    definitions: ClassVar[Mapping[str, str]] = {
        "iou": "Intersection over union of what is an object and what lies in segments.",
        "dice": "Twice the intersection, over the sum of both.",
        "accuracy": "Share of all voxels that are right, background among them.",
        "precision": "Of what lies in segments, the share that is an object.",
        "recall": "Of what is an object, the share that lies in segments.",
    }
    note: ClassVar[str] = (
        "of voxels, whatever object or segment they are of: IoU is the Jaccard index"
    )

    both: int
    segments_alone: int
    objects_alone: int
    neither: int
    wanted: str = "iou"

    @classmethod
    def of(cls, overlaps: Overlaps, *, wanted: str = "iou") -> ForegroundScore:
        """Of the objects of a volume."""
        both = int(overlaps.shared.sum())
        segments, objects = (
            int(areas.sum()) for areas in (overlaps.segment_areas, overlaps.object_areas)
        )
        either = segments + objects - both
        return cls(both, segments - both, objects - both, overlaps.voxels - either, wanted)

    @property
    def iou(self) -> float | None:
        """Intersection over union (Jaccard)."""
        return ratio(self.both, self.both + self.segments_alone + self.objects_alone)

    @property
    def dice(self) -> float | None:
        """Twice the intersection over the sum of both."""
        return ratio(2 * self.both, 2 * self.both + self.segments_alone + self.objects_alone)

    @property
    def accuracy(self) -> float | None:
        """The fraction of the voxels that are right, background among them."""
        return ratio(self.both + self.neither, self.voxels)

    @property
    def precision(self) -> float | None:
        """Of what lies in segments, the fraction that is an object."""
        return ratio(self.both, self.both + self.segments_alone)

    @property
    def recall(self) -> float | None:
        """Of what is an object, the fraction that lies in segments."""
        return ratio(self.both, self.both + self.objects_alone)

    @property
    def voxels(self) -> int:
        """That were counted."""
        return self.both + self.segments_alone + self.objects_alone + self.neither

    @property
    def objective(self) -> float:
        """1 - the number that is wanted."""
        return as_objective(getattr(self, self.wanted))

    @property
    def nothing_to_find(self) -> str:
        """No object, unless it is the voxels of the background that count, too."""
        counts = self.wanted == "accuracy" or self.both + self.objects_alone
        return "" if counts else NO_OBJECT

    def as_dict(self) -> dict[str, Any]:
        """Every score by name, and the voxels."""
        return {name: getattr(self, name) for name in (*TITLES, *COUNTS)}

    def row(self) -> dict[str, float | None]:
        """All of it, the one that is wanted first."""
        return {TITLES[name]: value for name, value in self.swept().items()}

    def brief(self) -> dict[str, float | None]:
        """The number that is wanted."""
        return {f"foreground {TITLES[self.wanted]}": getattr(self, self.wanted)}

    def swept(self) -> dict[str, float | None]:
        """The same as in a table."""
        names = sorted(TITLES, key=lambda name: name != self.wanted)
        return {name: getattr(self, name) for name in names}

    def labels(self) -> list[str]:
        """Their titles."""
        return list(self.row())

    def curves(self) -> dict[str, float]:
        """All that is defined."""
        return defined(self.swept())

    def pool(self, others: Sequence[ForegroundScore]) -> ForegroundScore:
        """Voxels of several volumes, added up."""
        scores = (self, *others)
        return replace(
            self, **{name: sum(getattr(score, name) for score in scores) for name in COUNTS}
        )

    def __str__(self) -> str:
        return "foreground " + in_words(self.row())


def in_words(numbers: Mapping[str, float | None]) -> str:
    """ "IoU 0.612, Dice undefined"."""
    words = {
        title: "undefined" if value is None else f"{value:.3f}" for title, value in numbers.items()
    }
    return ", ".join(f"{title} {value}" for title, value in words.items())


class ForegroundMetric(TableMetric):
    """`spec.ForegroundOverlap`."""

    def score(
        self, table: Contingency, *, ignore: Collection[int], background: Background
    ) -> ForegroundScore:
        """The `ForegroundScore` of a table."""
        overlaps = Overlaps.of(table, left_out=ignore)
        refuse_nothing(table, ignore, counted=overlaps.voxels)
        settings: spec.ForegroundOverlap = self.spec
        return ForegroundScore.of(overlaps, wanted=settings.objective)
