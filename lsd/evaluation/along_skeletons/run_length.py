"""Expected run length of a volume, as a value: in all and of each skeleton."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lsd.evaluation.score import Score, as_objective, defined
from lsd.spec.plurals import counted

Runs = Literal["segment", "connected"]
# what an edge may be
EDGES = ("correct", "split", "merged", "omitted")
# that add up over volumes
_COUNTS = (
    *EDGES,
    *(f"{kind}_length" for kind in EDGES),
    "merging_segments",
    "skeletons_too_many",
    "segments_too_many",
    "too_short",
)


@dataclass(frozen=True, eq=False)
class PerSkeleton:
    """Scores of each skeleton, arrays in ascending order of ids.

    lengths, run_lengths: nm; run_lengths: expected, on this skeleton; nan where it has no length
    edges, edge_lengths: (skeletons, 4) number and length (nm) of edges that are correct, split,
                         merged, omitted
    segments_too_many:   segments that it is spread over, without background, minus 1
    merging_segments:    segments that hold it and another skeleton
    """

    skeleton_ids: NDArray[np.uint64]
    lengths: NDArray[np.float64]
    run_lengths: NDArray[np.float64]
    edges: NDArray[np.int64]
    edge_lengths: NDArray[np.float64]
    segments_too_many: NDArray[np.int64]
    merging_segments: NDArray[np.int64]

    def as_rows(self) -> list[dict[str, Any]]:
        """A dictionary for each skeleton, as JSON has it; None is undefined."""
        return [
            {
                "skeleton": int(self.skeleton_ids[i]),
                "length": float(self.lengths[i]),
                "run_length": float(self.run_lengths[i]) if self.lengths[i] > 0 else None,
                **dict(zip(EDGES, map(int, self.edges[i]), strict=True)),
                "segments_too_many": int(self.segments_too_many[i]),
                "merging_segments": int(self.merging_segments[i]),
            }
            for i in range(len(self.skeleton_ids))
        ]

    def joined(self, others: Sequence[PerSkeleton]) -> PerSkeleton:
        """The rows of several volumes, one after another."""
        return PerSkeleton(
            *(
                np.concatenate([getattr(each, field.name) for each in (self, *others)])
                for field in fields(self)
            )
        )


@dataclass(frozen=True, eq=False)
class RunLength(Score):
    """Skeletons against a segmentation; lengths in nm, None where a score is undefined.

    erl:     expected run length: of a place on the skeletons that is chosen at random, the mean
             length of the correct run that it lies in.  Undefined where skeletons have no length
    max_erl: that of a perfect segmentation;  nerl: erl / max_erl
    correct, split, merged, omitted: numbers of edges: within one segment of one skeleton, between
             two segments, in a segment of several skeletons, with an end on background
    *_length: their lengths, nm
    merging_segments:   segments that hold several skeletons
    skeletons_too_many: in these, all but one each
    segments_too_many:  segments that each skeleton is spread over minus 1, summed up
    too_short:          skeletons with no more nodes or nm than the tolerance, which never count as
                        merged
    tolerance, tolerance_nm, runs: as they were asked for
    per_skeleton: the same of each skeleton
    """

    title: ClassVar[str] = "normalized expected run length"
    short: ClassVar[str] = "1 - nERL"
    columns: ClassVar[Mapping[str, str]] = {
        "nerl": "nERL",
        "erl": "ERL (nm)",
        "split": "split edges",
        "merging_segments": "merging segments",
        "skeletons_too_many": "skeletons too many",
    }
    over_thresholds: ClassVar[Mapping[str, str]] = {
        "nerl": "nERL",
        "edge_accuracy": "correct edges",
    }
    definitions: ClassVar[Mapping[str, str]] = {
        "nerl": "ERL over the ERL of a perfect segmentation; 1 is perfect.",
        "erl": "Expected run length: of a place on the skeletons that is chosen at random, the "
        "mean length of the correct run that it lies in, nm. A skeleton lies in a segment, as far "
        "as merges go, with more nodes or nm than the tolerance.",
        "max_erl": "The ERL of a perfect segmentation, nm.",
        "correct": "Edges within one segment of one skeleton.",
        "split": "Edges between two segments.",
        "merged": "Edges within a segment that holds several skeletons.",
        "omitted": "Edges with an end on background, or outside.",
        "edge_accuracy": "Share of the edges that are correct.",
        "merging_segments": "Segments that hold several skeletons.",
        "skeletons_too_many": "In these, all skeletons but one each.",
        "segments_too_many": "Segments that each skeleton is spread over minus 1, summed up.",
        "too_short": "Skeletons with no more nodes or nm than the tolerance, which never count as "
        "merged.",
    }
    note: ClassVar[str] = (
        "ERL: expected run length along skeletons, nERL: of what is possible, best at 1; edges "
        "within one segment of one skeleton are correct"
    )

    erl: float | None
    max_erl: float | None
    correct: int
    split: int
    merged: int
    omitted: int
    correct_length: float
    split_length: float
    merged_length: float
    omitted_length: float
    merging_segments: int
    skeletons_too_many: int
    segments_too_many: int
    too_short: int
    tolerance: int
    tolerance_nm: float | None
    runs: Runs
    per_skeleton: PerSkeleton

    @property
    def nerl(self) -> float | None:
        """Expected run length as a fraction of what is possible."""
        return None if self.erl is None or not self.max_erl else self.erl / self.max_erl

    @property
    def length(self) -> float:
        """Of all skeletons, nm."""
        return self.correct_length + self.split_length + self.merged_length + self.omitted_length

    @property
    def edge_accuracy(self) -> float | None:
        """Fraction of the edges, by number, that are correct."""
        count = self.correct + self.split + self.merged + self.omitted
        return self.correct / count if count else None

    @property
    def length_accuracy(self) -> float | None:
        """Fraction of the edges, by length, that is correct."""
        return self.correct_length / self.length if self.length > 0 else None

    @property
    def objective(self) -> float:
        """What the nERL lacks of 1."""
        return as_objective(self.nerl)

    @property
    def name(self) -> str:
        """Its tolerance, in words: "5 nodes", "500 nm"."""
        nm = None if self.tolerance_nm is None else f"{self.tolerance_nm:g} nm"
        nodes = counted(self.tolerance, "node") if self.tolerance or nm is None else None
        return " and ".join(words for words in (nodes, nm) if words)

    def remarks(self) -> list[str]:
        """Where it says little of merges."""
        count = len(self.per_skeleton.skeleton_ids)
        if not self.too_short:
            return []
        return [
            f"nERL {self.name}: {self.too_short} of {counted(count, 'skeleton')} have no more than "
            f"that, and never count as merged"
        ]

    def brief(self) -> dict[str, float | None]:
        """The nERL."""
        return {"nERL": self.nerl}

    def curves(self) -> dict[str, float]:
        """The nERL, and edges that are correct."""
        return defined({"nerl": self.nerl, "edge_accuracy": self.edge_accuracy})

    def pool(self, others: Sequence[RunLength]) -> RunLength:
        """Skeletons of several volumes as those of one, in which no id occurs in two."""
        scores = (self, *others)
        counts = {name: sum(getattr(score, name) for score in scores) for name in _COUNTS}
        return replace(
            self,
            **counts,
            erl=_mean([score.erl for score in scores], [score.length for score in scores]),
            max_erl=_mean([score.max_erl for score in scores], [score.length for score in scores]),
            per_skeleton=self.per_skeleton.joined([score.per_skeleton for score in others]),
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything by name but `per_skeleton`, as JSON has it."""
        names = [field.name for field in fields(self) if field.name != "per_skeleton"]
        further = ("nerl", "length", "edge_accuracy", "length_accuracy")
        return {name: getattr(self, name) for name in (*names, *further)}

    def __str__(self) -> str:
        if self.erl is None or self.max_erl is None:
            return "ERL undefined: the skeletons have no length"
        return (
            f"ERL {self.erl:.1f} of {self.max_erl:.1f} nm, nERL {self.nerl:.4f}; "
            f"{self.split} split edges, {self.merging_segments} merging segments"
        )


def _mean(values: Sequence[float | None], lengths: Sequence[float]) -> float | None:
    """Weighted with the lengths; None where there is no length."""
    whole = sum(lengths)
    weighted = (
        value * length for value, length in zip(values, lengths, strict=True) if value is not None
    )
    return sum(weighted) / whole if whole > 0 else None
