"""Scores along skeletons of several runs, in a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lsd.report.page.tables import Cell, Content, pointer, table
from lsd.report.recorded import Json, Recorded

# of the first tolerance, and of edits, by their titles
_LENGTHS = {"split": "split edges", "merging_segments": "merging segments"}
_EDITS = {"splits": "cuts", "merges": "joins"}


def along_skeletons(runs: Sequence[Recorded], names: Sequence[str]) -> str:
    """A row for each volume with skeletons of each run: nERL at each tolerance that a run has, what
    is split and merged, and edits; "" where there is none."""
    found = [
        (n, volume, values)
        for n, run in enumerate(runs)
        for volume, values in run.evaluation.get("skeletons", {}).get("volumes", {}).items()
        if values["scores"]
    ]
    lengths = [values["scores"]["run_lengths"] for _, _, values in found]
    tolerances = list(dict.fromkeys(tolerance for each in lengths for tolerance in each))
    rows: list[list[Content]] = [
        [
            *(names[n], volume, values["part"], Cell(runs[n].config.train.seed)),
            *_cells(f"/{n}{pointer('skeletons', 'volumes', volume, 'scores')}", values, tolerances),
        ]
        for n, volume, values in found
    ]
    header = [
        "run", "volume", "part", "seed",
        *(f"nERL {tolerance}" for tolerance in tolerances), *_LENGTHS.values(), *_EDITS.values(),
    ]  # fmt: skip
    return table(header, rows, name="along skeletons") if rows else ""


def _cells(at: str, values: Json, tolerances: Sequence[str]) -> list[Content]:
    scores: Json = values["scores"]
    lengths, edits = scores["run_lengths"], scores.get("edits") or {}
    first = next(iter(lengths), "")
    places: list[tuple[Any, str, str]] = [
        *((lengths.get(tolerance) or {}, f"run_lengths/{tolerance}", "nerl")
          for tolerance in tolerances),
        *((lengths.get(first) or {}, f"run_lengths/{first}", key) for key in _LENGTHS),
        *((edits, "edits", key) for key in _EDITS),
    ]  # fmt: skip
    return [
        Cell(own[key], f"{at}/{under}/{key}") if key in own else Cell(None)
        for own, under, key in places
    ]
