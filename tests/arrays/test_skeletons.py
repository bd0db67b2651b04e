"""Skeletons: what is refused, with the ids; cropping, pieces, the voxel of a node."""

import numpy as np
import pytest

from lsd.arrays.skeletons import Skeletons, labels_at, voxels_of

LINE = np.arange(5)[:, None] * [0.0, 0.0, 10.0]
LARGE = 2**64 - 1


def chain(**changes) -> Skeletons:
    """Nodes 1..5 of skeleton 7, in a row."""
    fields = {
        "node_ids": [1, 2, 3, 4, 5],
        "skeleton_ids": [7] * 5,
        "positions": LINE,
        "edges": [(1, 2), (2, 3), (3, 4), (4, 5)],
    }
    return Skeletons(**(fields | changes))


def test_lengths_and_places() -> None:
    skeletons = chain(node_ids=[LARGE, 9, 3, 4, 5], edges=[(9, LARGE), (3, 5)])
    assert skeletons.node_ids.dtype == np.uint64
    assert skeletons.places.tolist() == [[1, 0], [2, 4]]
    assert skeletons.lengths.tolist() == [10.0, 20.0]
    with pytest.raises(ValueError, match="read-only"):
        skeletons.positions[0] = 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"edges": [(1, 8), (9, 2)]}, "unknown nodes: 8, 9"),
        ({"edges": [(1, 2), (3, 3)]}, "from a node to itself: 3"),
        ({"edges": [(1, 2), (2, 1)]}, "twice: 1-2"),
        ({"edges": [(4, 5), (4, 5)]}, "twice: 4-5"),
        ({"skeleton_ids": [7, 7, 8, 8, 8]}, "between two skeletons: 2-3"),
        ({"node_ids": [1, 2, 3, 4, 4], "edges": [(1, 2)]}, "twice: 4"),
        ({"positions": LINE * [1, 1, np.nan]}, "without a position: 1, 2, 3, 4, 5"),
        ({"positions": LINE + np.where(np.arange(5)[:, None] == 2, np.inf, 0)}, "position: 3"),
        ({"positions": LINE[:4]}, r"positions have shape \(4, 3\)"),
        ({"skeleton_ids": [7]}, "skeleton_ids have shape"),
        ({"edges": [1, 2]}, "edges have shape"),
        ({"node_ids": [1.5, 2, 3, 4, 5]}, "node_ids: ids must be whole numbers, .*float64"),
        ({"node_ids": [-1, 2, 3, 4, 5]}, "node_ids: ids are 0"),
        ({"edges": [(n, 99 + n) for n in range(1, 6)] + [(6, 106)]}, "100, 101, .* and 2 more"),
    ],
)
def test_refuses(changes, says) -> None:
    with pytest.raises(ValueError, match=says):
        chain(**changes)


def test_allows_cycles_pieces_and_lonely_nodes() -> None:
    skeletons = chain(edges=[(1, 2), (2, 3), (3, 1)])
    pieces = skeletons.pieces()
    assert pieces.skeleton_ids.tolist() == [1, 1, 1, 2, 3]
    assert pieces.edges.tolist() == skeletons.edges.tolist()
    assert len(Skeletons([], [], [], [])) == 0


def test_cropped_is_half_open_and_drops_what_it_isolates() -> None:
    skeletons = chain(
        node_ids=[1, 2, 3, 4, 5, 6],
        skeleton_ids=[7] * 6,
        positions=np.concatenate([LINE, [[0, 0, 15]]]),
        edges=[(1, 2), (2, 3), (4, 5)],
    )
    cropped = skeletons.cropped((0, 0, 0), (1, 1, 40))
    # 5 lies on the end; 4 loses its only edge; 6 had none
    assert cropped.node_ids.tolist() == [1, 2, 3, 6]
    assert cropped.edges.tolist() == [[1, 2], [2, 3]]


@pytest.mark.parametrize("dims", [2, 3])
def test_what_is_left_of_none_can_be_cropped_again(dims) -> None:
    line = Skeletons([1, 2], [7, 7], [[0.0] * dims, [9.0] * dims], [[1, 2]])
    nothing = line.cropped((20,) * dims, (30,) * dims)
    assert nothing.positions.shape == (0, dims)
    again = nothing.cropped((0,) * dims, (30,) * dims)
    assert (len(again), again.positions.shape) == (0, (0, dims))
    # lists of nothing do not say, and are of a volume
    assert Skeletons([], [], [], []).positions.shape == (0, 3)


def test_the_voxel_of_a_node() -> None:
    assert voxels_of([[0.3, -0.1, 5.9]], voxel_size=(0.1, 1, 2)).tolist() == [[3, -1, 2]]
    assert voxels_of([[100, 7]], voxel_size=(4, 4), offset=(92, 8)).tolist() == [[2, -1]]


def test_labels_outside_are_background() -> None:
    labels = np.arange(1, 9, dtype=np.uint64).reshape(2, 2, 2)
    labels[1, 1, 1] = LARGE
    positions = [(0, 0, 0), (9.9, 9.9, 9.9), (10, 0, 0), (-0.1, 0, 0), (0, 0, 5)]
    found = labels_at(labels, positions, voxel_size=(5, 5, 5))
    assert found.dtype == np.uint64
    assert found.tolist() == [1, LARGE, 0, 0, 2]


def test_each_is_what_is_kept_of_it() -> None:
    """Nodes and edges of several, mixed, one of them without an edge; none of none."""
    rng = np.random.default_rng(0)
    owner = np.array([7, 2**64 - 1, 3], np.uint64)[rng.integers(0, 2, 40)]
    owner[-1] = 3
    ids = rng.permutation(np.arange(1, 41)).astype(np.uint64)
    edges = np.concatenate([np.stack([own[:-1], own[1:]], 1) for own in
                            (ids[owner == 7], ids[owner == 2**64 - 1])])  # fmt: skip
    lines = Skeletons(ids, owner, rng.random((40, 3)), rng.permutation(edges))
    each = list(lines.each())
    assert [name for name, _ in each] == [3, 7, 2**64 - 1]
    for name, own in each:
        assert own.digest == lines.kept(owner == np.uint64(name)).digest
    assert not list(lines.kept(owner == 5).each())


def test_skeletons_stay_whatever_becomes_of_the_arrays() -> None:
    given = [np.array([1, 2], np.uint64), np.array([7, 7], np.uint64), np.zeros((2, 3))]
    lines = Skeletons(*given, np.array([[1, 2]], np.uint64))
    for array in given:
        array[:] = 9
    assert (lines.node_ids.tolist(), lines.skeleton_ids.tolist()) == ([1, 2], [7, 7])
    assert not lines.positions.any()


def test_labels_at_positions_of_any_kind() -> None:
    labels = [[[1, 2], [3, 4]]]
    found = labels_at(labels, [(0, 0, 9), (0, 10, 19.5), (0, 20, 0)], voxel_size=(10, 10, 10))
    assert found.tolist() == [1, 4, 0]
    assert labels_at(labels, [], voxel_size=(10, 10, 10)).shape == (0,)
    with pytest.raises(ValueError, match=r"positions have shape \(1, 2\), .*wanted: \(n, 3\), nm"):
        labels_at(labels, [(0, 0)], voxel_size=(10, 10, 10))
