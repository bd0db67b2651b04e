"""What became of the branches of a stage, for people to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lsd.report.table import markdown
from lsd.spec import paths
from lsd.system.atomic import write_text
from lsd.system.decimals import decimals
from lsd.training.learner import Learner
from lsd.training.modes.greedy import Merged

FILE = "merges.md"


def merged_record(merged: Merged, names: Sequence[str], *, iteration: int) -> dict[str, Any]:
    """A merge as plain data, as checkpoints hold it; names: of the branches."""
    return {
        "iteration": iteration,
        "score": merged.score,
        "branches": {
            name: {"score": score, "factor": factor, "share": share}
            for name, score, factor, share in zip(
                names, merged.scores, merged.factors, merged.shares, strict=True
            )
        },
    }


def merge_in_words(record: Mapping[str, Any]) -> str:
    """A merge in one line."""
    branches = "; ".join(
        f"{name} scores {decimals(branch['score'], 4)} and gets {branch['share']:.0%}"
        for name, branch in record["branches"].items()
    )
    return f"branches merged: {branches}; together {decimals(record['score'], 4)}"


def write_history(learner: Learner) -> None:
    """Writes all merges so far into the stage's folder, as a table.

    It is written anew each time, so what a killed run noted twice is in it once.
    """
    path = paths.run_folder(learner.config) / learner.stage.name / FILE
    write_text(path, merges_table(learner.merges))


def merges_table(merges: Sequence[Mapping[str, Any]]) -> str:
    """A line a merge: of each branch its score and its share in what was merged."""
    names = list(merges[-1]["branches"])
    head = ["iteration", *(f"{name}: score, share" for name in names), "merged: score"]
    rows = []
    for record in merges:
        branches = [record["branches"][name] for name in names]
        shown = [f"{decimals(branch['score'], 4)}, {branch['share']:.0%}" for branch in branches]
        rows.append([str(record["iteration"]), *shown, decimals(record["score"], 4)])
    return markdown(head, rows)
