"""Tables of fragments against the graph itself (scipy, and the tables of one block), whatever the
order and the pieces."""

import json
import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lsd.arrays.lookup import components
from lsd.segmentation.on_disk import tables as module
from lsd.segmentation.on_disk.tables import (
    FragmentPlaces,
    damaged_tables,
    have_tables,
    open_table,
    segments_of,
    whole_tables,
    write_tables,
)
from lsd.segmentation.over_blocks.edges import EDGE

# of a block of 2**60 voxels (1024 petavoxels): the ids of the ninth block begin above 2**63
APART = 2**60
SCORES = (0.0, 0.1, 0.28, 0.285, 0.29, 0.3, 0.5, 1.0, np.inf)
THRESHOLDS = (0.28, 0.29, 0.5)

counts_of_blocks = st.lists(st.integers(0, 5), min_size=1, max_size=14)


def name(threshold):
    return repr(float(threshold))


def every_id(counts, apart):
    return [block * apart + n + 1 for block, count in enumerate(counts) for n in range(count)]


@st.composite
def graphs(draw):
    """Places, edges (some twice, some from a fragment to itself), and these in pieces."""
    places = FragmentPlaces.of(draw(counts_of_blocks), APART)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    edges = np.empty(draw(st.integers(0, 2 * len(places))) if len(places) else 0, EDGE)
    ids = places.ids(0, len(places))
    if len(edges):
        edges["u"], edges["v"] = rng.choice(ids, (2, len(edges)))
        edges["score"] = rng.choice(SCORES, len(edges))
    cuts = sorted(rng.integers(0, len(edges) + 1, draw(st.integers(0, 3))))
    return places, edges, np.split(edges, cuts)


def by_scipy(places, edges, threshold):
    """The smallest id of each component."""
    ids, used = places.ids(0, len(places)), edges[edges["score"] <= threshold]
    ends = np.searchsorted(ids, used["u"]), np.searchsorted(ids, used["v"])
    graph = coo_matrix((np.ones(len(used)), ends), shape=(len(ids), len(ids)))
    _, found = connected_components(graph, directed=False)
    return [int(ids[found == component].min()) for component in found]


@settings(max_examples=60, deadline=None)
@given(counts_of_blocks, st.sampled_from([5, 1000, APART]))
def test_places_follow_ids(counts, apart) -> None:
    places, ids = FragmentPlaces.of(counts, apart), every_id(counts, apart)
    assert len(places) == len(ids)
    assert places.ids(0, len(ids)).tolist() == ids
    assert places.place_of(np.array(ids, np.uint64)).tolist() == list(range(len(ids)))
    order = np.random.default_rng(0).permutation(len(ids))
    assert places.id_of(order).tolist() == [ids[i] for i in order]


@settings(max_examples=60, deadline=None)
@given(counts_of_blocks, st.integers(0, 2**64 - 1), st.integers(-2, 2))
def test_ids_that_are_none(counts, far, near) -> None:
    places, ids = FragmentPlaces.of(counts, APART), every_id(counts, APART)
    beside = {max(0, block * APART + n + near) for block, n in enumerate(counts)}
    for stranger in {0, far, 2**64 - 1, *beside} - set(ids):
        with pytest.raises(ValueError, match=f"fragment {stranger} is none of the {len(ids)}"):
            places.place_of(np.array([*ids, stranger], np.uint64))


@settings(max_examples=60, deadline=None)
@given(graphs(), st.sampled_from([*SCORES, 0.2]), st.booleans())
def test_a_table_is_the_components_of_the_graph(graph, threshold, wide) -> None:
    places, edges, pieces = graph
    with pytest.MonkeyPatch.context() as patch:
        if wide:
            patch.setattr(module, "_NARROW", 0)
        patch.setattr(module, "_PIECE", 3)
        found = segments_of(places, pieces, threshold)
    assert found.dtype == np.uint64
    ids, ends = places.ids(0, len(places)), np.stack([edges["u"], edges["v"]], axis=1)
    np.testing.assert_array_equal(found, components(ids, ends, edges["score"], threshold))
    # the threshold in the precision of the scores: 0.28 joins float32(0.28), which is more than
    # 0.28
    assert found.tolist() == by_scipy(places, edges, np.float32(threshold))
    shuffled = np.random.default_rng(1).permutation(edges)
    np.testing.assert_array_equal(segments_of(places, [shuffled], threshold), found)
    swapped = edges.copy()
    swapped["u"], swapped["v"] = edges["v"], edges["u"]
    np.testing.assert_array_equal(segments_of(places, [swapped], threshold), found)


@settings(max_examples=15, deadline=None)
@given(graphs(), st.permutations(THRESHOLDS))
def test_on_disk_as_in_memory(tmp_path_factory, graph, thresholds) -> None:
    places, _, pieces = graph
    container = tmp_path_factory.mktemp("tables")
    write_tables(
        container, thresholds, places=places, edges=lambda: iter(pieces), names=name, made_from="x"
    )
    for threshold in THRESHOLDS:
        table = open_table(container, name(threshold), made_from="x")
        expected = segments_of(places, pieces, threshold)
        np.testing.assert_array_equal(table.segments, expected)
        blocks = [table.of_block(block) for block in range(len(places.first) - 1)]
        np.testing.assert_array_equal(np.concatenate(blocks), expected)
        ids = places.ids(0, len(places))
        image = np.append(ids, np.zeros(2, np.uint64))[:, None]
        assert table.look_up(image)[:, 0].tolist() == [*expected.tolist(), 0, 0]
    assert damaged_tables(container) == []


PLACES = FragmentPlaces.of([3, 0, 2], 10)
PIECE = np.array([(1, 3, 0.28), (3, 21, 0.29), (21, 22, 0.5)], EDGE)


@pytest.fixture
def container(tmp_path):
    write_tables(
        tmp_path, THRESHOLDS, places=PLACES, edges=lambda: [PIECE], names=name, made_from="x"
    )
    return tmp_path


def test_by_hand(container) -> None:
    assert open_table(container, "0.28").segments.tolist() == [1, 2, 1, 21, 22]
    assert open_table(container, "0.29").segments.tolist() == [1, 2, 1, 1, 22]
    assert open_table(container, "0.5").segments.tolist() == [1, 2, 1, 1, 1]
    assert open_table(container, "0.28").look_up(np.array([[0, 3], [22, 21]])).tolist() == [
        [0, 1],
        [22, 21],
    ]
    assert sorted(path.name for path in (container / "tables").iterdir()) == [
        "0.28.npy", "0.29.npy", "0.5.npy", "first.npy", "tables.json",
    ]  # fmt: skip


def test_which_tables_there_are(container) -> None:
    assert have_tables(container, ("0.28", "0.29"), "x")
    assert not have_tables(container, ("0.28", "0.3"), "x")
    assert not have_tables(container, ("0.28",), "y")
    assert not have_tables(container / "elsewhere", ("0.28",), "x")
    with pytest.raises(ValueError, match=r"no table 0\.3; there are: 0\.28, 0\.29, 0\.5"):
        open_table(container, "0.3")
    with pytest.raises(ValueError, match="another run"):
        open_table(container, "0.28", made_from="y")
    with pytest.raises(ValueError, match=r"fragment 4 is none of the 5"):
        open_table(container, "0.28").look_up(np.array([3, 4]))


def test_a_flipped_byte_is_found(container) -> None:
    for path in sorted((container / "tables").glob("*.npy")):
        whole = path.read_bytes()
        for place in (-1, -8 * len(PLACES), -17):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            path.write_bytes(damaged)
            assert damaged_tables(container) == [path]
        path.write_bytes(whole[:40])
        assert damaged_tables(container) == [path]
        path.write_bytes(whole)
    assert damaged_tables(container) == []


@pytest.mark.parametrize("file", ["first.npy", "0.29.npy"])
@pytest.mark.parametrize("left", [0, 50, 140])
def test_a_table_that_was_cut_off_is_named(container, file, left) -> None:
    path = container / "tables" / file
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match=file):
        open_table(container, "0.29")
    assert not whole_tables(container, ("0.28", "0.29"), "x")
    assert have_tables(container, ("0.28", "0.29"), "x"), "it is known that it should be there"
    path.unlink()
    with pytest.raises(ValueError, match=file):
        open_table(container, "0.29")


def test_a_table_of_other_fragments(container) -> None:
    table = container / "tables" / "0.28.npy"
    np.save(table, np.arange(7, dtype=np.uint64))
    with pytest.raises(ValueError, match=r"0\.28\.npy has 7 entries for 5 fragments"):
        open_table(container, "0.28")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{}", json.dumps({"made_from": "x", "digests": {}}).encode()]
)
def test_a_description_that_cannot_be_read(container, content) -> None:
    (container / "tables" / "tables.json").write_bytes(content)
    assert not have_tables(container, ("0.28",), "x")
    with pytest.raises(ValueError, match=r"tables\.json cannot be read"):
        damaged_tables(container)


def test_no_fragments(tmp_path) -> None:
    write_tables(
        tmp_path,
        (0.5,),
        places=FragmentPlaces.of([0, 0], 10),
        edges=list,
        names=name,
        made_from="x",
    )
    table = open_table(tmp_path, "0.5")
    assert table.of_block(1).tolist() == []
    assert table.look_up(np.zeros((2, 2), np.uint64)).tolist() == [[0, 0], [0, 0]]
    assert damaged_tables(tmp_path) == []


def test_where_nothing_more_can_be_written(container) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # as a full disk does, it stops a write in the middle
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_tables(
                container,
                (0.5,),
                places=FragmentPlaces.of([50_000], 10**6),
                edges=list,
                names=name,
                made_from="y",
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not have_tables(container, ("0.5",), "y"), "what is there is not what was asked for"
