"""Kernels of structured losses against networkx and numpy."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsd.losses.kernels.articulation import articulation_vertices
from lsd.losses.kernels.ordering import sort_descending, split_off_highest


@given(seed=st.integers(0, 2**32), count=st.integers(1, 30), density=st.floats(0.2, 2.5))
@settings(max_examples=80, deadline=None)
def test_articulation_vertices_equal_those_of_networkx(seed, count, density):
    """With edges that are given twice."""
    rng = np.random.default_rng(seed)
    edges = rng.integers(0, count, (int(count * density), 2)).astype(np.int32)
    edges = edges[edges[:, 0] != edges[:, 1]]
    graph = networkx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(edges.tolist())
    found = articulation_vertices(count, np.concatenate([edges, edges[::2, ::-1]]))
    assert set(np.flatnonzero(found)) == set(networkx.articulation_points(graph))


def test_a_long_chain_needs_no_recursion():
    chain = np.stack([np.arange(200_000), np.arange(1, 200_001)], axis=1).astype(np.int32)
    found = articulation_vertices(200_001, chain)
    assert not found[[0, -1]].any()
    assert found[1:-1].all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64])
@pytest.mark.parametrize("count", [1, 60, 5000])
@pytest.mark.parametrize("values", [2, 1000, None])
def test_sorting_is_stable(dtype, count, values):
    rng = np.random.default_rng(0)
    most = np.iinfo(dtype).max if values is None else min(values, np.iinfo(dtype).max)
    keys = rng.integers(0, most, count, dtype)
    edges = np.arange(count, dtype=np.int32)
    expected = sorted(range(count), key=lambda i: (-int(keys[i]), i))
    of_keys = keys[expected]
    sort_descending(keys, edges)
    assert edges.tolist() == expected
    np.testing.assert_array_equal(keys, of_keys)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64])
def test_the_highest_come_to_the_front(dtype):
    rng = np.random.default_rng(1)
    keys = rng.integers(0, np.iinfo(dtype).max, 3000, dtype)
    before, edges = keys.copy(), np.arange(3000, dtype=np.int32)
    front = split_off_highest(keys, edges, 0.25)
    assert 750 <= front < 1000
    np.testing.assert_array_equal(before[edges], keys)
    assert keys[:front].min() > keys[front:].max()
    assert (np.diff(edges[:front]) > 0).all()
    assert (np.diff(edges[front:]) > 0).all()
