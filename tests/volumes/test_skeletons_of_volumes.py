"""Skeletons that a volume of the config names, and labels at nodes of arrays on disk."""

import logging

import numpy as np
import pytest
import tifffile
from funlib.geometry import Roi
from small_volume import opened, save

from lsd.arrays.skeletons import Skeletons, labels_at
from lsd.spec import SkeletonFiles, SkeletonsOfLabels, Volume
from lsd.synthetic import skeletons as generated
from lsd.synthetic import synthesize
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.skeletons import from_labels, sources, write_skeletons
from lsd.volumes.skeletons.at_nodes import labels_on_disk
from lsd.volumes.skeletons.sources import open_skeletons
from lsd.volumes.volume import open_volume

SIZE = (40.0, 4.0, 5.0)


def line(owner, positions):
    ids = np.arange(len(positions)) + 1
    return Skeletons(ids, [owner] * len(ids), positions, np.stack([ids[:-1], ids[1:]], axis=1))


@pytest.fixture
def folder(tmp_path):
    raw = np.zeros((8, 10, 12), np.uint8)
    labels = np.ones((8, 10, 12), np.uint64)
    save(tmp_path, size=SIZE, offset=(2, 0, -3), raw=raw, labels=labels)
    return tmp_path


def skeletons_of(folder, value, **spec):
    volume = opened(folder, skeletons=value, **spec)
    return open_skeletons(volume, data_root=folder)


def test_a_path_a_pattern_and_settings(folder) -> None:
    for owner in (3, 4):
        write_skeletons(line(owner, [[0, 0, 0], [0, 0, owner]]), folder / f"{owner}.swc")
    both = skeletons_of(folder, SkeletonFiles(path="*.swc", unit="nm", offset=(1, 2, 3)))
    assert sorted(both.skeleton_ids.tolist()) == [3, 3, 4, 4]
    assert both.positions.max(axis=0).tolist() == [1, 2, 7]
    voxels = skeletons_of(folder, {"path": "3.swc", "unit": "voxel"})
    assert voxels.positions.max(axis=0).tolist() == [0, 0, 3 * 5]
    scaled = skeletons_of(folder, {"path": "3.swc", "unit": "voxel"}, scale=(1, 2, 3))
    assert scaled.positions.max(axis=0).tolist() == [0, 0, 3 * 5], "voxels of the files"
    write_skeletons(both, folder / "both.npz")
    assert len(skeletons_of(folder, "both.npz")) == 4
    assert Volume(path="v", skeletons="both.npz").skeletons == SkeletonFiles(path="both.npz")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("3.swc", "does not say in which unit"),
        ("none*.npz", "no file is or matches"),
        ("v.zarr", "no folder of skeletons that is known"),
        ("generated", "are those of a synthetic volume"),
    ],
)
def test_a_volume_is_refused_when_it_is_opened(folder, value, says) -> None:
    write_skeletons(line(3, [[0, 0, 0], [0, 0, 1]]), folder / "3.swc")
    with pytest.raises(ValueError, match=f"volume 'one': .*{says}"):
        opened(folder, skeletons=value)


def test_generated_ones_are_made_once(tmp_path) -> None:
    volume = Volume(synthetic={"shape": (16, 32, 32), "seed": 2}, skeletons="generated")
    opened_volume = open_volume(volume, name="made", data_root=tmp_path)
    first = open_skeletons(opened_volume, data_root=tmp_path)
    expected = generated(volume.synthetic)
    assert (first.positions == expected.positions).all()
    files = list(tmp_path.glob("*.skeletons.npz"))
    written = files[0].stat().st_mtime_ns
    open_skeletons(opened_volume, data_root=tmp_path)
    assert [file.stat().st_mtime_ns for file in files] == [written]


@pytest.mark.parametrize("scale", [(1, 1, 1), (1, 2, 2)])
def test_generated_ones_lie_where_the_volume_does(tmp_path, scale) -> None:
    made = Volume(synthetic={"shape": (16, 32, 32), "seed": 2}, skeletons="generated", scale=scale)
    moved = made.derive(offset=(400, -7, 0), labels="volumes/labels/neuron_ids")
    found, expected = (
        open_skeletons(open_volume(volume, name="made", data_root=tmp_path), data_root=tmp_path)
        for volume in (moved, made)
    )
    assert np.allclose(found.positions, expected.positions + np.array([400, -7, 0]))


@pytest.fixture
def two_tubes(tmp_path):
    """Labels 7 and 9 along x, in a volume that does not begin at 0, and a crumb."""
    labels = np.zeros((12, 24, 60), np.uint64)
    labels[3:8, 4:9, :] = 7
    labels[3:8, 14:19, 5:50] = 9
    labels[0, 0, 0] = 11
    save(tmp_path, size=(10, 10, 10), offset=(2, 0, -3), raw=np.zeros(labels.shape, np.uint8),
         labels=labels)  # fmt: skip
    return tmp_path


def test_made_of_labels(two_tubes, caplog) -> None:
    pytest.importorskip("kimimaro", reason="the extra `skeletons` is not installed")
    settings = SkeletonsOfLabels(min_size=100)
    with caplog.at_level(logging.INFO):
        made = skeletons_of(two_tubes, settings, labels="labels")
    assert np.unique(made.skeleton_ids).tolist() == [7, 9], "the crumb has none"
    labels = open_array(two_tubes / "v.zarr", "labels")
    assert (labels_on_disk(labels, made.positions) == made.skeleton_ids).all()
    lengths = [made.kept(made.skeleton_ids == owner).lengths.sum() for owner in (7, 9)]
    assert lengths == pytest.approx([590, 440], rel=0.15)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        again = skeletons_of(two_tubes, settings, labels="labels")
    assert not caplog.text, "read, not made"
    assert (again.positions == made.positions).all()
    assert len(skeletons_of(two_tubes, "labels", labels="labels")) == len(made)
    assert len(list(two_tubes.glob("skeletons_one_*.npz"))) == 2


def test_a_revision_is_one_of_its_array(two_tubes) -> None:
    """Other labels of the same revision have skeletons of their own."""
    pytest.importorskip("kimimaro", reason="the extra `skeletons` is not installed")
    labels = open_array(two_tubes / "v.zarr", "labels")
    other = create_array(
        two_tubes / "v.zarr", "other", roi=labels.roi, voxel_size=(10, 10, 10), dtype=np.uint64
    )
    other.write(np.where(labels.read(labels.roi) == 7, np.uint64(8), np.uint64(0)), labels.roi)
    settings = SkeletonsOfLabels(min_size=100)
    for name, owners in (("labels", [7, 9]), ("other", [8])):
        made = skeletons_of(two_tubes, settings, labels=name, revision="1")
        assert np.unique(made.skeleton_ids).tolist() == owners


def test_labels_that_lie_elsewhere_have_other_skeletons(two_tubes) -> None:
    """Of the same voxels, in a part of the volume that begins before them."""
    pytest.importorskip("kimimaro", reason="the extra `skeletons` is not installed")
    settings, first = SkeletonsOfLabels(min_size=100), []
    part = {"region": ((4, 12), (0, 24), (0, 40)), "fit": "intersect", "labels": "labels"}
    for offset in ({}, {"offset": {"labels": (30, 0, -30)}}):
        made = skeletons_of(two_tubes, settings, **part, **offset)
        first.append(made.positions.min(axis=0))
    assert (first[1] - first[0]).tolist() == [10, 0, 0]


def a_node_per_voxel(labels, *, voxel_size, offset, **_):
    """Stands for skeletons: all that they could tell of labels."""
    voxels = np.argwhere(labels > 0)
    none = np.zeros((0, 2), np.int64)
    positions = np.multiply(voxels, voxel_size) + np.asarray([float(nm) for nm in offset])
    return Skeletons(np.arange(len(voxels)), labels[labels > 0], positions, none)


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(sources, "check_installed", lambda: None)
    monkeypatch.setattr(sources, "skeletons_of", a_node_per_voxel)


def kept_and_anew(specs, folder):
    """Of one volume that is read in several ways: what is kept for each, after those before it, is
    what is made of it in a folder where nothing is kept."""
    made = []
    for number, spec in enumerate(specs):
        volume = open_volume(Volume(skeletons="labels", **spec), name="one", data_root=folder)
        (folder / str(number)).mkdir()
        anew = open_skeletons(volume, data_root=folder / str(number))
        kept = open_skeletons(volume, data_root=folder)
        np.testing.assert_array_equal(kept.positions, anew.positions)
        np.testing.assert_array_equal(kept.skeleton_ids, anew.skeleton_ids)
        made.append(anew.digest)
    assert len(set(made)) == len(made), "the test is of what makes a difference"


@pytest.mark.parametrize(
    "other",
    [
        {"offset": (-4, 0, 0)},
        {"invalid": "mask"},
        {"axes": {"labels": "xyz"}},
        {"axes": {"labels": "xyz"}, "revision": "1"},
        {"labels_mask": "mask"},
        {"labels_mask": "mask", "axes": {"labels_mask": "zxy"}},
        {"unknown": 1},
        {"voxel_size": (20, 10, 10)},
        {"region": ((0, 4), (0, 6), (0, 6))},
    ],
)
def test_kept_ones_are_those_that_would_be_made(tmp_path, stand_in, other) -> None:
    rng = np.random.default_rng(0)
    raw = rng.random((6, 6, 6), np.float32)
    raw[:, :, 3:] = np.nan
    labels = rng.integers(0, 3, raw.shape, dtype=np.uint64)
    mask = rng.integers(0, 2, raw.shape, dtype=np.uint8)
    save(tmp_path, size=(10, 10, 10), raw=raw, labels=labels, mask=mask)
    usual = {"path": "v.zarr", "raw": "raw", "labels": "labels", "raw_range": (0, 1)}
    # a revision says nothing of how the same array is read
    usual["revision"] = other.get("revision")
    kept_and_anew([usual, {**usual, **other}], tmp_path)


def test_kept_ones_of_images_are_those_that_would_be_made(tmp_path, stand_in) -> None:
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            image = rng.integers(0, 3, (6, 6), dtype=np.uint8)
            tifffile.imwrite(tmp_path / folder / f"{number}.tif", image)
    images = {"images": "images/*.tif", "masks": "masks/*.tif"}
    kept_and_anew(
        [{"images": {**images, "holds": of}} for of in ("instances", "classes")], tmp_path
    )


def test_without_what_makes_them_or_labels(two_tubes, monkeypatch) -> None:
    with pytest.raises(ValueError, match="made of the labels of the volume, and it has none"):
        opened(two_tubes, skeletons="labels")
    monkeypatch.setattr(from_labels.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"by kimimaro, .* pip install .* lsd-framework\[skel"):
        opened(two_tubes, skeletons="labels", labels="labels")


def test_labels_at_nodes_of_an_array_in_chunks(tmp_path, monkeypatch) -> None:
    """As of the whole array in memory; each chunk once, chunks without nodes never."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2**63, (12, 30, 41), dtype=np.uint64) * np.uint64(2)
    roi = Roi((-4, 7, 3), labels.shape)
    array = create_array(
        tmp_path / "v.zarr", "x", roi=roi, voxel_size=SIZE, dtype=labels.dtype, chunks=(4, 8, 8)
    )
    array.write(labels, roi)
    begin = np.multiply(roi.begin, SIZE)
    positions = begin + rng.uniform(-0.2, 1.2, (300, 3)) * labels.shape * SIZE
    expected = labels_at(labels, positions, voxel_size=SIZE, offset=begin)
    chunks, whole = [], type(array.source).read

    def noting(source, slices):
        chunks.extend(source._grid(slices))
        return whole(source, slices)

    monkeypatch.setattr(type(array.source), "read", noting)
    assert (labels_on_disk(array, positions) == expected).all()
    assert 0 < (expected == 0).sum() < len(expected)
    assert len(chunks) == len(set(chunks))
    chunks.clear()
    labels_on_disk(array, positions[expected > 0][:1])
    assert len(chunks) == 1


def test_ids_of_a_synthetic_volume_lie_at_its_nodes(tmp_path) -> None:
    spec = {"shape": (16, 32, 32), "seed": 2}
    volume = Volume(synthetic=spec, labels="volumes/labels/neuron_ids", skeletons="generated")
    there = open_volume(volume, name="made", data_root=tmp_path)
    lines = open_skeletons(there, data_root=tmp_path)
    assert (labels_on_disk(there.labels, lines.positions) == lines.skeleton_ids).all()
    assert synthesize(volume.synthetic)["volumes/labels/neuron_ids"].shape == (16, 32, 32)
