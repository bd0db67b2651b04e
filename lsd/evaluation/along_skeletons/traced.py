"""Scores along skeletons: run lengths at several tolerances, and edits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any, ClassVar

from lsd import spec
from lsd.evaluation.along_skeletons.at_nodes import AtNodes
from lsd.evaluation.along_skeletons.edit_counts import MinCutMetric
from lsd.evaluation.along_skeletons.run_length import RunLength
from lsd.evaluation.metric import MetricKind
from lsd.evaluation.score import Score
from lsd.evaluation.skeletons import Tolerance, run_lengths


@dataclass(frozen=True, eq=False)
class SkeletonScore(Score):
    """All that is told of a segmentation along skeletons.

    run_lengths: one for each tolerance;  edits: None where no region graph was left, or they were
                 not asked for
    """

    title: ClassVar[str] = "normalized expected run length"
    short: ClassVar[str] = "1 - nERL"
    note: ClassVar[str] = (
        "nERL at tolerances: a skeleton lies in a segment, as far as merges go, with more nodes or "
        "nm than these;\nMCM: cuts and joins of fragments that would repair the segmentation along "
        "skeletons"
    )

    run_lengths: tuple[RunLength, ...]
    edits: MinCutMetric | None = None

    @property
    def objective(self) -> float:
        """That of the first tolerance, else of the edits."""
        first = next(iter(self.run_lengths), self.edits)
        return math.inf if first is None else first.objective

    def as_dict(self) -> dict[str, Any]:
        """Run lengths by their tolerance, "5 nodes", "500 nm", and edits."""
        return {
            "run_lengths": {each.name: each.as_dict() for each in self.run_lengths},
            "edits": self.edits and self.edits.as_dict(),
        }

    def per_skeleton(self) -> list[dict[str, Any]]:
        """A dictionary for each skeleton: lengths and edges at the first tolerance, the expected
        run length (nm) at each, and its edits."""
        by_tolerance = {each.name: each.per_skeleton.as_rows() for each in self.run_lengths}
        edited = self.edits.per_skeleton.as_rows() if self.edits else []
        first: list[dict[str, Any]] = next(iter(by_tolerance.values()), [])
        # as long as one another, or empty
        both = zip_longest(first, edited, fillvalue=dict[str, Any]())
        return [
            {
                **row,
                "run_lengths": {name: rows[n]["run_length"] for name, rows in by_tolerance.items()},
                **edits_of_row,
            }
            for n, (row, edits_of_row) in enumerate(both)
        ]

    def row(self) -> dict[str, float | None]:
        """nERL at each tolerance, what does not depend on one, and the edits."""
        shown: dict[str, float | None] = {f"nERL {e.name}": e.nerl for e in self.run_lengths}
        for first in self.run_lengths[:1]:
            shown |= {
                "ERL (nm)": first.erl,
                "split edges": first.split,
                "merging segments": first.merging_segments,
                "skeletons too many": first.skeletons_too_many,
            }
        return shown | ({"MCM": self.edits.mcm} if self.edits else {"MCM": None})

    def remarks(self) -> list[str]:
        """Those of each tolerance."""
        return [line for each in self.run_lengths for line in each.remarks()]

    def brief(self) -> dict[str, float | None]:
        """The nERL at the first tolerance."""
        return {f"nERL {each.name}": each.nerl for each in self.run_lengths[:1]}

    def swept(self) -> dict[str, float | None]:
        """The nERL at each tolerance."""
        return {f"nerl_{each.name.replace(' ', '_')}": each.nerl for each in self.run_lengths}

    def labels(self) -> list[str]:
        """Tolerances."""
        return [f"nERL {each.name}" for each in self.run_lengths]

    def pool(self, others: Sequence[SkeletonScore]) -> SkeletonScore:
        """Skeletons of several volumes as those of one; edits where all have them."""
        scores = (self, *others)
        together = [
            first.pool(rest) for first, *rest in zip(*(s.run_lengths for s in scores), strict=True)
        ]
        edited = [score.edits for score in scores if score.edits]
        whole = len(edited) == len(scores)
        return SkeletonScore(tuple(together), edited[0].pool(edited[1:]) if whole else None)

    def __str__(self) -> str:
        parts = [f"{each} ({each.name})" for each in self.run_lengths]
        return "; ".join([*parts, *([str(self.edits)] if self.edits else [])])


class NerlMetric(MetricKind):
    """`spec.Nerl`."""

    def scoring(self, settings: spec.Evaluate) -> Callable[[AtNodes], RunLength]:
        """The `RunLength` at the tolerance of the metric."""
        tolerance = Tolerance(self.spec.tolerance, self.spec.tolerance_nm)
        return partial(_run_length, tolerance=tolerance, runs=settings.skeletons.runs)

    def words(self, settings: spec.Evaluate) -> type[Score]:
        """Those of `RunLength`."""
        return RunLength


class McmMetric(MetricKind):
    """`spec.Mcm`."""

    cuts_graph = True

    def scoring(self, settings: spec.Evaluate) -> Callable[[AtNodes], MinCutMetric]:
        """The edits.  Raises ValueError where nothing was joined."""
        return _edits

    def words(self, settings: spec.Evaluate) -> type[Score]:
        """Those of `MinCutMetric`."""
        return MinCutMetric


def skeleton_scoring(settings: spec.SkeletonScores) -> Callable[[AtNodes], SkeletonScore]:
    """All that is told of volumes with skeletons, whatever the metric."""
    tolerances = [
        *(Tolerance(nodes) for nodes in settings.tolerances),
        *(Tolerance(nm=nm) for nm in settings.tolerances_nm),
    ]

    def score(at: AtNodes) -> SkeletonScore:
        found = run_lengths(at.skeletons, at.segments, tolerances=tolerances, runs=settings.runs)
        counted = settings.min_cut and at.graph is not None
        return SkeletonScore(tuple(found), _edits(at) if counted else None)

    return score


def _run_length(at: AtNodes, *, tolerance: Tolerance, runs: Any) -> RunLength:
    return run_lengths(at.skeletons, at.segments, tolerances=[tolerance], runs=runs)[0]


def _edits(at: AtNodes) -> MinCutMetric:
    if at.graph is None:
        raise ValueError(
            "the metric 'mcm' cuts the region graph of fragments, and this segmentation was not "
            "joined of any; take evaluate.metric='nerl', or the decoder 'watershed'"
        )
    return at.graph.edits
