"""The min-cut metric by hand, and against an enumeration of all cuts of tiny graphs."""

import time
from itertools import product

import numpy as np
import pytest

from lsd.arrays.lookup import components
from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.along_skeletons.cuts import EdgePiece
from lsd.evaluation.mincut import edits, min_cut_metric


def nodes(*skeletons, positions=None) -> Skeletons:
    """Nodes without edges, in a row, 10 nm apart; skeletons: of each."""
    count = len(skeletons)
    if positions is None:
        positions = np.stack([np.zeros(count), np.zeros(count), 10.0 * np.arange(count)], axis=1)
    return Skeletons(np.arange(count), skeletons, positions, [])


def numbers(found) -> tuple[int, ...]:
    return found.splits, found.merges, found.remerges, found.unsplittable, found.mcm


def test_what_is_right_needs_no_edit() -> None:
    found = min_cut_metric(nodes(7, 7, 8), [1, 2, 3], [(1, 2)], [0.1], 0.5)
    assert numbers(found) == (0, 0, 0, 0, 0)
    assert found.mcm_per_skeleton == 0


def test_a_plain_split_is_one_merge() -> None:
    """Two parts of a skeleton, however often it changes between them."""
    found = min_cut_metric(nodes(7, 7, 7, 7), [1, 2, 1, 2], [(1, 2)], [0.9], 0.5)
    assert numbers(found) == (0, 1, 0, 0, 1)


def test_a_split_over_background_is_one() -> None:
    found = min_cut_metric(nodes(7, 7, 7), [1, 0, 2], np.zeros((0, 2)), [], 0.5)
    assert numbers(found) == (0, 1, 0, 0, 1)
    assert found.nodes_left_out == 1


def test_a_plain_merge_is_one_split_where_the_graph_is_weakest() -> None:
    edges, scores = [(1, 2), (2, 3), (3, 4)], [0.0, 0.4, 0.1]
    found = min_cut_metric(nodes(7, 7, 8, 8), [1, 2, 3, 4], edges, scores, 0.5)
    assert numbers(found) == (1, 0, 0, 0, 1)
    assert found.per_skeleton.cuts.tolist() == [1, 1]
    assert min_cut_metric(nodes(7, 7, 8, 8), [1, 2, 3, 4], edges, scores, 0.3).mcm == 0


def test_a_cut_in_the_wrong_place_is_merged_again() -> None:
    """Both parts of the first skeleton hang on the second alone: two cuts, and a merge that they
    make necessary."""
    edges, scores = [(1, 3), (2, 3)], [0.4, 0.0]
    found = min_cut_metric(nodes(7, 8, 7), [1, 3, 2], edges, scores, 0.5)
    assert numbers(found) == (2, 1, 1, 0, 3)
    assert found.per_skeleton.merges.tolist() == [1, 0]
    assert found.per_skeleton.as_rows()[0] == {
        "skeleton": 7, "cuts": 2, "merges": 1, "unsplittable": 0,
    }  # fmt: skip


def test_of_three_the_two_with_the_most_nodes_are_cut_first() -> None:
    """A chain 1 - 2 - 3 of skeletons 7, 8, 9; 8 has one node, 7 and 9 two."""
    edges, scores = [(1, 2), (2, 3)], [0.1, 0.2]
    found = min_cut_metric(nodes(7, 7, 8, 9, 9), [1, 1, 2, 3, 3], edges, scores, 0.5)
    assert numbers(found) == (2, 0, 0, 0, 2)
    # 7 from 9 at the weaker edge, and 7 from 8
    assert found.per_skeleton.cuts.tolist() == [2, 1, 1]
    # as many nodes each: the highest ids first, 8 from 9, then 7 from 8
    found = min_cut_metric(nodes(7, 8, 9), [1, 2, 3], edges, scores, 0.5)
    assert found.per_skeleton.cuts.tolist() == [1, 2, 1]


def test_fragments_of_several_skeletons_are_told_and_left_out() -> None:
    found = min_cut_metric(nodes(7, 8, 8, 9), [1, 1, 2, 2], [(1, 2)], [0.1], 0.5)
    assert numbers(found) == (0, 0, 0, 2, 0)
    assert found.per_skeleton.unsplittable.tolist() == [1, 2, 1]
    assert found.nodes_left_out == 4


def test_without_a_skeleton_there_is_no_mean() -> None:
    found = min_cut_metric(Skeletons([], [], [], []), [], [(1, 2)], [0.1], 0.5)
    assert (found.mcm, found.mcm_per_skeleton) == (0, None)


def test_large_ids_stay_apart() -> None:
    fragments = np.arange(3, dtype=np.uint64) + np.uint64(2**63)
    skeletons = np.array([0, 2**62, 2**62 + 1], np.uint64)
    edges = np.stack([fragments[:-1], fragments[1:]], axis=1)
    assert min_cut_metric(nodes(*skeletons), fragments, edges, [0.2, 0.1], 0.5).splits == 2


@pytest.mark.parametrize(
    ("fragments", "scores", "message"),
    [([1, 2], [0.1], "fragments have shape"), ([1, 2, 3], [0.1, 0.2], "scores")],
)
def test_refusals(fragments, scores, message) -> None:
    with pytest.raises(ValueError, match=message):
        min_cut_metric(nodes(7, 7, 8), fragments, [(1, 2)], scores, 0.5)


def by_enumeration(skeletons, fragments, edges, scores, threshold):
    """splits, merges, re-merges and unsplittable, by trying all sides of every cut."""
    owners = skeletons.skeleton_ids.tolist()
    holders = {f: {o for o, g in zip(owners, fragments, strict=True) if g == f} for f in fragments}
    bad = {f for f, held in holders.items() if f and len(held) > 1}
    left = [i for i, f in enumerate(fragments) if f and f not in bad]
    capacity = {
        tuple(edge): round(10**6 * (1 - score))
        for edge, score in zip(edges, scores, strict=True)
        if score <= threshold
    }
    everything = sorted({f for edge in edges for f in edge} | set(fragments) - {0})
    groups = [{f} for f in everything]
    for u, v in capacity:
        one, other = (next(g for g in groups if f in g) for f in (u, v))
        if one is not other:
            groups.remove(other)
            one |= other
    splits = remerges = 0
    parts = dict.fromkeys(owners, 0)
    for group in groups:
        inside = [i for i in left if fragments[i] in group]
        before = len({owners[i] for i in inside})
        found = _parts(group, inside, owners, fragments, skeletons.positions, capacity)
        splits += max(len(found) - 1, 0)
        remerges += len(found) - before
        for owner in found:
            parts[owner] += 1
    return splits, sum(max(n - 1, 0) for n in parts.values()), remerges, len(bad)


def _parts(group, inside, owners, fragments, positions, capacity) -> list[int]:
    present = sorted({owners[i] for i in inside})
    if len(present) < 2:
        return present
    one, other = sorted(present, key=lambda o: (sum(owners[i] == o for i in inside), o))[-2:]
    _, a, b = min(
        (float(((positions[i] - positions[j]) ** 2).sum()), i, j)
        for i in inside if owners[i] == one for j in inside if owners[j] == other
    )  # fmt: skip
    source, sink = fragments[a], fragments[b]
    free = sorted(group - {source, sink})
    sides = []
    for taken in product((False, True), repeat=len(free)):
        side = {source, *(f for f, t in zip(free, taken, strict=True) if t)}
        cost = sum(c for (u, v), c in capacity.items() if u in group and (u in side) != (v in side))
        sides.append((cost, len(side), side))
    # what is reached in the residual graph is the smallest side among the weakest cuts
    side = min(sides, key=lambda s: s[:2])[2]
    return [
        owner
        for half in (side, group - side)
        for owner in _parts(
            half,
            [i for i in inside if fragments[i] in half],
            owners,
            fragments,
            positions,
            {e: c for e, c in capacity.items() if set(e) <= half},
        )
    ]


@pytest.mark.parametrize("seed", range(40))
def test_tiny_graphs_by_enumeration(seed) -> None:
    rng = np.random.default_rng(seed)
    count, size = int(rng.integers(4, 14)), int(rng.integers(3, 9))
    owners = rng.integers(0, 4, count)
    fragments = rng.integers(0, size + 1, count)
    if seed % 2:
        # hardly any fragment holds several skeletons
        fragments = 2 * owners + rng.integers(1, 3, count)
        size = 9
    edges = np.array([(u, v) for u in range(1, size) for v in range(u + 1, size + 1)])
    edges = edges[rng.random(len(edges)) < 0.5].reshape(-1, 2)
    scores = rng.random(len(edges)).astype(np.float32)
    skeletons = nodes(*owners, positions=rng.uniform(0, 100, (count, 3)))
    for threshold in (0.2, 0.5, 0.95):
        found = min_cut_metric(skeletons, fragments, edges, scores, threshold)
        expected = by_enumeration(
            skeletons, fragments.tolist(), edges.tolist(), scores.tolist(), threshold
        )
        assert numbers(found)[:4] == expected
        assert found.per_skeleton.cuts.sum() == 2 * found.splits
        assert found.per_skeleton.merges.sum() == found.merges


def test_edges_in_pieces_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(1)
    owners, fragments = rng.integers(0, 9, 200), rng.integers(0, 300, 200).astype(np.uint64)
    edges = rng.integers(1, 300, (800, 2)).astype(np.uint64)
    edges = np.unique(np.sort(edges[edges[:, 0] != edges[:, 1]], axis=1), axis=0)
    scores = rng.random(len(edges)).astype(np.float32)
    skeletons, every = nodes(*owners), np.arange(300, dtype=np.uint64)
    table = components(every, edges, scores, 0.4)
    pieces: list[EdgePiece] = [(edges[i::3], scores[i::3]) for i in range(3)]
    found = edits(
        skeletons, fragments, threshold=0.4, segments_of=lambda some: table[some], edges=pieces
    )
    whole = min_cut_metric(skeletons, fragments, edges, scores, 0.4)
    assert found.as_dict() == whole.as_dict()
    assert found.splits > 0


def test_500_neurons_in_seconds() -> None:
    """Chains of 40 fragments side by side, all joined by weak contacts with their neighbours."""
    neurons, length = 500, 40
    fragment = np.arange(1, neurons * length + 1).reshape(neurons, length)
    rng = np.random.default_rng(0)
    along = np.stack([fragment[:, :-1], fragment[:, 1:]], axis=-1).reshape(-1, 2)
    across = np.stack([fragment[:-1, ::20], fragment[1:, ::20]], axis=-1).reshape(-1, 2)
    scores = np.r_[rng.uniform(0, 0.1, len(along)), rng.uniform(0.4, 0.5, len(across))]
    skeletons = nodes(*np.repeat(np.arange(neurons), length), positions=_grid(neurons, length))
    begin = time.process_time()
    found = min_cut_metric(
        skeletons, fragment.reshape(-1), np.concatenate([along, across]), scores, 0.6
    )
    assert time.process_time() - begin < 10
    assert found.splits - (neurons - 1) == found.remerges


def test_a_segment_of_nearly_everything_in_seconds() -> None:
    """10,000 fragments that all hang together, of which nearly each cut takes one off: a cut does
    not look at all that is left."""
    neurons, length = 100, 100
    fragment = np.arange(1, neurons * length + 1).reshape(neurons, length)
    rng = np.random.default_rng(0)
    pairs = ((fragment[:, :-1], fragment[:, 1:]), (fragment[:-1], fragment[1:]))
    edges = np.concatenate([np.stack([u.ravel(), v.ravel()], 1) for u, v in pairs])
    skeletons = nodes(*np.repeat(np.arange(neurons), length), positions=_grid(neurons, length))
    begin = time.process_time()
    found = min_cut_metric(skeletons, fragment.reshape(-1), edges, rng.random(len(edges)) / 2, 0.6)
    assert time.process_time() - begin < 10
    assert found.splits > 5_000
    assert found.splits - (neurons - 1) == found.remerges == found.merges


def _grid(neurons: int, length: int) -> np.ndarray:
    places = np.stack(np.mgrid[:neurons, :length], axis=-1).reshape(-1, 2)
    return np.c_[np.zeros(len(places)), places] * 100.0
