"""Groups of rows that lie one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def group_begins(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """The first row of each group of rows (n,) one after another that are equal in all columns."""
    is_first = np.zeros(len(columns[0]), np.bool_)
    is_first[:1] = True
    for column in columns:
        is_first[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(is_first)
