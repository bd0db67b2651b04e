"""Numbers that may be undefined: None, never 0 or 1, and left out of a mean."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple


class Average(NamedTuple):
    """mean: of the numbers that are defined, None where none is; left_out: how many are not"""

    mean: float | None
    counted: int
    left_out: int


def average(values: Iterable[float | None]) -> Average:
    """The mean of those that are defined, and how many were left out."""
    numbers = list(values)
    defined = [value for value in numbers if value is not None]
    mean = math.fsum(defined) / len(defined) if defined else None
    return Average(mean, len(defined), len(numbers) - len(defined))


def ratio(part: float, whole: float) -> float | None:
    """part / whole; None of nothing."""
    return part / whole if whole else None


def finite(content: Any) -> Any:
    """Plain data in which what is no finite number is None, as JSON has it."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
