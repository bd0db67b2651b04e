"""OME-Zarr, TIFF, surfaces and center lines of a run, against its arrays."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from funlib.geometry import Roi
from run_with_segments import THRESHOLD, VOLUME, segmented_run

import lsd.segmentation.run as segmenting
from lsd.arrays.skeletons import Skeletons
from lsd.report.exports.exporter import Running
from lsd.report.exports.meshes import surfaces_of
from lsd.report.exports.run import export
from lsd.report.exports.skeletons import beside_voxels, made_of
from lsd.report.exports.tiff import TiffExport
from lsd.report.images import image_at
from lsd.spec import Workers
from lsd.spec.exports import Export, Meshes, OmeZarr, SegmentSkeletons, TiffSections
from lsd.spec.paths import exported, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.skeletons import read_skeletons

SIZE = np.array([40, 4.5, 4])


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return segmented_run(tmp_path_factory.mktemp("run"))


def labels_of(config):
    array = open_array(segmentation(config, VOLUME), f"segmentation/{THRESHOLD}")
    return array.read(array.roi), array


def test_ome_zarr(config) -> None:
    images = ("segmentation", "affs", "raw")
    settings = Export(formats=OmeZarr(levels=3), images=images, threshold=THRESHOLD)
    folders = export(config, settings)
    container = exported(config, VOLUME) / f"{VOLUME}.zarr"
    labels, source = labels_of(config)
    assert folders[0] == container / f"segmentation/{THRESHOLD}"
    found = open_array(container, f"segmentation/{THRESHOLD}")
    assert (found.roi, found.voxel_size) == (source.roi, source.voxel_size)
    np.testing.assert_array_equal(found.read(found.roi), labels)
    attributes = json.loads((folders[0] / ".zattrs").read_text())
    [image] = attributes["multiscales"]
    assert [level["path"] for level in image["datasets"]] == ["0", "1", "2"]
    assert "image-label" in attributes
    coarse = open_array(container, f"segmentation/{THRESHOLD}/1")
    assert coarse.shape == (12, 10, 12)
    lines = []
    export(config, settings, progress=lines.append)
    assert all("all done before" in line for line in lines)


def test_a_pyramid_that_was_begun_gives_way_to_another(tmp_path) -> None:
    config = segmented_run(tmp_path)
    settings = Export(formats=OmeZarr(levels=3), threshold=THRESHOLD)
    [folder] = export(config, settings)
    [done] = folder.parents[1].glob("blocks/*level1/*.done")
    # as if it had been stopped before its only block
    done.write_bytes(b"")
    other = config.derive(segment={"fragments": {"min_seed_distance": 1}})
    segmenting.segment(other, progress=lambda line: None)
    export(other, settings)
    labels, _ = labels_of(config)
    found = open_array(folder.parents[1], f"segmentation/{THRESHOLD}")
    np.testing.assert_array_equal(found.read(found.roi), labels)


def test_tiff(config) -> None:
    images = ("segmentation", "affs")
    folders = export(config, Export(formats="tiff", images=images, threshold=THRESHOLD))
    labels, _ = labels_of(config)
    files = sorted(path.name for path in folders[0].glob("*.tif"))
    assert files == [f"z{z:05d}.tif" for z in range(5, 17)]
    stack = np.stack([tifffile.imread(folders[0] / name) for name in files])
    np.testing.assert_array_equal(stack, labels)
    with tifffile.TiffFile(folders[0] / files[0]) as file:
        across = file.pages[0].tags["XResolution"].value
        assert across[0] / across[1] == pytest.approx(1e7 / 4)
    assert tifffile.imread(folders[1] / files[3]).shape == (3, 20, 24)
    (folders[0] / "blocks").rename(folders[0].parent / "aside")
    with pytest.raises(ValueError, match="did not write, and is not written over"):
        export(config, Export(formats="tiff", threshold=THRESHOLD))


@pytest.mark.parametrize("begin", [-7, -12, 99_995])
def test_sections_in_the_order_of_their_names_are_the_image(tmp_path, begin) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (12, 5, 6)).astype(np.uint8)
    roi = Roi((begin, 0, 2), pixels.shape)
    array = create_array(tmp_path / "a.zarr", "a", roi=roi, voxel_size=SIZE, dtype=np.uint8)
    array.write(pixels, roi)
    lines = []
    volume = SimpleNamespace(
        folder=tmp_path,
        images={"raw": image_at(tmp_path / "a.zarr", "a", "raw", "raw")},
        running=Running("big", Workers(), lines.append),
    )
    [folder] = TiffExport(TiffSections()).write(volume)
    files = sorted(folder.glob("*.tif"))
    np.testing.assert_array_equal(np.stack([tifffile.imread(file) for file in files]), pixels)
    # where numbers are no longer z, it is said which section is the first
    told = any(f"begins at z = {begin}" in line and "z00000.tif" in line for line in lines)
    assert told == (begin < 0)


def test_surfaces_hold_the_voxels_of_their_segment(config) -> None:
    pytest.importorskip("zmesh")
    pytest.importorskip("tensorstore")
    [folder] = export(config, Export(formats=Meshes(error=0.01), threshold=THRESHOLD))
    labels, array = labels_of(config)
    info = json.loads((folder.parent / "info").read_text())
    assert info["mesh"] == folder.name
    assert json.loads((folder / "info").read_text()) == {"@type": "neuroglancer_legacy_mesh"}
    for segment in np.unique(labels[labels > 0]):
        manifest = json.loads((folder / f"{segment}:0").read_text())
        volumes, corners = 0.0, []
        for name in manifest["fragments"]:
            vertices, triangles = parsed(folder / name)
            corners.append(vertices)
            a, b, c = (vertices[triangles[:, side]] for side in range(3))
            volumes += (a * np.cross(b, c)).sum() / 6
        places = (np.argwhere(labels == segment) + np.array(array.roi.begin)) * SIZE
        low, high = np.concatenate(corners).min(axis=0)[::-1], np.concatenate(corners).max(axis=0)
        # between voxels: from half a voxel before the first centre to half a voxel after the last
        np.testing.assert_allclose(low, places.min(axis=0), atol=0.01)
        np.testing.assert_allclose(high[::-1], places.max(axis=0) + SIZE, atol=0.01)
        # corners are cut, so a little less than the voxels
        assert 0.3 < abs(volumes) / (len(places) * SIZE.prod()) <= 1


def parsed(file):
    data = file.read_bytes()
    count = int(np.frombuffer(data[:4], "<u4")[0])
    vertices = np.frombuffer(data[4 : 4 + 12 * count], "<f4").reshape(-1, 3)
    return vertices.astype(np.float64), np.frombuffer(data[4 + 12 * count :], "<u4").reshape(-1, 3)


def test_parts_of_surfaces_meet() -> None:
    pytest.importorskip("zmesh")
    labels = np.zeros((12, 12, 12), np.uint64)
    labels[2:10, 3:9, 3:9] = 2**50
    size = (4.0, 4.0, 4.0)
    parts = [
        surfaces_of(labels[begin : begin + 7], voxel_size=size, error=0.01)[2**50][0]
        + [0, 0, 4 * begin]
        for begin in (0, 6)
    ]
    # both end at the plane of the centres that they share
    shared = [np.unique(part[np.isclose(part[:, 2], 26)], axis=0) for part in parts]
    assert len(shared[0])
    np.testing.assert_allclose(shared[0], shared[1])


def test_center_lines(config, tmp_path) -> None:
    pytest.importorskip("kimimaro")
    pytest.importorskip("tensorstore")
    settings = Export(formats=SegmentSkeletons(min_size=20, suffix=".npz"), threshold=THRESHOLD)
    stale = exported(config, VOLUME) / f"segmentation_{THRESHOLD}.precomputed/skeletons/999999"
    stale.parent.mkdir(parents=True)
    # as an earlier segmentation may have left
    stale.write_bytes(b"")
    file, folder = export(config, settings)
    assert not stale.exists()
    assert stale.parent == folder
    labels, array = labels_of(config)
    made, shown = read_skeletons(file), read_skeletons(folder)
    assert len(made)
    np.testing.assert_allclose(made.positions, shown.positions, rtol=1e-6)
    voxels = np.floor(made.positions / SIZE + 1e-6).astype(int) - np.array(array.roi.begin)
    np.testing.assert_array_equal(labels[tuple(voxels.T)], made.skeleton_ids)
    assert json.loads((folder.parent / "info").read_text())["skeletons"] == folder.name


def test_center_lines_lie_in_the_voxels_that_are_shown(tmp_path) -> None:
    """A precomputed volume begins at a whole voxel, wherever its array does."""
    roi = Roi((5, 0, 2), (4, 4, 4))
    array = create_array(
        tmp_path / "a.zarr", "a", roi=roi, voxel_size=SIZE, dtype=np.uint64, remainder=(0, 1.5, 0)
    )
    line = Skeletons([1], [7], [[5.5 * 40, 1.5 + 0.5 * 4.5, 2.5 * 4]], np.zeros((0, 2), np.uint64))
    shown = beside_voxels(line, array)
    np.testing.assert_allclose(shown.positions / SIZE, [[5.5, 0.5, 2.5]])
    assert shown.skeleton_ids.tolist() == [7]


def test_center_lines_of_more_than_memory_are_refused(tmp_path, monkeypatch) -> None:
    roi = Roi((0, 0, 0), (8, 8, 8))
    array = create_array(tmp_path / "a.zarr", "a", roi=roi, voxel_size=(4, 4, 4), dtype=np.uint64)
    monkeypatch.setattr("lsd.report.exports.skeletons.available", lambda: 1000)
    with pytest.raises(ValueError, match="center lines of 512 voxels take about"):
        made_of(array, min_size=1)
