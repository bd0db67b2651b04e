"""Sums of groups, exactly."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Whole = TypeVar("Whole", bound=np.integer[Any])


def sums(groups: NDArray[np.integer[Any]], values: NDArray[Whole], count: int) -> NDArray[Whole]:
    """The sum of the values (n,) of each of `count` groups, in whole numbers, which floats would
    round above 2**53; groups: (n,) that of each value."""
    total = np.zeros(count, values.dtype)
    np.add.at(total, groups, values)
    return total
