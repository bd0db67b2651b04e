"""Edits that repair a segmentation, as a value: in all and of each skeleton."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from lsd.evaluation.along_skeletons.cuts import Ids, Numbers
from lsd.evaluation.score import Score


@dataclass(frozen=True, eq=False)
class EditsPerSkeleton:
    """Edits of each skeleton, arrays in ascending order of ids.

    cuts:   between it and another; each cut is of two skeletons, and counts for both
    merges: parts that its nodes lie in after all cuts, minus 1
    unsplittable: fragments that hold it and another skeleton
    """

    skeleton_ids: Ids
    cuts: Numbers
    merges: Numbers
    unsplittable: Numbers

    def as_rows(self) -> list[dict[str, int]]:
        """A dictionary for each skeleton, as JSON has it."""
        columns = {
            "skeleton": self.skeleton_ids,
            "cuts": self.cuts,
            "merges": self.merges,
            "unsplittable": self.unsplittable,
        }
        return [
            dict(zip(columns, map(int, values), strict=True))
            for values in zip(*columns.values(), strict=True)
        ]

    def joined(self, others: Sequence[EditsPerSkeleton]) -> EditsPerSkeleton:
        """The rows of several volumes, one after another."""
        return EditsPerSkeleton(
            *(
                np.concatenate([getattr(each, field.name) for each in (self, *others)])
                for field in fields(self)
            )
        )


@dataclass(frozen=True, eq=False)
class MinCutMetric(Score):
    """Edits that repair a segmentation, as far as its fragments allow.

    splits:   cuts until no segment holds two skeletons
    merges:   of parts after all cuts, so that each skeleton lies in one
    remerges: of these, those that cuts made necessary
    unsplittable:   fragments that hold nodes of several skeletons, which no cut separates; their
                    nodes are left out
    nodes_left_out: these nodes, and those on background
    threshold:    up to which edges join fragments; None: none does
    per_skeleton: the same of each skeleton
    """

    title: ClassVar[str] = "edits (min-cut metric)"
    short: ClassVar[str] = "MCM"
    columns: ClassVar[Mapping[str, str]] = {
        "mcm": "MCM",
        "splits": "cuts",
        "merges": "joins",
        "unsplittable": "unsplittable",
    }
    over_thresholds: ClassVar[Mapping[str, str]] = {
        "mcm": "edits",
        "splits": "cuts",
        "merges": "joins",
    }
    definitions: ClassVar[Mapping[str, str]] = {
        "mcm": "Edits that would repair the segmentation along skeletons: cuts and joins.",
        "splits": "Cuts of the region graph until no segment holds two skeletons, each the "
        "cheapest.",
        "merges": "Joins of parts after all cuts, so that each skeleton lies in one.",
        "unsplittable": "Fragments that hold nodes of several skeletons, which no cut separates.",
    }
    note: ClassVar[str] = (
        "MCM: cuts and joins of fragments that would repair the segmentation along skeletons; "
        "unsplittable fragments hold several skeletons"
    )

    splits: int
    merges: int
    remerges: int
    unsplittable: int
    nodes_left_out: int
    threshold: float | None
    per_skeleton: EditsPerSkeleton

    @property
    def mcm(self) -> int:
        """All edits: splits and merges."""
        return self.splits + self.merges

    @property
    def objective(self) -> float:
        """All edits."""
        return float(self.mcm)

    def curves(self) -> dict[str, float]:
        """Both kinds of edits."""
        return {"splits": float(self.splits), "merges": float(self.merges)}

    def pool(self, others: Sequence[MinCutMetric]) -> MinCutMetric:
        """The edits of several volumes."""
        scores = (self, *others)
        names = ("splits", "merges", "remerges", "unsplittable", "nodes_left_out")
        return replace(
            self,
            **{name: sum(getattr(score, name) for score in scores) for name in names},
            per_skeleton=self.per_skeleton.joined([score.per_skeleton for score in others]),
        )

    @property
    def mcm_per_skeleton(self) -> float | None:
        """Edits for each skeleton, on average; None where there is no skeleton."""
        count = len(self.per_skeleton.skeleton_ids)
        return self.mcm / count if count else None

    def as_dict(self) -> dict[str, Any]:
        """Everything by name but `per_skeleton`, as JSON has it."""
        names = [field.name for field in fields(self) if field.name != "per_skeleton"]
        return {name: getattr(self, name) for name in (*names, "mcm", "mcm_per_skeleton")}

    def __str__(self) -> str:
        return (
            f"MCM {self.mcm}: {self.splits} cuts + {self.merges} joins; "
            f"{self.unsplittable} fragments hold several skeletons"
        )
