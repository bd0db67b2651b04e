"""What each step took, in a page."""

from __future__ import annotations

from collections.abc import Sequence

from lsd.report.page.chart import UNDEFINED
from lsd.report.page.document import folded, paragraph
from lsd.report.page.tables import Cell, Content, table
from lsd.report.recorded import Json

_HEADER = ("step", "began", "ended", "time", "processor time", "memory", "other processes", "GPU")
_ABOUT = (
    "Memory is what the process held at its peak (resident, with the libraries that it loaded); of "
    "other processes that it started on the machine, the most that they held together, looked at "
    "every two seconds. A step that was stopped and went on has a row for each time; one that "
    "was killed leaves none, nor do workers on other machines."
)


def steps_table(usage: Sequence[Json]) -> str:
    """A row for each time that a step was done."""
    if not usage:
        return paragraph(
            "It is not known what the steps took: they ran with an earlier version, which did not "
            "note it."
        )
    body = table(_HEADER, [_row(each) for each in usage], name="what each step took")
    return (
        _totals(usage)
        + folded("each time that a step was done", body)
        + paragraph(_ABOUT, note=True)
    )


def totals(usage: Sequence[Json]) -> dict[str, tuple[float, int]]:
    """Seconds in all, and the highest memory of the process in bytes, of each step."""
    found: dict[str, tuple[float, int]] = {}
    for each in usage:
        seconds, memory = found.get(each["step"], (0.0, 0))
        found[each["step"]] = (
            seconds + each["seconds"],
            max(memory, each.get("memory_bytes") or 0),
        )
    return found


def duration(seconds: float) -> str:
    """As people say it: 41 s, 12 min 5 s, 3 h 20 min."""
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(count: float | None) -> str:
    """Bytes, as people say it."""
    if count is None:
        return UNDEFINED
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"


def _totals(usage: Sequence[Json]) -> str:
    rows: list[list[Content]] = [
        [step, Cell(seconds, text=duration(seconds)), Cell(memory, text=size(memory))]
        for step, (seconds, memory) in totals(usage).items()
    ]
    return table(("step", "time in all", "memory at its peak"), rows, name="steps")


def _row(each: Json) -> list[Content]:
    names = ("memory_bytes", "child_memory_bytes", "gpu_memory_bytes")
    return [
        str(each["step"]),
        str(each.get("began", ""))[:16].replace("T", " "),
        str(each.get("ended", "")),
        Cell(each["seconds"], text=duration(each["seconds"])),
        Cell(each.get("processor_seconds"), text=duration(each.get("processor_seconds") or 0.0)),
        *(Cell(each.get(name), text=size(each.get(name))) for name in names),
    ]
