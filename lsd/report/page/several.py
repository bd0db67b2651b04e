"""Several runs side by side in one page: scores and their mean over seeds, curves in one drawing,
the same sections."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from funlib.geometry import Roi

from lsd.blockwise.on_disk.step import differences
from lsd.report.layers import Layer, layers, segmentation_layer, volume_of
from lsd.report.page import about, scores
from lsd.report.page.chart import UNDEFINED, Chart, Line, drawn, number
from lsd.report.page.document import document, paragraph
from lsd.report.page.one_run import reason
from lsd.report.page.several_skeletons import along_skeletons
from lsd.report.page.slices import slices
from lsd.report.page.steps import duration, size, totals
from lsd.report.page.tables import Cell, Content, table
from lsd.report.page.training import line
from lsd.report.planes import box_of, planes
from lsd.report.recorded import Recorded
from lsd.spec import Config
from lsd.spec.effect import written_out
from lsd.spec.paths import data_root, report_file
from lsd.spec.user_paths import with_variables

_STEPS = ("train", "predict", "segment", "evaluate")
# the numbers of a score that a table shows, with their headings
Columns = tuple[tuple[str, str], ...]


def comparison(runs: Sequence[Recorded], *, folder: Path) -> str:
    """The page as HTML; folder: that it lies in, from which links start."""
    names = titles(runs)
    return document(
        " · ".join(names) if len(names) < 4 else f"{len(names)} runs",
        paragraph(
            f"{len(runs)} runs side by side. Runs whose configs differ by name and seed alone are "
            f"taken together for a mean."
        )
        + _links(runs, names, folder)
        + _notices(runs, names),
        {
            "Scores": _scores(runs, names),
            "Along skeletons": along_skeletons(runs, names),
            "Seeds": _seeds(runs, names),
            "Thresholds": _grid(_sweeps(runs, names)),
            "Sections": _sections(runs, names),
            "Training": _grid(_training(runs, names)),
            "Seconds and memory": _steps(runs, names),
            "In what the configs differ": _differences(runs, names),
            "How each number is defined": about.how_defined(_first_scored(runs)),
        },
    )


def titles(runs: Sequence[Recorded]) -> list[str]:
    """A name for each run: its own, with its folder where two have the same."""
    names = [run.name for run in runs]
    return [
        name if names.count(name) == 1 else f"{run.folder.parent.name}/{name}"
        for name, run in zip(names, runs, strict=True)
    ]


def _first_scored(runs: Sequence[Recorded]) -> Recorded:
    return next((run for run in runs if run.evaluation and not run.is_outdated), runs[0])


def _links(runs: Sequence[Recorded], names: Sequence[str], folder: Path) -> str:
    entries = ""
    for run, name in zip(runs, names, strict=True):
        path = report_file(run.config)
        if path.exists():
            at = quote(Path(os.path.relpath(path, folder)).as_posix())
            entries += f'<li><a href="{escape(at)}">{escape(name)}</a></li>'
    return f'<nav aria-label="pages of the runs"><ul>{entries}</ul></nav>' if entries else ""


def _notices(runs: Sequence[Recorded], names: Sequence[str]) -> str:
    """Whose scores are not, or not for sure, of the segmentations that there are."""
    pairs = zip(runs, names, strict=True)
    return "".join(paragraph(f"{name}: {each}") for run, name in pairs for each in run.notices())


def _scores(runs: Sequence[Recorded], names: Sequence[str]) -> str:
    """A table for all runs that are scored by the same numbers; beside the first, runs without."""
    tables, without = dict[Columns, list[list[Content]]](), list[list[Content]]()
    for n, (run, name) in enumerate(zip(runs, names, strict=True)):
        for title, part, at, values in scores.rows_of(run):
            if at.endswith("/fragments"):
                continue
            columns = tuple(scores.headings(run.words(), values).items())
            cells = [Cell(values.get(key), f"/{n}{at}/{key}") for key, _ in columns]
            threshold = run.threshold
            shown = UNDEFINED if threshold is None else f"{threshold:g}"
            seed = Cell(run.config.train.seed)
            row: list[Content] = [name, title, part, seed, Cell(threshold, text=shown), *cells]
            tables.setdefault(columns, []).append(row)
        if not run.evaluation or run.is_outdated:
            says = "evaluated before it was segmented anew" if run.evaluation else "not evaluated"
            without.append([name, says, "", Cell(run.config.train.seed), Cell(None)])
    first = next(iter(tables), ())
    tables[first] = [
        *tables.get(first, []),
        *([*row, *[Cell(None)] * len(first)] for row in without),
    ]
    header = ["run", "volume", "part", "seed", "threshold"]
    return "".join(
        table([*header, *(title for _, title in columns)], rows, name="scores")
        for columns, rows in tables.items()
    )


def _seeds(runs: Sequence[Recorded], names: Sequence[str]) -> str:
    """Mean and standard deviation of runs that differ by their seed alone."""
    tables = dict[Columns, list[list[Content]]]()
    for members in seed_groups(runs):
        if len(members) < 2:
            continue
        for part in ("validate", "test", "train"):
            found = [
                values
                for n in members
                if (values := runs[n].evaluation.get("parts", {}).get(part)) is not None
            ]
            if len(found) < 2:
                continue
            columns = tuple(scores.headings(runs[members[0]].words(), found[0]).items())
            cells = [over_seeds([values.get(key) for values in found]) for key, _ in columns]
            of = ", ".join(names[n] for n in members)
            tables.setdefault(columns, []).append([of, part, Cell(len(found)), *cells])
    if not tables:
        return ""
    header = ["runs", "part", "scored"]
    shown = "".join(
        table([*header, *(title for _, title in columns)], rows, name="means over seeds")
        for columns, rows in tables.items()
    )
    note = (
        "Mean ± standard deviation of the sample; of fewer seeds where it is undefined for others."
    )
    return shown + paragraph(note, note=True)


def seed_groups(runs: Sequence[Recorded]) -> list[list[int]]:
    """Places of runs whose configs are the same but for name, folder and seed."""
    groups: dict[str, list[int]] = {}
    for n, run in enumerate(runs):
        content = _config(run)
        for key in ("name", "runs"):
            content.pop(key)
        content["train"].pop("seed")
        groups.setdefault(json.dumps(content, sort_keys=True), []).append(n)
    return list(groups.values())


def over_seeds(values: Sequence[float | None]) -> Cell:
    """Mean and standard deviation of the seeds where a number is defined, and how many these are
    where it is not in others."""
    defined = [value for value in values if value is not None and math.isfinite(value)]
    if not defined:
        return Cell(None)
    mean = statistics.fmean(defined)
    spread = f" ± {number(statistics.stdev(defined))}" if len(defined) > 1 else ""
    seeds = "" if len(defined) == len(values) else f" ({len(defined)} of {len(values)})"
    return Cell(mean, text=f"{number(mean)}{spread}{seeds}" if spread or seeds else "")


def _sweeps(runs: Sequence[Recorded], names: Sequence[str]) -> Iterator[Chart]:
    """A drawing for each volume and each number that stands for scores, a curve for each run."""
    for volume in dict.fromkeys(name for run in runs for name in run.volumes):
        drawings = dict[str, list[Line]]()
        for n, (run, name) in enumerate(zip(runs, names, strict=True)):
            sweep: Mapping[str, Any] = run.volumes.get(volume, {}).get("sweep") or {}
            if not sweep:
                continue
            key, title = scores.objective(run.words(), next(iter(sweep.values())))
            unit = run.words().unit
            thresholds = [float(threshold) for threshold in sweep]
            curve = Line(name, thresholds, [v.get(key) for v in sweep.values()], n)
            drawings.setdefault(f"{title} [{unit}]" if unit else title, []).append(curve)
        for y, lines in drawings.items():
            yield Chart(volume, "threshold", y, lines)


def _training(runs: Sequence[Recorded], names: Sequence[str]) -> Iterator[Chart]:
    for tag, title in (("loss/total", "training loss"), ("validation/score", "validation")):
        for stage in dict.fromkeys(stage for run in runs for stage in run.curves):
            drawings = dict[str, list[Line]]()
            for n, (run, name) in enumerate(zip(runs, names, strict=True)):
                if tag in run.curves.get(stage, {}):
                    # the same losses, but scores of several metrics are not in one drawing
                    of = run.words().title if tag == "validation/score" else ""
                    drawings.setdefault(of, []).append(line(name, run.curves[stage][tag], n))
            for lines in drawings.values():
                yield Chart(f"{stage}: {title}", "iteration", title, lines)


def _grid(charts: Iterator[Chart]) -> str:
    bodies = "".join(map(drawn, charts))
    return f'<div class="charts">{bodies}</div>' if bodies else ""


def _steps(runs: Sequence[Recorded], names: Sequence[str]) -> str:
    rows: list[list[Content]] = []
    for run, name in zip(runs, names, strict=True):
        taken = totals(run.usage)
        cells: list[Content] = []
        for step in _STEPS:
            seconds, memory = taken.get(step, (None, None))
            cells.append(Cell(seconds, text=UNDEFINED if seconds is None else duration(seconds)))
            cells.append(Cell(memory, text=size(memory)))
        rows.append([name, *cells])
    header = ["run", *(f"{step} {what}" for step in _STEPS for what in ("time", "memory"))]
    return table(header, rows, name="what each step took")


def _sections(runs: Sequence[Recorded], names: Sequence[str]) -> str:
    """Of each volume raw, truth and the segmentation of each run that scored the same region of the
    same data."""
    bodies = ""
    for volume in dict.fromkeys(name for run in runs for name in run.volumes):
        alike = _alike(runs, volume)
        others = [
            names[n] for n, run in enumerate(runs) if volume in run.volumes and n not in alike
        ]
        try:
            body = _section(runs, names, volume, alike)
        except (ValueError, OSError) as error:
            body = paragraph(reason(error))
        note = (
            f"Not of {', '.join(others)}: other data of this name, or another region of it."
            if others
            else ""
        )
        bodies += f"<h3>{escape(volume)}</h3>{body}{paragraph(note, note=True)}"
    return bodies


def _alike(runs: Sequence[Recorded], volume: str) -> list[int]:
    """Places of the runs whose volume of this name is that of the first which has one."""
    known = [n for n, run in enumerate(runs) if volume in run.volumes]
    described = [_scored_data(runs[n], volume) for n in known]
    return [n for n, each in zip(known, described, strict=True) if each == described[0]]


def _scored_data(run: Recorded, volume: str) -> tuple[object, ...]:
    """What tells the data of a volume, and the region of it that was scored, from others."""
    spec, found = run.config.dataset.volumes().get(volume), run.volumes[volume]
    is_whole = spec is None or spec.synthetic is not None or _is_absolute(spec.path)
    root = None if is_whole else os.path.realpath(data_root(run.config))
    return str(spec), root, found["begin"], found["end"]


def _is_absolute(path: str | None) -> bool:
    return path is not None and os.path.isabs(with_variables(path))


def _section(
    runs: Sequence[Recorded], names: Sequence[str], name: str, places: Sequence[int]
) -> str:
    first, words = runs[places[0]], ""
    volume, found = volume_of(first, name), first.volumes[name]
    there: list[Layer] = [
        layer for layer in layers(first, volume)[0] if layer.title in ("raw", "truth")
    ]
    for n in places:
        try:
            there.append(segmentation_layer(runs[n], name, title=names[n]))
        except (ValueError, OSError) as error:
            words += paragraph(f"{names[n]}: {reason(error)}", note=True)
    roi = Roi(found["begin"], [e - b for b, e in zip(found["begin"], found["end"], strict=True)])
    box = box_of(volume, roi, first.config.evaluate)
    return slices(name, there, planes(volume, box, there), calibrated=volume.calibrated) + words


def _differences(runs: Sequence[Recorded], names: Sequence[str]) -> str:
    """In what each differs from the first."""
    first = _config(runs[0])
    rows: list[list[Content]] = []
    for run, name in zip(runs[1:], names[1:], strict=True):
        lines = differences(first, _config(run))
        rows += [[name, each] for each in lines]
    words = f'"there" is {names[0]}, "asked for" the run of the row.'
    return table(["run", "differs from the first in"], rows) + paragraph(words, note=True)


def _config(run: Recorded) -> dict[str, Any]:
    # what is not written is told by its usual value
    return written_out(json.loads(run.config.model_dump_json()), Config)
