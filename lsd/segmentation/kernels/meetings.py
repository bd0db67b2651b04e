"""When two fragments first share a region, in the order in which regions join."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.union_find import joining_merge


def meetings(
    count: int, merges: NDArray[np.int64], heights: NDArray[np.float32], edges: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Height at which the two ends of each edge (n, 2) first share a region, (n,); inf if they
    never do.

    count: of ids; merges: (m, 2) ids that stand for the regions that join, in their order; heights:
           (m,) of these.  One that is lower than an earlier one counts as that.
    """
    reached = np.maximum.accumulate(heights) if len(heights) else heights
    return np.asarray(np.append(reached, np.float32(np.inf))[joining_merge(count, merges, edges)])
