"""Weakest cuts against scipy's flows, in parts that become smaller."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from lsd.arrays.min_cut import Arcs


def by_scipy(nodes, ends, capacities, part, source, sink):
    """What the residual of a maximum flow reaches from the source, and the flow."""
    inside = (part[ends] == part[source]).all(axis=1)
    rows, columns = np.concatenate([ends[inside], ends[inside][:, ::-1]]).T
    data = np.tile(capacities[inside], 2).astype(np.int32)
    graph = csr_array((data, (rows, columns)), shape=(nodes, nodes))
    flow = maximum_flow(graph, source, sink)
    residual = csr_array(graph - flow.flow)
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, source, return_predecessors=False)
    return set(reached.tolist()), flow.flow_value


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_equals_scipy_cut_after_cut(seed) -> None:
    """Few capacities, so that many cuts are as weak; parallel edges, capacities of 0, and nodes
    that nothing leads to."""
    rng = np.random.default_rng(seed)
    nodes, edges = int(rng.integers(2, 40)), int(rng.integers(0, 120))
    ends = rng.integers(0, nodes, (edges, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    capacities = rng.integers(0, 6, len(ends)).astype(np.int32)
    arcs, part = Arcs.of(nodes, ends, capacities), np.zeros(nodes, np.int64)
    for number in range(1, 6):
        members = np.flatnonzero(part == part[rng.integers(nodes)])
        if len(members) < 2:
            continue
        source, sink = (int(node) for node in rng.choice(members, 2, replace=False))
        expected, flow = by_scipy(nodes, ends, capacities, part, source, sink)
        found = arcs.source_side(part, source, sink)
        assert set(found.tolist()) == expected
        assert len(found) == len(expected)
        side = np.isin(np.arange(nodes), found)
        inside = (part[ends] == part[source]).all(axis=1)
        assert capacities[inside & (side[ends[:, 0]] != side[ends[:, 1]])].sum() == flow
        part[found] = number


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_either_side_is_that_of_the_source_or_the_rest(seed) -> None:
    """Of graphs that hang together, cut after cut; few capacities, so that there are nodes that
    neither end reaches."""
    rng = np.random.default_rng(seed)
    nodes, edges = int(rng.integers(2, 40)), int(rng.integers(0, 80))
    tree = [(int(rng.integers(0, node)), node) for node in range(1, nodes)]
    ends = np.concatenate([np.array(tree).reshape(-1, 2), rng.integers(0, nodes, (edges, 2))])
    ends = ends[ends[:, 0] != ends[:, 1]]
    capacities = rng.integers(0, 4, len(ends)).astype(np.int32)
    capacities[: nodes - 1] += 1
    arcs, part = Arcs.of(nodes, ends, capacities), np.zeros(nodes, np.int64)
    for number in range(1, nodes):
        members = np.flatnonzero(part == part[rng.integers(nodes)])
        if len(members) < 2:
            continue
        source, sink = (int(node) for node in rng.choice(members, 2, replace=False))
        expected, _ = by_scipy(nodes, ends, capacities, part, source, sink)
        found = arcs.either_side(part, source, sink).tolist()
        assert len(found) == len({*found})
        assert {*found} in (expected, {*members.tolist()} - expected)
        part[found] = number


def grid(side):
    """The nodes of a square, numbered row by row, and edges between neighbours."""
    nodes = np.arange(side * side).reshape(side, side)
    pairs = ((nodes[:, :-1], nodes[:, 1:]), (nodes[:-1], nodes[1:]))
    return nodes, np.concatenate([np.stack([u.ravel(), v.ravel()], 1) for u, v in pairs])


@pytest.mark.parametrize("turned", [False, True])
def test_a_cut_takes_the_time_of_its_smaller_side(turned) -> None:
    """Nodes of a large grid that hang on it by weak edges, taken off as source or as sink: ten
    times as many nodes take no longer."""
    seconds = []
    for side in (200, 640):
        nodes, ends = grid(side)
        weak = nodes[2 : 2 * 90 : 2, side // 2]
        capacities = np.where(np.isin(ends, weak).any(axis=1), 10, 1000).astype(np.int32)
        arcs, part = Arcs.of(nodes.size, ends, capacities), np.zeros(nodes.size, np.int64)
        arcs.either_side(part, 1, 0)
        begin = time.process_time()
        for number, node in enumerate(weak.tolist(), start=1):
            ends_of_cut = (node + 1, node) if turned else (node, node + 1)
            assert arcs.either_side(part, *ends_of_cut).tolist() == [node]
            part[node] = number
        seconds.append(time.process_time() - begin)
    assert seconds[1] < 4 * seconds[0] + 0.02


def test_a_large_grid_takes_a_moment() -> None:
    """A cut between neighbours does not look at all of it."""
    nodes, ends = grid(500)
    arcs = Arcs.of(nodes.size, ends, np.full(len(ends), 10**6, np.int32))
    part = np.zeros(nodes.size, np.int64)
    for number in range(1, 50):
        corner = int(nodes[2 * number, 250])
        assert arcs.source_side(part, corner, corner + 1).tolist() == [corner]
        part[corner] = number


@pytest.mark.parametrize("count", [2, 7])
def test_what_is_apart_is_cut_already(count) -> None:
    arcs = Arcs.of(count, np.zeros((0, 2), np.int64), np.zeros(0, np.int32))
    assert arcs.source_side(np.zeros(count, np.int64), 1, 0).tolist() == [1]
