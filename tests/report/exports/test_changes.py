"""Cuts and joins of segments, against all ways to cut a small graph."""

import itertools

import numpy as np
import pytest

from lsd.evaluation.along_skeletons.cuts import RegionGraph
from lsd.report.exports.changes import Segment, cut, joined, refuse_contradictions


def chain(scores):
    """Fragments 10, 20, .. in a row, with these scores between them."""
    fragments = np.arange(1, len(scores) + 2, dtype=np.uint64) * 10
    edges = np.stack([fragments[:-1], fragments[1:]], axis=1)
    return Segment(fragments, RegionGraph.of(edges, np.array(scores, np.float32)))


def test_a_chain_is_cut_at_its_weakest_link() -> None:
    segment = chain([0.1, 0.6, 0.2, 0.3])
    assert cut(segment, [(10, 50)]).tolist() == [10, 10, 30, 30, 30]
    # what is apart already stays, and a second cut is made within a part
    assert cut(segment, [(10, 50), (20, 30)]).tolist() == [10, 10, 30, 30, 30]
    assert cut(segment, [(10, 50), (30, 50)]).tolist() == [10, 10, 30, 30, 50]


@pytest.mark.parametrize("seed", range(5))
def test_the_weakest_cut_of_all(seed) -> None:
    rng = np.random.default_rng(seed)
    fragments = np.arange(1, 8, dtype=np.uint64)
    pairs = np.array(list(itertools.combinations(fragments, 2)), np.uint64)
    pairs = pairs[rng.random(len(pairs)) < 0.6]
    graph = RegionGraph.of(pairs, rng.random(len(pairs)).astype(np.float32))
    parts = cut(Segment(fragments, graph), [(1, 7)])
    weights = [
        sum(
            int(capacity)
            for (u, v), capacity in zip(pairs.tolist(), graph.capacities, strict=True)
            if (u in side) != (v in side)
        )
        for count in range(7)
        for rest in itertools.combinations(range(2, 7), count)
        for side in [{1, *rest}]
    ]
    side = set(fragments[parts == parts[0]].tolist())
    assert 1 in side
    assert 7 not in side
    crossing = [
        int(capacity)
        for (u, v), capacity in zip(pairs.tolist(), graph.capacities, strict=True)
        if (u in side) != (v in side)
    ]
    assert sum(crossing) == min(weights)


def test_parts_are_named_by_their_smallest_fragment_and_joins_by_the_smallest_name() -> None:
    assert joined([(5, 9), (9, 3), (7, 8)]) == {3: 3, 5: 3, 9: 3, 7: 7, 8: 7}
    assert joined([]) == {}


def test_joins_that_undo_a_cut_are_refused() -> None:
    refuse_contradictions([(10, 50)], {10: 10, 50: 30}, {30: 30, 7: 7})
    with pytest.raises(ValueError, match="10 and 50 are to be apart, and joins make both"):
        refuse_contradictions([(10, 50)], {10: 10, 50: 30}, {10: 7, 30: 7, 7: 7})
