"""Scores in a page: tables and curves over thresholds, each number as it stands in
evaluation.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lsd.evaluation.score import Score
from lsd.report.page.chart import Chart, Line, drawn
from lsd.report.page.document import paragraph
from lsd.report.page.tables import Cell, Content, pointer, table
from lsd.report.recorded import Json, Recorded

# numbers that a score without columns shows, at most
_MOST = 8


def headings(words: type[Score], values: Json) -> dict[str, str]:
    """The numbers of a score that a table shows, with their headings."""
    if words.columns:
        return {name: title for name, title in words.columns.items() if name in values}
    # what a score defines comes first: it knows what matters
    names = [*(name for name in words.definitions if name in values), *values]
    numbers = [name for name in dict.fromkeys(names) if _is_number(values[name])]
    return {name: name.replace("_", " ") for name in numbers[:_MOST]}


def swept(words: type[Score], values: Json) -> dict[str, str]:
    """The numbers of a score that are drawn over thresholds, what is most important first."""
    if words.over_thresholds:
        return {name: title for name, title in words.over_thresholds.items() if name in values}
    return dict(list(headings(words, values).items())[:4])


def rows_of(recorded: Recorded) -> Iterator[tuple[str, str, str, Json]]:
    """(title, part, pointer, values) of each volume that was scored, of its fragments, and of parts
    with several volumes."""
    volumes = recorded.volumes
    for name, volume in volumes.items():
        for key, title in (("scores", name), ("fragments", f"{name}, fragments")):
            if volume[key]:
                yield title, volume["part"], pointer("volumes", name, key), volume[key]
    for part, values in recorded.evaluation.get("parts", {}).items():
        if sum(volume["part"] == part for volume in volumes.values()) > 1:
            yield "all volumes of the part", part, pointer("parts", part), values


def scores_table(recorded: Recorded) -> str:
    """The scores at the run's threshold."""
    listed, words = list(rows_of(recorded)), recorded.words()
    if not listed:
        return ""
    columns = headings(words, listed[0][3])
    rows: list[list[Content]] = [
        [title, part, *(Cell(values.get(name), f"{at}/{name}") for name in columns)]
        for title, part, at, values in listed
    ]
    notes = [words.note, *(f"{name}: {each}." for name, each in recorded.apart().items())]
    return table(["volume", "part", *columns.values()], rows, name="scores") + "".join(
        paragraph(note, note=True) for note in notes
    )


def sweep_charts(recorded: Recorded) -> str:
    """The scores of each volume over thresholds, with the one that was picked."""
    charts = [
        Chart(
            title=f"{name} ({volume['part']})",
            x="threshold",
            y=_title(recorded.words()),
            lines=_lines(recorded.words(), volume),
            mark=recorded.threshold,
            mark_words="picked",
        )
        for name, volume in recorded.volumes.items()
        if volume["sweep"]
    ]
    return f'<div class="charts">{"".join(map(drawn, charts))}</div>' if charts else ""


def sweep_table(recorded: Recorded) -> str:
    """The same as numbers."""
    words, rows = recorded.words(), list[list[Content]]()
    columns: Mapping[str, str] = {}
    for name, volume in recorded.volumes.items():
        for threshold, values in volume["sweep"].items():
            columns = columns or headings(words, values)
            at = pointer("volumes", name, "sweep", threshold)
            cells = [Cell(values.get(key), f"{at}/{key}") for key in columns]
            rows.append([name, Cell(float(threshold), text=f"{float(threshold):g}"), *cells])
    header = ["volume", "threshold", *columns.values()]
    return table(header, rows, name="scores over thresholds") if rows else ""


def objective(words: type[Score], values: Json) -> tuple[str, str]:
    """Name and title of the number that stands for a score."""
    name = next(iter(swept(words, values) or headings(words, values)), "")
    return name, {**headings(words, values)}.get(name, name.replace("_", " "))


def _title(words: type[Score]) -> str:
    return f"{words.title} [{words.unit}]" if words.unit else words.title


def _lines(words: type[Score], volume: Mapping[str, Any]) -> Sequence[Line]:
    sweep = {float(threshold): values for threshold, values in volume["sweep"].items()}
    names = swept(words, next(iter(sweep.values())))
    lines = [
        Line(title, list(sweep), [values.get(name) for values in sweep.values()], style)
        for style, (name, title) in enumerate(names.items())
    ]
    first = next(iter(names), "")
    if volume["fragments"] and first in volume["fragments"] and len(sweep) > 1:
        ends = [min(sweep), max(sweep)]
        value = volume["fragments"][first]
        lines.append(Line(f"fragments, {names[first]}", ends, [value, value], 7))
    return lines


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
