"""What tells the content of an array from another: every edit is noticed, and nothing else is taken
for one."""

import os
import shutil
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from funlib.geometry import Roi

from lsd.spec import Volume
from lsd.volumes.array import open_array
from lsd.volumes.inputs import ArrayState, VolumeInput
from lsd.volumes.volume import open_volume

SHAPE, CHUNKS = (20, 30, 40), (8, 16, 20)
SIZE = {"resolution": [4, 4, 4], "offset": [0, 0, 0]}


def make(folder: Path, separator=".") -> zarr.Array:
    zarr.open_group(str(folder / "data.zarr"), mode="a")
    data = np.arange(np.prod(SHAPE), dtype=np.uint32).reshape(SHAPE) % 251
    array = zarr.open_array(
        str(folder / "data.zarr" / "raw"),
        mode="w",
        shape=SHAPE,
        chunks=CHUNKS,
        dtype=np.uint8,
        dimension_separator=separator,
    )
    array[:] = data.astype(np.uint8)
    array.attrs.update(SIZE)
    return array


def state(folder: Path, roi: Roi | None = None) -> str:
    return ArrayState.of(open_array(folder / "data.zarr", "raw"), roi).content


def one_voxel_another(array) -> None:
    array[3, 4, 5] += 1


def a_chunk_in_place(array) -> None:
    """As a program does that opens the file of a chunk and writes into it: nothing is renamed, the
    folder stays as it was."""
    file = sorted(
        path for path in Path(array.store.path).rglob("*") if path.is_file() and path.name[0] != "."
    )[0]
    content = file.read_bytes()
    with file.open("r+b") as opened:
        opened.write(content)


def a_chunk_lost(array) -> None:
    next(
        path
        for path in sorted(Path(array.store.path).rglob("*"))
        if path.is_file() and path.name[0] != "."
    ).unlink()


def another_fill_value(array) -> None:
    file = Path(array.store.path) / ".zarray"
    file.write_text(file.read_text().replace('"fill_value": 0', '"fill_value": 7'))


EDITS = [one_voxel_another, a_chunk_in_place, a_chunk_lost, another_fill_value]


@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_in_place_is_noticed(tmp_path, separator, edit) -> None:
    array = make(tmp_path, separator)
    before = state(tmp_path)
    assert state(tmp_path) == before
    time.sleep(0.02)  # times of files come in steps of a clock tick
    edit(array)
    assert state(tmp_path) != before


@pytest.mark.parametrize("separator", [".", "/"])
def test_only_what_is_read_counts(tmp_path, separator) -> None:
    """A chunk at a time: it changes the state of the regions that it lies in, by the indices of its
    voxels, and of no other."""
    array = make(tmp_path, separator)
    regions = [
        Roi((0, 0, 0), SHAPE),
        Roi((0, 0, 0), (8, 16, 20)),
        Roi((7, 0, 0), (2, 1, 1)),
        Roi((8, 16, 20), (1, 14, 20)),
    ]
    for place in [(0, 0, 0), (8, 0, 0), (19, 29, 39), (8, 16, 39), (0, 16, 0)]:
        before = [state(tmp_path, roi) for roi in regions]
        time.sleep(0.02)
        array[place] += 1
        changed = [state(tmp_path, roi) != old for roi, old in zip(regions, before, strict=True)]
        chunk = [
            (p // c * c, min(p // c * c + c, n))
            for p, c, n in zip(place, CHUNKS, SHAPE, strict=True)
        ]
        touched = [
            all(
                a < end and begin < b
                for a, b, begin, end in zip(
                    *zip(*chunk, strict=True), roi.begin, roi.end, strict=True
                )
            )
            for roi in regions
        ]
        assert changed == touched, place


def test_what_leaves_the_voxels_alone_is_no_edit(tmp_path) -> None:
    make(tmp_path)
    before = state(tmp_path)
    time.sleep(0.02)
    (tmp_path / "data.zarr" / "raw" / ".zattrs").touch()
    (tmp_path / "data.zarr" / "raw" / "0.0.0.partial").touch()
    state_of_attributes = (tmp_path / "data.zarr" / "raw" / ".zarray").read_bytes()
    (tmp_path / "data.zarr" / "raw" / ".zarray").write_bytes(state_of_attributes)
    assert state(tmp_path) == before
    shutil.move(tmp_path / "data.zarr", tmp_path / "moved.zarr")
    assert ArrayState.of(open_array(tmp_path / "moved.zarr", "raw")).content == before, (
        "moved files keep their times"
    )


@pytest.mark.parametrize("form", ["hdf5", "tiff"])
def test_files_are_their_own_time_and_size(tmp_path, form) -> None:
    path, data = tmp_path / f"data.{form}", np.zeros(SHAPE, np.uint8)
    if form == "hdf5":
        with h5py.File(path, "w") as file:
            file["raw"] = data
            file["raw"].attrs["resolution"] = (4, 4, 4)
    else:
        tifffile.imwrite(path, data, photometric="minisblack")
    array = open_array(path, "raw" if form == "hdf5" else "", voxel_size=(4, 4, 4))
    before = ArrayState.of(array).content
    assert ArrayState.of(array).content == before
    time.sleep(0.02)
    with path.open("r+b") as opened:
        opened.seek(-1, os.SEEK_END)
        opened.write(b"\1")
    assert ArrayState.of(array).content != before


@pytest.mark.parametrize("form", ["npy", "tiff", "hdf5", "linked.hdf5"])
def test_the_path_that_names_a_file_is_no_part_of_its_content(tmp_path, monkeypatch, form) -> None:
    """A relative path, an absolute one, and one through a link name the same voxels."""
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    name, data = f"data.{form}", np.zeros((4, 5, 6), np.uint8)
    path, inside = tmp_path / "in" / name, "raw" if form.endswith("hdf5") else ""
    if form == "npy":
        np.save(path, data)
    elif form == "tiff":
        tifffile.imwrite(path, data, photometric="minisblack")
    else:
        own = path.with_name("a.hdf5") if form.startswith("linked") else path
        with h5py.File(own, "w") as file:
            file["raw"] = data
    if form.startswith("linked"):
        # the file that it leads to comes first among absolute paths, and last among mixed ones
        with h5py.File(path, "w") as file:
            file["raw"] = h5py.ExternalLink("a.hdf5", "raw")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    contents = {
        ArrayState.of(open_array(place / name, inside, voxel_size=(4, 4, 4))).content
        for place in (Path("../in"), tmp_path / "in", tmp_path / "link")
    }
    assert len(contents) == 1


def volume(tmp_path, **fields) -> Volume:
    zarr.open_group(str(tmp_path / "data.zarr"), mode="a")
    for name in ("raw", "labels", "mask"):
        kind = {"raw": np.float32, "labels": np.uint64, "mask": np.uint8}[name]
        array = zarr.open_array(
            str(tmp_path / "data.zarr" / name), mode="w", shape=SHAPE, chunks=CHUNKS, dtype=kind
        )
        array[:] = 1
        array.attrs.update(SIZE)
    return Volume(
        path="data.zarr", raw="raw", labels="labels", labels_mask="mask", raw_range=(0, 2), **fields
    )


def inputs(opened, root):
    roi = Roi((0, 0, 0), SHAPE)
    return {
        what: getattr(VolumeInput, what)(opened, root, roi=roi)
        for what in ("raw", "truth", "known")
    }


def test_what_is_said_of_arrays_by_name_is_left_out_with_them(tmp_path) -> None:
    names = ("raw", "labels", "labels_mask")
    spec = volume(tmp_path, axes=dict.fromkeys(names, "zyx"))
    left = inputs(open_volume(spec, name="v", data_root=tmp_path), tmp_path)
    assert {what: set(value.volume.axes) for what, value in left.items()} == {
        "raw": {"raw"},
        "truth": {"raw", "labels", "labels_mask"},
        "known": {"raw", "labels_mask"},
    }
    assert left["raw"].open().raw.axes == ("z", "y", "x")


@pytest.mark.parametrize(
    ("fields", "reads"),
    [
        ({}, {"raw": {"raw"}, "truth": {"labels", "labels_mask"}, "known": {"labels_mask"}}),
        (
            {"unknown": 0},
            {
                "raw": {"raw"},
                "truth": {"labels", "labels_mask"},
                "known": {"labels", "labels_mask"},
            },
        ),
        (
            {"invalid": "mask"},
            {
                "raw": {"raw"},
                "truth": {"labels", "labels_mask", "raw"},
                "known": {"labels_mask", "raw"},
            },
        ),
    ],
)
def test_an_input_is_what_is_read_of_a_volume_and_nothing_else(tmp_path, fields, reads) -> None:
    """Each array is changed in turn: the inputs that depend on it are others, and what they open
    reads nothing beside."""
    spec = volume(tmp_path, **fields)
    opened, roi = open_volume(spec, name="v", data_root=tmp_path), Roi((0, 0, 0), SHAPE)
    for name in ("raw", "labels", "mask"):
        before = inputs(opened, tmp_path)
        time.sleep(0.02)
        zarr.open_array(str(tmp_path / "data.zarr" / name), mode="r+")[0, 0, 0] = 0
        after = inputs(opened, tmp_path)
        key = "labels_mask" if name == "mask" else name
        assert {what for what in before if before[what] != after[what]} == {
            what for what in reads if key in reads[what]
        }, name
        assert {what for what in before if before[what].changed()} == {
            what for what in reads if key in reads[what]
        }, name
    found = inputs(opened, tmp_path)
    np.testing.assert_array_equal(found["raw"].open().read_raw(roi), opened.read_raw(roi))
    for what in ("truth", "known"):
        np.testing.assert_array_equal(found[what].open().read_known(roi), opened.read_known(roi))
    np.testing.assert_array_equal(found["truth"].open().read_labels(roi), opened.read_labels(roi))
    for what in ("truth", "known"):
        if "raw" not in reads[what]:
            with pytest.raises(AssertionError, match="no part of the job"):
                found[what].open().raw.read(roi)


def test_a_revision_stands_for_the_chunks(tmp_path) -> None:
    spec = volume(tmp_path, revision="proofread 1")
    opened = open_volume(spec, name="v", data_root=tmp_path)
    before = inputs(opened, tmp_path)
    time.sleep(0.02)
    zarr.open_array(str(tmp_path / "data.zarr" / "labels"), mode="r+")[0] = 5
    assert inputs(opened, tmp_path) == before
    named = open_volume(spec.derive(revision="proofread 2"), name="v", data_root=tmp_path)
    assert all(inputs(named, tmp_path)[what] != before[what] for what in before)


def test_an_array_that_was_replaced_meanwhile_is_not_opened(tmp_path) -> None:
    spec = volume(tmp_path)
    given = inputs(open_volume(spec, name="v", data_root=tmp_path), tmp_path)["raw"]
    shutil.rmtree(tmp_path / "data.zarr" / "raw")
    array = zarr.open_array(
        str(tmp_path / "data.zarr" / "raw"), mode="w", shape=SHAPE, chunks=CHUNKS, dtype=np.float64
    )
    array[:] = 1
    array.attrs.update(SIZE)
    with pytest.raises(
        ValueError, match=r"data\.zarr:raw was replaced since the run began; run it again"
    ):
        given.open()
