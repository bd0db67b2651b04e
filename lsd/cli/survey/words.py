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
    for limit, size, name in ((100, 1, "s"), (6000, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return (
                f"{seconds / size:.2g} {name}"
                if seconds / size < 10
                else _whole(seconds, size, name)
            )
    return f"{seconds / 86_400:.3g} days"


def _whole(seconds: float, size: int, name: str) -> str:
    return f"{seconds / size:.0f} {name}"


def times(shape: Sequence[float]) -> str:
    """Of an array, or of a voxel: "128x128x128"."""
    return "x".join(f"{n:g}" for n in shape)
