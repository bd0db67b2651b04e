"""Scores as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lsd.evaluation.partition import Partition
from lsd.evaluation.scores import PARTS, Evaluation, VolumeScores

Row = Sequence[Any]
# not "CREMI": that name belongs to what cremi.org computes
_COLUMNS = ("VOI split", "VOI merge", "VOI sum", "ARAND", "sqrt(VOI*ARAND)")
_NOTE = """\
sqrt(VOI*ARAND) is the formula of the CREMI score, here over all scored voxels; cremi.org \
leaves out truth within 25 nm of
a boundary, and counts segment 0 as single voxels in ARAND only, so its numbers are others"""
_NOTHING = ("-",) * len(_COLUMNS)


def table(header: Row, rows: Sequence[Row]) -> str:
    """Rows below a header, columns aligned: numbers to the right, with three decimals, everything
    else to the left."""
    lines = [[_text(cell) for cell in row] for row in (header, *rows)]
    right = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    aligned = [
        "  ".join(
            cell.rjust(w) if r else cell.ljust(w)
            for cell, w, r in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([aligned[0], "-" * max(map(len, aligned)), *aligned[1:]])


def scores_table(evaluation: Evaluation) -> str:
    """The scores of each volume at the run's threshold, of its fragments, and of parts with several
    volumes.

    Without a threshold: the scores at every threshold instead.
    """
    if any(volume.scored for volume in evaluation.volumes.values()):
        rows = [_row(name, volume) for name, volume in evaluation.volumes.items()] + _parts(
            evaluation
        )
        header = ("volume", "part", *_COLUMNS, "fragments' VOI")
    else:
        rows = [
            (n, v.part, t, *_scores(s))
            for n, v in evaluation.volumes.items()
            for t, s in v.sweep.items()
        ]
        header = ("volume", "part", "threshold", *_COLUMNS)
    about = f"no threshold: {evaluation.chosen_on}"
    if evaluation.threshold is not None:
        about = f"threshold {evaluation.threshold:g}, from {evaluation.chosen_on}"
    return f"{table(header, rows)}\n{_NOTE}\n{about}; VOI in bits"


def _row(name: str, volume: VolumeScores) -> Row:
    before = volume.fragments.voi_sum if volume.fragments else "-"
    return (name, volume.part, *(_scores(volume.scored) if volume.scored else _NOTHING), before)


def _parts(evaluation: Evaluation) -> list[Row]:
    counts = {
        part: sum(volume.part == part for volume in evaluation.volumes.values()) for part in PARTS
    }
    pooled = {part: evaluation.part(part) for part in PARTS if counts[part] > 1}
    return [("all", part, *_scores(scores), "") for part, scores in pooled.items() if scores]


def _scores(scores: Partition) -> tuple[float, ...]:
    return scores.voi_split, scores.voi_merge, scores.voi_sum, scores.arand, scores.cremi


def _text(cell: Any) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)
