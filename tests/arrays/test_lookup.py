"""Look-up tables against scipy and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lsd.arrays.lookup import compact, components, relabel
from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.mincut import min_cut_metric

BIG = 2**64 - 1


def test_by_hand() -> None:
    nodes = np.array([7, 0, 3, BIG, 5], np.uint64)
    edges = np.array([[5, 7], [3, 5], [7, BIG], [0, 3]], np.uint64)
    scores = np.array([0.1, 0.5, np.inf, 0.0], np.float32)
    assert components(nodes, edges, scores, 0.1).tolist() == [5, 0, 3, BIG, 5]
    assert components(nodes, edges, scores, 0.5).tolist() == [3, 0, 3, BIG, 3]
    assert components(nodes, edges, scores, 0.09).tolist() == nodes.tolist()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.floats(0, 1)), max_size=20),
    st.floats(0, 1),
)
def test_against_scipy(count, edges, threshold) -> None:
    edges = [(u % count, v % count, s) for u, v, s in edges]
    ids = np.sort(
        np.random.default_rng(count).integers(1, BIG, count, dtype=np.uint64, endpoint=True)
    )
    u = np.array([e[0] for e in edges], int)
    v = np.array([e[1] for e in edges], int)
    scores = np.array([e[2] for e in edges])
    used = scores <= threshold
    _, component = connected_components(
        coo_matrix((np.ones(used.sum()), (u[used], v[used])), shape=(count, count)), False
    )
    expected = [ids[component == component[i]].min() for i in range(count)]
    found = components(ids, np.stack([ids[u], ids[v]], axis=1), scores, threshold)
    assert found.tolist() == expected
    assert found.dtype == np.uint64


def test_empty_graph() -> None:
    assert components(np.array([], np.uint64), np.zeros((0, 2)), np.zeros(0), 1.0).tolist() == []
    assert components([4, 2], np.zeros((0, 2), np.uint64), np.zeros(0), 1.0).tolist() == [4, 2]


@pytest.mark.parametrize("threshold", [0.3, np.float64(0.3), np.float32(0.3)])
def test_equal_scores_join_whatever_their_precision(threshold) -> None:
    edges = np.array([[1, 2]], np.uint64)
    for dtype in (np.float32, np.float64):
        assert components([1, 2], edges, np.array([0.3], dtype), 0.3).tolist() == [1, 1]
    assert components([1, 2], edges, np.array([0.3], np.float32), threshold).tolist() == [1, 1]


def test_edge_to_nowhere() -> None:
    with pytest.raises(ValueError, match="fragment 9"):
        components(np.array([1, 2]), np.array([[1, 9]]), np.array([0.5]), 0.5)
    assert components(np.array([1, 2]), np.array([[1, 9]]), np.array([0.6]), 0.5).tolist() == [1, 2]


@pytest.mark.parametrize("edges", [[[1, 2, 1], [2, 3, 3]], [[1, 2, 3], [2, 3, 1]] * 3, [1, 2, 3]])
def test_edges_that_are_no_pairs_are_refused(edges) -> None:
    """As pairs in columns are, of which there are as many numbers."""
    with pytest.raises(ValueError, match=r"edges have shape .*wanted: \(m, 2\) and \(m,\)"):
        components([1, 2, 3], edges, np.zeros(np.size(edges) // 2), 0.5)
    lines = Skeletons([1, 2], [7, 7], [(0, 0, 0), (0, 0, 9)], [(1, 2)])
    with pytest.raises(ValueError, match=r"edges have shape .*wanted: \(m, 2\)"):
        min_cut_metric(lines, [1, 2], edges, np.zeros(np.size(edges) // 2), 0.5)


def test_relabel_is_exact_for_large_ids() -> None:
    ids = np.array([2**53, 2**53 + 1, BIG, BIG - 1, 1], np.uint64)
    labels = np.random.default_rng(0).choice(np.append(ids, np.uint64(0)), (5, 6, 7))
    before = labels.copy()
    found = relabel(labels, ids, ids[::-1])
    table = {int(a): int(b) for a, b in zip(ids, ids[::-1], strict=True)} | {0: 0}
    assert found.ravel().tolist() == [table[int(i)] for i in labels.ravel()]
    assert np.array_equal(labels, before)


def test_relabel_may_move_zero() -> None:
    assert relabel(np.array([0, 3, 0]), np.array([0, 3]), np.array([8, 9])).tolist() == [8, 9, 8]


def test_relabel_refuses_strangers() -> None:
    with pytest.raises(ValueError, match="label 4"):
        relabel(np.array([3, 4], np.uint8), np.array([3]), np.array([1]))


def test_compact() -> None:
    labels = np.array([[5, 5, 9], [0, BIG, BIG]], np.uint64)
    assert compact(labels).tolist() == [[1, 1, 2], [0, 3, 3]]
    assert compact(labels, min_size=2).tolist() == [[1, 1, 0], [0, 2, 2]]
    assert compact(labels.astype(">u8"), min_size=2).tolist() == [[1, 1, 0], [0, 2, 2]]
    assert compact(np.zeros((2, 2), np.int32)).tolist() == [[0, 0], [0, 0]]
