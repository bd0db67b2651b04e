"""A metric of one's own: how much of the truth lies in segments that mostly are another object."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from lsd import spec
from lsd.evaluation.metric import TableMetric
from lsd.evaluation.score import Score


class Impurity(spec.Metric):
    """Fraction of voxels that are not of the largest object in their segment, plus `split` times
    that of voxels not in the largest segment of their object."""

    kind: Literal["impurity"] = "impurity"
    behaviour: ClassVar[str] = "kinds_outside.metric:ImpurityMetric"
    split: float = 1.0


@dataclass(frozen=True)
class ImpurityScore(Score):
    """merged, cut: voxels; split: what one that is cut off counts."""

    title: ClassVar[str] = "impurity"
    short: ClassVar[str] = "impurity"
    columns: ClassVar[dict[str, str]] = {"merged": "merged", "cut": "cut", "impurity": "impurity"}

    merged: int
    cut: int
    voxels: int
    split: float

    @property
    def objective(self):
        # numbers of numpy, as code often has them
        return np.float64((self.merged + self.split * self.cut) / self.voxels)

    def as_dict(self):
        return {"merged": np.int64(self.merged), "cut": self.cut, "impurity": self.objective}

    def pool(self, others):
        every = (self, *others)
        sums = (sum(getattr(s, name) for s in every) for name in ("merged", "cut", "voxels"))
        return ImpurityScore(*sums, self.split)

    def __str__(self):
        return f"impurity {self.objective:.3f}"


class ImpurityMetric(TableMetric):
    """`Impurity`."""

    def score(self, table, *, ignore, background):
        used = ~np.isin(table.objects, np.array(sorted(ignore), np.uint64))
        used &= (table.segments > 0) | (background != "ignore")
        segments, objects, voxels = (
            column[used] for column in (table.segments, table.objects, table.voxels)
        )
        total = int(voxels.sum())
        if not total:
            raise ValueError("nothing to score: all voxels are ignored")
        merged, cut = (total - _largest(of, voxels) for of in (segments, objects))
        return ImpurityScore(merged, cut, total, self.spec.split)


def _largest(of, voxels):
    """Sum over the ids `of` of the most voxels that one row of it has."""
    ids, place = np.unique(of, return_inverse=True)
    most = np.zeros(len(ids), np.int64)
    np.maximum.at(most, place, voxels)
    return int(most.sum())
