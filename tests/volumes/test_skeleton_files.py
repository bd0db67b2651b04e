"""Skeletons of files: as other programs write them, there and back, and refused in words."""

import gzip
import json
import logging
import pickle
import struct

import networkx
import numpy as np
import pytest

from lsd.arrays.skeletons import Skeletons
from lsd.volumes.skeletons import read_skeletons, write_skeletons

# two neurons; the second has a branch; z, y, x in nm
POSITIONS = [[40.5, 8, 4], [80, 8, 4], [120, 12, 8], [40, 60, 64], [40, 64, 64], [80, 64, 60]]
SKELETONS = Skeletons(
    [1, 2, 3, 11, 12, 13], [5, 5, 5, 9, 9, 9], POSITIONS, [(1, 2), (2, 3), (11, 12), (11, 13)]
)


def as_graph(skeletons):
    """By position and skeleton, so that the numbers and the order of nodes are no matter."""
    names = [
        (int(owner), *np.round(position, 3).tolist())
        for owner, position in zip(skeletons.skeleton_ids, skeletons.positions, strict=True)
    ]
    edges = {frozenset((names[a], names[b])) for a, b in skeletons.places}
    return sorted(names), edges


def text(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    "name", ["all.npz", "all.nml", "all.graphml", "all.json", "all.csv", "all"]
)
def test_there_and_back(tmp_path, name) -> None:
    write_skeletons(SKELETONS, tmp_path / name, voxel_size=(40, 4, 4))
    assert as_graph(read_skeletons(tmp_path / name)) == as_graph(SKELETONS)


def test_swc_files_are_a_neuron_each(tmp_path) -> None:
    for owner in (5, 9):
        write_skeletons(SKELETONS.kept(SKELETONS.skeleton_ids == owner), tmp_path / f"{owner}.swc")
    files = sorted(tmp_path.glob("*.swc"))
    assert as_graph(read_skeletons(*files, unit="nm")) == as_graph(SKELETONS)


@pytest.mark.parametrize(
    ("unit", "options", "factor"),
    [
        ("nm", {}, (1, 1, 1)),
        ("um", {}, (1e3,) * 3),
        ("voxel", {"voxel_size": (40, 4, 5)}, (40, 4, 5)),
    ],
)
def test_swc_as_others_write_it(tmp_path, unit, options, factor) -> None:
    """Comments, several roots, a parent after its child, x before z."""
    path = text(
        tmp_path,
        "cell_12.swc",
        "# made elsewhere\n3 0 1 2 3 .5 7\n\n7 1 4 5 6 .5 -1\n8 1 9 9 9 1 -1\n",
    )
    read = read_skeletons(path, unit=unit, **options)
    expected = Skeletons(
        [3, 7, 8], [12] * 3, np.multiply([[3, 2, 1], [6, 5, 4], [9, 9, 9]], factor), [(3, 7)]
    )
    assert as_graph(read) == as_graph(expected)


NML = """<things><parameters><experiment name="x"/><scale x="4.0" y="5.0" z="40.0" {unit}/>
</parameters><thing id="5" color.r="1"><nodes>
<node id="1" radius="1" x="1" y="2" z="3"/><node id="2" radius="1" x="1" y="2" z="4"/>
</nodes><edges><edge source="1" target="2"/></edges></thing>
<thing id="9"><nodes><node id="{other}" x="7" y="7" z="7"/></nodes><edges/></thing>
<branchpoints/><comments/></things>"""


@pytest.mark.parametrize(
    ("unit", "factor"), [("", 1), ('unit="nanometer"', 1), ('unit="micrometer"', 1e3)]
)
@pytest.mark.parametrize("other", [3, 1], ids=["new", "ids of a tree"])
def test_nml_counts_in_voxels(tmp_path, unit, factor, other) -> None:
    read = read_skeletons(text(tmp_path, "x.nml", NML.format(unit=unit, other=other)))
    positions = np.multiply(
        [[3, 2, 1], [4, 2, 1], [7, 7, 7]], (40 * factor, 5 * factor, 4 * factor)
    )
    assert as_graph(read) == as_graph(Skeletons([1, 2, 3], [5, 5, 9], positions, [(1, 2)]))


def graph_of(skeleton):
    """As funlib has it: attributes of nodes."""
    graph = networkx.Graph()
    for node, owner, (z, y, x) in zip(
        SKELETONS.node_ids.tolist(), SKELETONS.skeleton_ids.tolist(), POSITIONS, strict=True
    ):
        axes = {"position_z": float(z), "position_y": float(y), "position_x": float(x)}
        graph.add_node(node, **axes, **{skeleton: owner})
    graph.add_edges_from(SKELETONS.edges.tolist())
    return graph


def test_graphml_of_networkx(tmp_path) -> None:
    networkx.write_graphml(graph_of("id"), tmp_path / "x.graphml")
    assert as_graph(read_skeletons(tmp_path / "x.graphml")) == as_graph(SKELETONS)
    write_skeletons(SKELETONS, tmp_path / "ours.graphml")
    theirs = networkx.read_graphml(tmp_path / "ours.graphml")
    assert theirs.number_of_edges() == 4
    assert theirs.nodes["11"]["position_x"] == 64


def test_graphml_keys_are_of_all_where_nothing_is_said(tmp_path) -> None:
    write_skeletons(SKELETONS, tmp_path / "x.graphml")
    content = (tmp_path / "x.graphml").read_text()
    assert ' for="node"' in content
    path = text(tmp_path, "y.graphml", content.replace(' for="node"', ""))
    assert as_graph(read_skeletons(path)) == as_graph(SKELETONS)


@pytest.mark.parametrize("edges", ["links", "edges"])
def test_node_link_of_networkx(tmp_path, edges) -> None:
    content = networkx.node_link_data(graph_of("skeleton_id"), edges=edges)
    path = text(tmp_path, "x.json", json.dumps(content))
    assert as_graph(read_skeletons(path)) == as_graph(SKELETONS)


def test_pickles_run_code_and_are_read_only_where_they_are_trusted(tmp_path) -> None:
    graph = networkx.Graph()
    for node, owner, position in zip(
        SKELETONS.node_ids.tolist(), SKELETONS.skeleton_ids.tolist(), POSITIONS, strict=True
    ):
        graph.add_node(node, id=owner, nm_position=position[::-1], index_position=[0, 0, 0])
    graph.add_edges_from(SKELETONS.edges.tolist())
    path = tmp_path / "skeleton.pkl"
    path.write_bytes(pickle.dumps(graph))
    with pytest.raises(ValueError, match="runs whatever code is in it; say trust=True"):
        read_skeletons(path)
    assert as_graph(read_skeletons(path, trust=True)) == as_graph(SKELETONS)


def precomputed(folder, owner, vertices, edges, *, zipped=False):
    """Written by hand, vertices x y z."""
    data = struct.pack("<II", len(vertices), len(edges))
    data += np.asarray(vertices, "<f4").tobytes() + np.asarray(edges, "<u4").tobytes()
    data += np.ones(len(vertices), "<f4").tobytes()  # radii
    name = folder / (f"{owner}.gz" if zipped else str(owner))
    name.write_bytes(gzip.compress(data) if zipped else data)


def test_precomputed_has_a_transform_and_may_be_below_a_segmentation(tmp_path) -> None:
    folder = tmp_path / "seg" / "skeletons"
    folder.mkdir(parents=True)
    transform = [2, 0, 0, 10, 0, 2, 0, 20, 0, 0, 2, 30]
    info = {"@type": "neuroglancer_skeletons", "transform": transform}
    (folder / "info").write_text(json.dumps(info))
    (folder.parent / "info").write_text(
        json.dumps({"type": "segmentation", "skeletons": "skeletons"})
    )
    precomputed(folder, 5, [[1, 2, 3], [4, 5, 6]], [[0, 1]])
    precomputed(folder, 2**63 + 9, [[7, 8, 9]], np.zeros((0, 2)), zipped=True)
    expected = Skeletons(
        [1, 2, 3],
        np.array([5, 5, 2**63 + 9], np.uint64),
        [[36, 24, 12], [42, 30, 18], [48, 36, 24]],
        [(1, 2)],
    )
    for path in (folder, folder.parent):
        assert as_graph(read_skeletons(path)) == as_graph(expected)


def test_precomputed_of_before_go(tmp_path) -> None:
    write_skeletons(SKELETONS, tmp_path / "folder")
    left = SKELETONS.kept(SKELETONS.skeleton_ids == 9)
    write_skeletons(left, tmp_path / "folder")
    assert as_graph(read_skeletons(tmp_path / "folder")) == as_graph(left)


def test_a_number_of_vertices_is_not_taken_for_compressed_data(tmp_path) -> None:
    """35,615 begin with the bytes that those of gzip begin with."""
    (tmp_path / "info").write_text(json.dumps({"@type": "neuroglancer_skeletons"}))
    precomputed(tmp_path, 5, np.zeros((0x8B1F, 3)), np.zeros((0, 2)))
    assert len(read_skeletons(tmp_path)) == 0x8B1F


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_precomputed_in_shards(tmp_path, encoding) -> None:
    """As tensorstore writes them: several shards and minishards, ids up to the last."""
    tensorstore = pytest.importorskip("tensorstore")
    sharding = {
        "@type": "neuroglancer_uint64_sharded_v1",
        "hash": "murmurhash3_x86_128",
        "preshift_bits": 1,
        "minishard_bits": 2,
        "shard_bits": 1,
        "minishard_index_encoding": encoding,
        "data_encoding": encoding,
    }
    base = {"driver": "file", "path": f"{tmp_path}/"}
    spec = {"driver": "neuroglancer_uint64_sharded", "metadata": sharding, "base": base}
    store = tensorstore.KvStore.open(spec).result()
    owners = [1, 2, 3, 77, 2**40, 2**64 - 1]
    for n, owner in enumerate(owners):
        data = struct.pack("<II", 2, 1) + np.array([[n, 0, 0], [n, 1, 0]], "<f4").tobytes()
        key = owner.to_bytes(8, "big")
        store.write(key, data + np.array([[0, 1]], "<u4").tobytes()).result()
    info = {"@type": "neuroglancer_skeletons", "sharding": sharding}
    (tmp_path / "info").write_text(json.dumps(info))
    assert len(list(tmp_path.glob("*.shard"))) == 2
    read = read_skeletons(tmp_path)
    assert sorted(set(read.skeleton_ids.tolist())) == owners
    assert len(read.edges) == len(owners)
    for n, owner in enumerate(owners):
        own = read.positions[read.skeleton_ids == np.uint64(owner)]
        assert sorted(own.tolist()) == [[0, 0, n], [0, 1, n]]
    shard = sorted(tmp_path.glob("*.shard"))[0]
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"\.shard has \d+ bytes; its index names"):
        read_skeletons(tmp_path)
    info["sharding"] = {"@type": "another"}
    (tmp_path / "info").write_text(json.dumps(info))
    with pytest.raises(ValueError, match="its shards are 'another'; allowed"):
        read_skeletons(tmp_path)


@pytest.mark.parametrize(
    "table",
    [
        "skeleton_id, treenode_id, parent_treenode_id, x, y, z, r\n"
        "5, 1, , 4, 8, 40, 0\n5, 2, 1, 4, 8, 80, -1\n",
        '"neuron","skeleton_id","treenode_id","parent_treenode_id","x","y","z","r"\n'
        '"a, b","5","2","1","4","8","80","0"\n"a, b","5","1","","4","8","40","0"\n',
    ],
    ids=["old", "with names"],
)
def test_catmaid(tmp_path, table) -> None:
    read = read_skeletons(text(tmp_path, "x.csv", table))
    assert as_graph(read) == as_graph(Skeletons([1, 2], [5, 5], [[40, 8, 4], [80, 8, 4]], [(1, 2)]))


def test_arrays_whose_edges_are_indices(tmp_path) -> None:
    np.savez(
        tmp_path / "x.npz",
        skeleton_id=SKELETONS.skeleton_ids,
        node_zyx_nm=SKELETONS.positions,
        edges=SKELETONS.places,
    )
    assert as_graph(read_skeletons(tmp_path / "x.npz")) == as_graph(SKELETONS)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_file_of_no_node_has_the_axes_that_it_states(tmp_path, dims) -> None:
    line = Skeletons([1, 2], [7, 7], [[0.0] * dims, [9.0] * dims], [[1, 2]])
    write_skeletons(line.kept(np.zeros(2, np.bool_)), tmp_path / "none.npz")
    assert read_skeletons(tmp_path / "none.npz").positions.shape == (0, dims)


def test_indices_are_whole(tmp_path) -> None:
    edges = SKELETONS.places + 0.5
    np.savez(
        tmp_path / "x.npz", skeleton_id=SKELETONS.skeleton_ids, positions=POSITIONS, edges=edges
    )
    with pytest.raises(ValueError, match="edges: ids must be whole numbers"):
        read_skeletons(tmp_path / "x.npz")


def test_ids_are_exact_up_to_the_last(tmp_path) -> None:
    large = 2**64 - 1
    lines = Skeletons(
        np.array([large, large - 1, 1, 2], np.uint64),
        np.array([large - 2, large - 2, large - 3, large - 3], np.uint64),
        np.eye(4)[:, :3],
        np.array([[large, large - 1], [1, 2]], np.uint64),
    )
    for name in ("x.npz", "x.nml", "x.graphml", "x.json", "x.csv", "folder"):
        write_skeletons(lines, tmp_path / name, voxel_size=(1, 1, 1))
        assert as_graph(read_skeletons(tmp_path / name)) == as_graph(lines), name


def test_a_unit_that_contradicts_the_file_is_used_and_told(tmp_path, caplog) -> None:
    path = text(tmp_path, "x.nml", NML.format(unit="", other=3))
    with caplog.at_level(logging.WARNING):
        read = read_skeletons(path, unit="um")
    assert read.positions[0].tolist() == [3000, 2000, 1000]
    assert "says that 1 is (40.0, 5.0, 4.0) nm, z y x; unit='um' is used" in caplog.text


def cyclic(tmp_path):
    return Skeletons([1, 2, 3], [5] * 3, np.eye(3), [(1, 2), (2, 3), (3, 1)])


SWC = "{node} 0 1 2 {z} 0 {parent}\n"
REFUSED = {
    "no unit": ("5.swc", SWC.format(node=1, z=3, parent=-1), "does not say in which unit"),
    "no id": ("cell.swc", SWC.format(node=1, z=3, parent=-1), "has no numbers in it; call it"),
    "two ids": ("5_6.swc", "", "has 2 numbers in it"),
    "columns": ("5.swc", "1 2 3\n", "line 1 has 3 columns; wanted: id type x y z"),
    "unknown parent": ("5.swc", SWC.format(node=1, z=3, parent=8), "end at unknown nodes: 8"),
    "own parent": ("5.swc", SWC.format(node=1, z=3, parent=1), "from a node to itself: 1"),
    "twice": ("5.swc", 2 * SWC.format(node=1, z=3, parent=-1), "are there twice: 1"),
    "nowhere": ("5.swc", SWC.format(node=1, z="nan", parent=-1), "without a position: 1"),
    "no number": ("5.swc", SWC.format(node=1, z="up", parent=-1), "coordinate of node 1 is 'up'"),
    "negative": ("5.swc", SWC.format(node=-3, z=1, parent=-1), "the id of a node is '-3'"),
    "no xml": ("x.nml", "<things><thing", "no XML that can be read"),
    "no scale": ("x.nml", '<things><thing id="1"><nodes><node id="1" x="1" y="1" z="1"/></nodes>'
                 "</thing></things>", "does not say in which unit"),
    "unit": ("x.nml", NML.format(unit='unit="parsec"', other=3), "'parsec'; allowed: nanometer"),
    "no axis": ("x.graphml", '<graphml><graph><node id="n1"/></graph></graphml>',
                "does not say which skeleton it is of"),
    "edge": ("x.graphml", '<graphml><graph><edge source="a" target="b"/></graph></graphml>',
             "end at unknown nodes: a, b"),
    "no graph": ("x.json", "[1]", "no node-link graph"),
    "no json": ("x.json", "{", "no JSON"),
    "no columns": ("x.csv", "a,b\n1,2\n", "has no column skeleton_id"),
    "short row": ("x.csv", "skeleton_id,treenode_id,parent_treenode_id,x,y,z\n5,1,,4\n",
                  "the row '5, 1, , 4' has 4 cells, its header 6"),
    "no npz": ("x.npz", "PK", "no .npz file that can be read"),
    "suffix": ("x.obj", "", "allowed: .swc, .nml, .graphml"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refuses_with_the_file(tmp_path, case) -> None:
    name, content, says = REFUSED[case]
    path = text(tmp_path, name, content)
    options = {} if case in ("no unit", "no scale", "unit") else {"unit": "nm"}
    with pytest.raises(ValueError, match=r"x|5|cell") as refused:
        read_skeletons(path, **options)
    assert says in str(refused.value)
    assert str(path) in str(refused.value)


def test_refuses_what_a_format_cannot_hold(tmp_path) -> None:
    for name in ("5.swc", "x.csv"):
        with pytest.raises(ValueError, match=r"skeletons 5 have cycles, and .* holds trees"):
            write_skeletons(cyclic(tmp_path), tmp_path / name)
    with pytest.raises(ValueError, match="holds one neuron, got 2"):
        write_skeletons(SKELETONS, tmp_path / "5.swc")
    with pytest.raises(ValueError, match="NML counts in voxels; say voxel_size"):
        write_skeletons(SKELETONS, tmp_path / "5.nml")
    with pytest.raises(ValueError, match="is read only"):
        write_skeletons(SKELETONS, tmp_path / "5.pkl")
    with pytest.raises(ValueError, match="there is no file"):
        read_skeletons(tmp_path / "none.swc")
