"""Groups of rows, against itertools.groupby."""

from itertools import groupby

import numpy as np
import pytest

from lsd.arrays.groups import group_begins


@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_groups_begin_where_a_column_changes(count) -> None:
    rng = np.random.default_rng(count)
    first = np.uint64(2**64 - 3) + rng.integers(0, 3, count).astype(np.uint64)
    second = rng.integers(0, 2, count)
    rows = zip(first.tolist(), second.tolist(), range(count), strict=True)
    wanted = [next(own)[2] for _, own in groupby(rows, key=lambda row: row[:2])]
    assert group_begins(first, second).tolist() == wanted
    alone = [next(own) for _, own in groupby(range(count), key=lambda row: first[row])]
    assert group_begins(first).tolist() == alone
