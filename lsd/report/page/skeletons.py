"""Scores along skeletons, in a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from lsd.evaluation.along_skeletons.edit_counts import MinCutMetric
from lsd.evaluation.along_skeletons.run_length import RunLength
from lsd.report.page.chart import UNDEFINED, Chart, Line, drawn
from lsd.report.page.document import folded, paragraph
from lsd.report.page.scores import headings
from lsd.report.page.tables import Cell, Content, definitions, pointer, table
from lsd.report.recorded import Json, Recorded
from lsd.spec.paths import evaluation_file

# rows of a volume that a page shows: all are in evaluation.json
ROWS = 100
_EDITS = {"cuts": "cuts", "merges": "joins"}
_TITLES = {"max_erl": "max ERL (nm)"}
_NONE: Json = {}
_EDGES = ("correct", "split", "merged", "omitted")


def skeletons(recorded: Recorded) -> str:
    """Run lengths at each tolerance and edits of volumes with skeletons, over thresholds and for
    each skeleton; "" where there are none."""
    volumes: Mapping[str, Json] = recorded.evaluation.get("skeletons", {}).get("volumes", {})
    if not any(volume["scores"] or volume["sweep"] for volume in volumes.values()):
        return ""
    file = evaluation_file(recorded.config).name
    charts = "".join(drawn(chart) for chart in _charts(volumes, recorded.threshold))
    return (
        _run_lengths(volumes)
        + "".join(
            paragraph(f"{name}: {each}.", note=True)
            for name, each in recorded.skeletons_apart().items()
        )
        + _edits(volumes)
        + (f'<div class="charts">{charts}</div>' if charts else "")
        + "".join(_each(name, volume, file=file) for name, volume in volumes.items())
        + folded("how these are defined", definitions(_defined()))
    )


def _run_lengths(volumes: Mapping[str, Json]) -> str:
    rows, columns = list[list[Content]](), dict[str, str]()
    for name, volume in volumes.items():
        found: Mapping[str, Json] = (volume["scores"] or _NONE).get("run_lengths", {})
        for tolerance, values in found.items():
            columns = columns or headings(RunLength, values)
            at = pointer("skeletons", "volumes", name, "scores", "run_lengths", tolerance)
            cells = [Cell(values.get(key), f"{at}/{key}") for key in columns]
            rows.append([name, volume["part"], tolerance, *cells])
    header = ["volume", "part", "tolerance", *columns.values()]
    return table(header, rows, name="run lengths") if rows else ""


def _edits(volumes: Mapping[str, Json]) -> str:
    rows, columns = list[list[Content]](), dict[str, str]()
    for name, volume in volumes.items():
        values = (volume["scores"] or _NONE).get("edits")
        if values:
            columns = columns or headings(MinCutMetric, values)
            at = pointer("skeletons", "volumes", name, "scores", "edits")
            cells = [Cell(values.get(key), f"{at}/{key}") for key in columns]
            rows.append([name, volume["part"], *cells])
    header = ["volume", "part", *columns.values()]
    return table(header, rows, name="edits") if rows else ""


def _charts(volumes: Mapping[str, Json], threshold: float | None) -> Iterator[Chart]:
    """Of each volume the nERL at each tolerance, and the edits, over thresholds."""
    for name, volume in volumes.items():
        sweep = {float(key): values for key, values in volume["sweep"].items()}
        tolerances = next(iter(sweep.values()), _NONE).get("run_lengths", {})
        lengths = [
            Line(
                f"nERL {tolerance}",
                list(sweep),
                [values["run_lengths"][tolerance]["nerl"] for values in sweep.values()],
                style,
            )
            for style, tolerance in enumerate(tolerances)
        ]
        edits = [values.get("edits") or {} for values in sweep.values()]
        counts = [
            Line(title, list(sweep), [each.get(key) for each in edits], style)
            for style, (key, title) in enumerate(MinCutMetric.over_thresholds.items())
        ]
        for title, lines in (("nERL", lengths), ("edits", counts)):
            yield Chart(f"{name}: {title}", "threshold", title, lines, threshold, "picked")


def _each(name: str, volume: Json, *, file: str) -> str:
    """A row for each skeleton, of those first that lack most of their length; file: that holds all
    rows."""
    found: Sequence[Json] = sorted(volume.get("per_skeleton", ()), key=_lacking, reverse=True)
    if not found:
        return ""
    tolerances = list(found[0].get("run_lengths", {}))
    edited = {key: title for key, title in _EDITS.items() if key in found[0]}
    rows: list[list[Content]] = [
        [
            Cell(each["skeleton"], text=str(each["skeleton"])),
            _nm(each["length"]),
            *(_nm(each["run_lengths"][tolerance]) for tolerance in tolerances),
            *(Cell(each.get(key)) for key in (*_EDGES, *edited)),
        ]
        for each in found[:ROWS]
    ]
    header = [
        "skeleton",
        "length nm",
        *(f"ERL {tolerance}" for tolerance in tolerances),
        *_EDGES,
        *edited.values(),
    ]
    left = len(found) - len(rows)
    more = f"{left} more are in {file}." if left > 0 else ""
    body = table(header, rows, sortable=True, name=f"skeletons of {name}")
    return f"<h3>{escape(name)}</h3>{body}{paragraph(more, note=True)}"


def _lacking(each: Mapping[str, Any]) -> float:
    """Length of a skeleton that is not in its expected run."""
    return float(each["length"] or 0) - float(each.get("run_length") or 0)


def _nm(value: float | None) -> Cell:
    return Cell(value, text=UNDEFINED if value is None else f"{value:,.0f}")


def _defined() -> dict[str, str]:
    return {
        _TITLES.get(name) or score.columns.get(name) or name.replace("_", " "): what
        for score in (RunLength, MinCutMetric)
        for name, what in score.definitions.items()
    }
