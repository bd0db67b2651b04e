"""The score of cremi.org, counted as its own program does."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from lsd.arrays.contingency import Contingency
from lsd.evaluation.boundaries import NOT_COMPARED
from lsd.evaluation.metric import Background, TableMetric, refuse_nothing
from lsd.evaluation.partition import score as partition_score
from lsd.evaluation.score import Score


@dataclass(frozen=True)
class CremiScore(Score):
    """Scores of a volume as cremi.org has them, or the means of several volumes.

    voi_split, voi_merge: bits, of truth that is not near a boundary; segment 0 is one segment
    arand: adapted Rand error, 1 - F-score of squared overlaps; segment 0 is no segment, its voxels
           are single, and each of them counts 1 / (all voxels of the volume)
    score: sqrt((voi_split + voi_merge) * arand)
    samples: volumes that these are the means of
    """

    title: ClassVar[str] = "CREMI score of cremi.org"
    short: ClassVar[str] = "CREMI"
    columns: ClassVar[Mapping[str, str]] = {
        "score": "CREMI",
        "voi_split": "VOI split",
        "voi_merge": "VOI merge",
        "arand": "ARAND",
    }
    over_thresholds: ClassVar[Mapping[str, str]] = {
        "score": "CREMI",
        "voi_split": "VOI split",
        "voi_merge": "VOI merge",
        "arand": "ARAND",
    }
    note: ClassVar[str] = (
        "as cremi.org computes them: truth near a boundary is left out, segment 0 is one segment "
        "to the VOI (bits) and single voxels\nto the Rand error; of several volumes the means"
    )

    voi_split: float
    voi_merge: float
    arand: float
    score: float
    samples: int = 1

    @property
    def objective(self) -> float:
        """The score."""
        return self.score

    def as_dict(self) -> dict[str, Any]:
        """Everything by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def curves(self) -> dict[str, float]:
        """The Rand error."""
        return {"arand": self.arand}

    def pool(self, others: Sequence[CremiScore]) -> CremiScore:
        """The means over volumes, as cremi.org gives them for its three."""
        scores = (self, *others)
        samples = sum(each.samples for each in scores)
        split, merge, arand, score = (
            sum(getattr(each, name) * each.samples for each in scores) / samples
            for name in ("voi_split", "voi_merge", "arand", "score")
        )
        return CremiScore(split, merge, arand, score, samples)

    def __str__(self) -> str:
        return (
            f"CREMI score {self.score:.3f} (VOI split {self.voi_split:.3f} + merge "
            f"{self.voi_merge:.3f} bits, ARAND {self.arand:.3f})"
        )


class CremiMetric(TableMetric):
    """`spec.Cremi`."""

    finds_wholes = True

    def score(
        self, table: Contingency, *, ignore: Collection[int], background: Background
    ) -> CremiScore:
        """The `CremiScore` of a table, in which truth near boundaries is `NOT_COMPARED`."""
        left_out = [*ignore, NOT_COMPARED]
        used = ~np.isin(table.objects, np.array(left_out, np.uint64))
        compared = Contingency(table.segments[used], table.objects[used], table.voxels[used])
        refuse_nothing(table, left_out, counted=int(compared.voxels.sum()))
        voi = partition_score(compared, ignore=(), background="label")
        arand = _adapted_rand(compared, voxels=int(table.voxels.sum()))
        score = math.sqrt(voi.voi_sum * arand)
        return CremiScore(voi.voi_split, voi.voi_merge, arand, score)


def _adapted_rand(table: Contingency, *, voxels: int) -> float:
    """voxels: of the whole volume, with what is not compared."""
    shared, inside = table.voxels.astype(np.float64), table.segments > 0
    # as its program has it: not one pair for each voxel of segment 0, but as many as 1 / voxels
    single = float(shared[~inside].sum()) / voxels
    in_objects = _squares(table.objects, shared)
    in_segments = _squares(table.segments[inside], shared[inside]) + single
    in_both = float((shared[inside] ** 2).sum()) + single
    precision, recall = in_both / in_segments, in_both / in_objects
    # rounding may leave a perfect one a hair below 0
    return max(0.0, 1 - 2 * precision * recall / (precision + recall))


def _squares(ids: Any, voxels: Any) -> float:
    """The sum of the squared sizes of what has these ids."""
    _, place = np.unique(ids, return_inverse=True)
    return float((np.bincount(place, voxels) ** 2).sum())
