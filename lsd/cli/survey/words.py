"""Sizes and times as a person reads them."""

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


def times(shape: Sequence[float]) -> str:
    """Of an array, or of a voxel: "128x128x128"."""
    return "x".join(f"{n:g}" for n in shape)
