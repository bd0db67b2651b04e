"""Scores of a segmentation against the truth: variation of information, Rand, CREMI."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import explaining_calls
from lsd.arrays.contingency import Contingency
from lsd.arrays.ids import ids
from lsd.evaluation.metric import Background, refuse_nothing
from lsd.evaluation.score import Score
from lsd.spec import Evaluate

_DEFAULT = Evaluate()


@dataclass(frozen=True)
class Partition(Score):
    """How a segmentation partitions the scored voxels, compared with the truth.

    voi_split: H(segmentation | truth) in bits, how finely objects are cut up
    voi_merge: H(truth | segmentation) in bits, how much segments mix objects
    pairs:     pairs of different voxels that lie together in both, in the segmentation, in the
               truth
    voxels, segments, objects: that were scored, without segment 0
    Source: Meila 2007; Rand 1971; Arganda-Carreras et al. 2015; CREMI 2016 (cremi.org).
    """

    title: ClassVar[str] = "variation of information"
    short: ClassVar[str] = "VOI"
    unit: ClassVar[str] = "bits"
    columns: ClassVar[Mapping[str, str]] = {
        "voi_split": "VOI split",
        "voi_merge": "VOI merge",
        "voi_sum": "VOI sum",
        "arand": "ARAND",
        # not "CREMI": that name belongs to what cremi.org computes
        "cremi": "sqrt(VOI*ARAND)",
    }
    over_thresholds: ClassVar[Mapping[str, str]] = {
        "voi_sum": "sum",
        "voi_split": "split",
        "voi_merge": "merge",
    }
    definitions: ClassVar[Mapping[str, str]] = {
        "voi_split": "H(segmentation | truth) in bits: how finely neurons are cut up.",
        "voi_merge": "H(truth | segmentation) in bits: how much segments mix neurons.",
        "voi_sum": "Variation of information, the sum of both; 0 is perfect.",
        "arand": "Adapted Rand error, 1 - F-score of the Rand precision and recall; 0 is perfect.",
        "rand_precision": "Of the pairs of voxels that lie together in the segmentation, the share "
        "that does in the truth.",
        "rand_recall": "Of the pairs of voxels that lie together in the truth, the share that does "
        "in the segmentation.",
        "cremi": "Square root of VOI sum times ARAND, over all scored voxels; not the number of "
        "cremi.org, which leaves out truth near boundaries.",
        "voxels": "Voxels that are scored.",
        "segments": "Segments that hold any of them, without segment 0.",
        "objects": "Neurons of the truth that hold any of them.",
    }
    note: ClassVar[str] = (
        "sqrt(VOI*ARAND) is the formula of the CREMI score, here over all scored voxels; cremi.org "
        "leaves out truth within 25 nm of\na boundary, and counts segment 0 as single voxels in "
        "ARAND only, so its numbers are others"
    )

    voi_split: float
    voi_merge: float
    pairs: tuple[float, float, float]
    voxels: int
    segments: int
    objects: int

    @property
    def voi_sum(self) -> float:
        """Variation of information, bits."""
        return self.voi_split + self.voi_merge

    @property
    def objective(self) -> float:
        """The VOI sum."""
        return self.voi_sum

    @property
    def rand_precision(self) -> float:
        """Of the pairs that lie together in the segmentation, the fraction that does in the
        truth."""
        return self.pairs[0] / self.pairs[1] if self.pairs[1] else 1.0

    @property
    def rand_recall(self) -> float:
        """Of the pairs that lie together in the truth, the fraction that does in the
        segmentation."""
        return self.pairs[0] / self.pairs[2] if self.pairs[2] else 1.0

    @property
    def arand(self) -> float:
        """Adapted Rand error: 1 - F-score of precision and recall."""
        total = self.pairs[1] + self.pairs[2]
        return 1 - 2 * self.pairs[0] / total if total else 0.0

    @property
    def cremi(self) -> float:
        """Geometric mean of the two, sqrt(VOI sum * ARAND): the formula of the CREMI score, over
        all scored voxels.

        cremi.org leaves out truth within 25 nm of a boundary, and counts segment 0 as single voxels
        in the Rand error only.
        """
        return math.sqrt(self.voi_sum * self.arand)

    def as_dict(self) -> dict[str, float]:
        """Every score by name."""
        names = (
            "voi_split",
            "voi_merge",
            "voi_sum",
            "arand",
            "rand_precision",
            "rand_recall",
            "cremi",
        )
        return {name: getattr(self, name) for name in (*names, "voxels", "segments", "objects")}

    def curves(self) -> dict[str, float]:
        """The Rand error."""
        return {"arand": self.arand}

    def pool(self, others: Sequence[Partition]) -> Partition:
        """The scores of several volumes as one: exactly those of a volume made of them all, in
        which no id occurs in two.

        So the VOI is the mean of theirs weighted with their voxels, and the Rand error that of all
        their pairs.
        """
        partitions = (self, *others)
        voxels = sum(partition.voxels for partition in partitions)
        in_both, segmentation, truth = (
            sum(partition.pairs[i] for partition in partitions) for i in range(3)
        )
        split = sum(partition.voi_split * partition.voxels for partition in partitions)
        merge = sum(partition.voi_merge * partition.voxels for partition in partitions)
        return Partition(
            voi_split=split / voxels,
            voi_merge=merge / voxels,
            pairs=(in_both, segmentation, truth),
            voxels=voxels,
            segments=sum(partition.segments for partition in partitions),
            objects=sum(partition.objects for partition in partitions),
        )

    def __str__(self) -> str:
        return (
            f"VOI split {self.voi_split:.3f} + merge {self.voi_merge:.3f} = {self.voi_sum:.3f} "
            f"bits, ARAND {self.arand:.3f}"
        )


@explaining_calls
def compare(
    segmentation: NDArray[Any],
    truth: NDArray[Any],
    *,
    ignore: int | Collection[int] = _DEFAULT.ignore,
    background: Background = _DEFAULT.background,
    mask: NDArray[Any] | None = None,
) -> Partition:
    """Scores of `segmentation` against `truth`, integer arrays of one shape.

    ignore:     labels of the truth whose voxels are left out, or one
    background: what label 0 of the segmentation is: a "label" like others, "ignore": its voxels are
                left out too, "singletons": each of its voxels is a segment of its own
    mask:       score only where it is set
    Gives a Partition: voi_split, voi_merge and voi_sum in bits, arand, rand_precision, rand_recall,
    cremi; 0 (precision and recall 1) where both are the same partition, whatever the ids.
    Raises ValueError if nothing is left to score, for shapes that differ and arrays that are no
    ids.

    >>> import lsd, numpy
    >>> truth = numpy.array([[1, 1, 1, 1, 2, 2, 2, 2]])
    >>> split = numpy.array([[5, 5, 6, 6, 7, 7, 7, 7]])
    >>> score = lsd.compare(split, truth)
    >>> score.voi_split, score.voi_merge
    (0.5, 0.0)
    """
    return score(
        Contingency.of(segmentation, truth, mask=mask), ignore=ignore, background=background
    )


def score(
    table: Contingency,
    *,
    ignore: int | Collection[int] = _DEFAULT.ignore,
    background: Background = _DEFAULT.background,
) -> Partition:
    """Scores of a table of counts; see `compare`."""
    ignored = ignored_labels(ignore)
    used = scored_rows(table, ignore=ignored, background=background)
    refuse_nothing(table, ignored, counted=int(table.voxels[used].sum()))
    return _score(
        table.segments[used],
        table.objects[used],
        table.voxels[used].astype(float),
        background == "singletons",
    )


def ignored_labels(ignore: int | Collection[int]) -> list[int]:
    """Labels that are left out, or one, in ascending order.  Raises ValueError for what is no
    label."""
    given = list(ignore) if isinstance(ignore, Collection) else [ignore]
    return [int(label) for label in np.unique(ids(given, "ignore"))]


def scored_rows(
    table: Contingency, *, ignore: Collection[int], background: Background
) -> NDArray[np.bool_]:
    """Rows of a table whose voxels are scored; see `compare`.  Raises ValueError for a background
    that there is not."""
    if background not in get_args(Background):
        raise ValueError(
            f"background is {background!r}; allowed: {', '.join(get_args(Background))}"
        )
    used = ~np.isin(table.objects, np.array(sorted(ignore), np.uint64))
    return np.asarray(used & (table.segments > 0) if background == "ignore" else used)


def _score(
    segments: NDArray[np.uint64],
    objects: NDArray[np.uint64],
    shared: NDArray[np.float64],
    apart: bool,
) -> Partition:
    _, segment_of = np.unique(segments, return_inverse=True)
    _, object_of = np.unique(objects, return_inverse=True)
    in_segment = np.bincount(segment_of, shared)[segment_of]
    in_object = np.bincount(object_of, shared)[object_of]
    # what a voxel's own cell and segment hold; a voxel of the background is alone in both, if it is
    # a singleton
    single = (segments == 0) & apart
    cell, segment = np.where(single, 1.0, shared), np.where(single, 1.0, in_segment)
    total = float(shared.sum())
    return Partition(
        voi_split=_sum(shared, np.log2(in_object / cell)) / total,
        voi_merge=_sum(shared, np.log2(segment / cell)) / total,
        pairs=(_sum(shared, cell - 1), _sum(shared, segment - 1), _sum(shared, in_object - 1)),
        voxels=int(total),
        segments=len(np.unique(segments[segments > 0])),
        objects=len(np.unique(objects)),
    )


def _sum(weights: NDArray[np.float64], values: NDArray[Any]) -> float:
    # not `@`: BLAS would wake all cores for a few thousand numbers, and its order of adding depends
    # on their number
    return float((weights * values).sum())
