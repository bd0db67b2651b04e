"""Union-find against scipy's connected components, and merges against unions that are done anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lsd.arrays.union_find import flatten, joined, joining_merge, union

PAIRS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30)


@settings(deadline=None)
@given(PAIRS)
@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint64])
def test_roots_are_the_smallest_of_what_is_connected(dtype, pairs) -> None:
    parents, ends = np.arange(20, dtype=dtype), np.array(pairs, np.int64).reshape(-1, 2)
    union(parents, ends[:, 0], ends[:, 1])
    flatten(parents)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(20, 20))
    _, component = connected_components(graph, directed=False)
    smallest = [int(np.flatnonzero(component == component[node])[0]) for node in range(20)]
    assert parents.tolist() == joined(20, ends).tolist() == smallest


@settings(deadline=None)
@given(PAIRS, PAIRS)
def test_two_ends_meet_at_the_first_merge_that_joins_them(merges, edges) -> None:
    merged, asked = (np.array(pairs, np.int64).reshape(-1, 2) for pairs in (merges, edges))
    # merges name regions that are apart: others would join nothing
    kept, parents = [], np.arange(20)
    for pair in merged:
        flatten(parents)
        if parents[pair[0]] != parents[pair[1]]:
            kept.append(pair)
            union(parents, pair[:1], pair[1:])
    merged = np.array(kept, np.int64).reshape(-1, 2)
    found = joining_merge(20, merged, asked)
    for edge, merge in zip(asked, found, strict=True):
        if edge[0] == edge[1]:
            assert merge == len(merged)
            continue
        together = []
        for count in range(len(merged) + 1):
            parents = np.arange(20)
            union(parents, merged[:count, 0], merged[:count, 1])
            flatten(parents)
            together.append(parents[edge[0]] == parents[edge[1]])
        assert merge == (together.index(True) - 1 if any(together) else len(merged))
