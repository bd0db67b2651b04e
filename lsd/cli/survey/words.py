"""Sizes, times and outcomes as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence

_UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")


def amount(count: float) -> str:
    """Bytes: "1.2 GB"."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.3g} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """ "40 s", "12 min", "3.5 h", "2.1 days"."""
    if seconds < 1:
        return "a second or less"
    for limit, size, name in ((100, 1, "s"), (6000, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            number = seconds / size
            return f"{number:.0f} {name}" if number >= 10 else f"{number:.2g} {name}"
    return f"{seconds / 86_400:.3g} days"


def about(seconds: float) -> str:
    """A duration that was guessed: "about 12 min"."""
    return duration(seconds) if seconds < 1 else f"about {duration(seconds)}"


def made_anew(differences: Sequence[str], *, is_partial: bool) -> str:
    """What would become of steps that were done otherwise than is asked for now, "" where they were
    not; is_partial: they are of a run that is not finished."""
    if not differences:
        return ""
    outcome = "refused, for the earlier run is not finished" if is_partial else "made anew"
    return (
        f"what is done with other settings or inputs would be {outcome}: {'; '.join(differences)}"
    )


def times(shape: Sequence[float]) -> str:
    """Of an array, or of a voxel: "128x128x128"."""
    return "x".join(f"{n:g}" for n in shape)
