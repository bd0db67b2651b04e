"""Scores as a table on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lsd.evaluation.calibration import BINS
from lsd.evaluation.score import Score
from lsd.evaluation.scores import PARTS, Evaluation, VolumeScores
from lsd.system.decimals import decimals

Row = Sequence[Any]
Volumes = Mapping[str, VolumeScores]


def table(header: Row, rows: Sequence[Row]) -> str:
    """Rows below a header, columns aligned: numbers to the right, with three decimals (very small
    ones with a power of ten), everything else to the left; what is undefined (None) is "-"."""
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


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows below a header, for a document; all but the first column to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def scores_table(evaluation: Evaluation) -> str:
    """The scores of each volume at the run's threshold, of its fragments, and of parts with several
    volumes.

    Without a threshold: the scores at every threshold instead.
    """
    return _table_of(evaluation, evaluation.volumes, evaluation.part)


def skeletons_table(evaluation: Evaluation) -> str:
    """The same along skeletons.  At least one volume has some."""
    return _table_of(evaluation, evaluation.skeletons, evaluation.skeletons_of)


def _table_of(
    evaluation: Evaluation, volumes: Volumes, pooled: Callable[[str], Score | None]
) -> str:
    one = _any(volumes)
    if any(volume.scored for volume in volumes.values()):
        rows = [_row(name, volume, one) for name, volume in volumes.items()]
        rows += _parts(volumes, pooled)
        header = ("volume", "part", *one.row(), f"fragments' {next(iter(one.brief()))}")
    else:
        rows = [
            (n, v.part, t, *s.row().values())
            for n, v in volumes.items()
            for t, s in v.sweep.items()
        ]
        header = ("volume", "part", "threshold", *one.row())
    about = f"no threshold: {evaluation.chosen_on}"
    if evaluation.threshold is not None:
        about = f"threshold {evaluation.threshold:g}, from {evaluation.chosen_on}"
    about += f"; {one.short} in {one.unit}" if one.unit else ""
    remarks = [
        f"{name}: {line}" for name, each in volumes.items() for line in _remarks(each.scored)
    ]
    return "\n".join([table(header, rows), *([one.note] if one.note else []), *remarks, about])


def _remarks(score: Score | None) -> list[str]:
    return score.remarks() if score else []


def heads_table(evaluation: Evaluation) -> str:
    """The heads of each volume, and of parts with several: whether they are probabilities, and
    masks at thresholds.  At least one was counted."""
    counts = {(name, evaluation.volumes[name].part): own for name, own in evaluation.heads.items()}
    for part in PARTS:
        if sum(volume.part == part for volume in evaluation.volumes.values()) > 1:
            counts["all", part] = evaluation.heads_of(part)
    rows = [
        (*place, head, *count.all.row().values())
        for place, heads in counts.items()
        for head, count in heads.items()
    ]
    one = next(count for heads in evaluation.heads.values() for count in heads.values())
    header = ("volume", "part", "head", *one.all.row())
    about = f"ECE: expected calibration error, {BINS} bins; accuracy, IoU and Dice at threshold 0.5"
    return "\n".join([table(header, rows), about])


def _any(volumes: Volumes) -> Score:
    """One of the scores, which all are of one metric."""
    return next(
        score
        for volume in volumes.values()
        for score in (volume.scored, *volume.sweep.values())
        if score
    )


def _row(name: str, volume: VolumeScores, one: Score) -> Row:
    scores = volume.scored.row().values() if volume.scored else (None,) * len(one.row())
    fragments = next(iter(volume.fragments.brief().values())) if volume.fragments else None
    return (name, volume.part, *scores, fragments)


def _parts(volumes: Volumes, pooled: Callable[[str], Score | None]) -> list[Row]:
    counts = {part: sum(volume.part == part for volume in volumes.values()) for part in PARTS}
    scores = {part: pooled(part) for part in PARTS if counts[part] > 1}
    return [("all", part, *score.row().values(), "") for part, score in scores.items() if score]


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    return decimals(cell) if isinstance(cell, float) else str(cell)
