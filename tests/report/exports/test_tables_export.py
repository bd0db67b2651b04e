"""Tables of segments and of the region graph, against the arrays on disk."""

import csv

import numpy as np
import pytest
from run_with_segments import THRESHOLD, VOLUME, segmented_run

from lsd.arrays.pairs import touching
from lsd.report.exports.graph import networkx_graph
from lsd.report.exports.run import export, exported_volumes
from lsd.segmentation.on_disk.results import Results
from lsd.segmentation.over_blocks.edges import edge_pieces
from lsd.spec.exports import Export
from lsd.spec.paths import segmentation
from lsd.volumes.array import open_array


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return segmented_run(tmp_path_factory.mktemp("run"))


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read(config, name):
    array = open_array(segmentation(config, VOLUME), name)
    return array.read(array.roi), array


def test_segments(config) -> None:
    files = export(config, Export(formats="segments", threshold=THRESHOLD))
    labels, array = read(config, f"segmentation/{THRESHOLD}")
    size = np.array(array.voxel_size)
    found = {int(row["id"]): row for row in rows(files[0])}
    assert list(found) == np.unique(labels[labels > 0]).tolist()
    for own, row in found.items():
        places = np.argwhere(labels == own) + np.array(array.roi.begin)
        assert int(row["voxels"]) == len(places)
        box = [[float(row[f"{end}_{axis}_nm"]) for axis in "zyx"] for end in ("begin", "end")]
        np.testing.assert_allclose(box[0], places.min(axis=0) * size)
        np.testing.assert_allclose(box[1], (places.max(axis=0) + 1) * size)
        centre = [float(row[f"{axis}_nm"]) for axis in "zyx"]
        assert (np.abs(centre - (places.mean(axis=0) + 0.5) * size) <= size / 2 + 1e-6).all()


def test_segments_as_parquet(config) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    written, columnar = export(config, Export(formats="segments", threshold=THRESHOLD))
    table = parquet.read_table(columnar)
    listed = rows(written)
    assert table.column_names == list(listed[0])
    assert table["id"].to_pylist() == [int(row["id"]) for row in listed]
    assert table["y_nm"].to_pylist() == [float(row["y_nm"]) for row in listed]


def test_region_graph(config) -> None:
    files = export(config, Export(formats="graph", threshold=THRESHOLD))
    names = [file.name for file in files if file.suffix == ".csv"]
    assert names == ["graph_fragments.csv", "graph_edges.csv"]
    fragments, array = read(config, "fragments")
    segments, _ = read(config, f"segmentation/{THRESHOLD}")
    nodes = {int(row["id"]): row for row in rows(files[0].with_name(names[0]))}
    assert list(nodes) == np.unique(fragments[fragments > 0]).tolist()
    for fragment, row in nodes.items():
        assert {int(row["segment"])} == set(segments[fragments == fragment].tolist())
    edges = rows(files[0].with_name(names[1]))
    on_disk = np.concatenate([*edge_pieces(segmentation(config, VOLUME) / "blocks" / "edges")])
    assert [(int(row["u"]), int(row["v"])) for row in edges] == [
        (int(u), int(v)) for u, v in zip(on_disk["u"], on_disk["v"], strict=True)
    ]
    touch = {tuple(pair) for pair in touching(fragments).tolist()}
    size = np.array(array.voxel_size)
    for row, score in zip(edges, on_disk["score"], strict=True):
        assert float(row["score"]) == score
        u, v = int(row["u"]), int(row["v"])
        assert (int(row["faces"]) > 0) == ((u, v) in touch)
        faces = list(_faces(fragments, u, v))
        assert int(row["faces"]) == len(faces)
        if faces:
            middle = np.mean([place for _, place in faces], axis=0) + np.array(array.roi.begin)
            place = [float(row[f"{axis}_nm"]) for axis in "zyx"]
            np.testing.assert_allclose(place, middle * size)
            area = sum(np.prod(size) / size[axis] for axis, _ in faces) / 1e6
            np.testing.assert_allclose(float(row["contact_um2"]), area)


def _faces(labels, u, v):
    """The faces between two ids: the axis across, and the middle, voxels."""
    for axis in range(3):
        one, other = (np.moveaxis(labels, axis, 0)[part] for part in (slice(1, None), slice(-1)))
        for place in np.argwhere(((one == u) & (other == v)) | ((one == v) & (other == u))):
            middle = place + 0.5
            middle[0] = place[0] + 1
            along = [middle[1:][:axis], middle[:1], middle[1:][axis:]]
            yield axis, np.concatenate(along)


def test_region_graph_as_networkx(config) -> None:
    networkx = pytest.importorskip("networkx")
    [volume] = exported_volumes(config, Export(threshold=THRESHOLD), progress=lambda line: None)
    graph = networkx_graph(volume)
    # what joins up to the threshold are the segments
    joined = networkx.Graph()
    joined.add_nodes_from(graph)
    joined.add_edges_from(
        (u, v) for u, v, score in graph.edges(data="score") if score <= np.float32(THRESHOLD)
    )
    for component in networkx.connected_components(joined):
        assert {graph.nodes[node]["segment"] for node in component} == {min(component)}
    assert sum(voxels for _, voxels in graph.nodes(data="voxels")) == int(
        (read(config, "fragments")[0] > 0).sum()
    )


class Whole(Results):
    """A segmentation that was joined of nothing."""

    def at(self, threshold):
        raise AssertionError("nobody asks for it")


def test_without_fragments_there_is_no_graph(config) -> None:
    [volume] = exported_volumes(config, Export(threshold=THRESHOLD), progress=lambda line: None)
    vars(volume)["results"] = Whole()
    with pytest.raises(ValueError, match="of the watershed decoder are not joined of fragments"):
        networkx_graph(volume)
