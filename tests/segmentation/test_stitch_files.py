"""Labelled blocks of other programs: found wherever they say that they lie, or refused in words."""

import csv
import json
import os
import resource

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from cut_blocks import PERFECT, cut, instances, is_renaming
from funlib.geometry import Roi

from lsd.cli.survey.stitching import survey
from lsd.segmentation.stitching.listed import Hints, find_blocks
from lsd.segmentation.stitching.named import Names, guessed
from lsd.segmentation.stitching.run import Stitched, stitch_files
from lsd.spec import Stitch
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

LABELS = instances((12, 15, 16), 4)
BLOCKS = cut(LABELS, (7, 8, 9), (2, 2, 2), seed=4, largest=2**31)
SIZE = (40.0, 5.24, 4.0)


def whole(found, target):
    """The stitched volume, and whether it is LABELS."""
    stitch_files(found, target, settings=Stitch(rule=PERFECT))
    array = open_array(target, "segmentation")
    assert array.voxel_size == SIZE
    volume = array.read(array.roi)
    assert is_renaming(volume, LABELS)
    return array


def nm(begin):
    return [n * size + place for n, size, place in zip(begin, SIZE, (1.5, 100, 0), strict=True)]


def tiff(file, labels):
    tifffile.imwrite(file, labels.astype(np.uint32), photometric="minisblack")


def test_tiff_files_with_offsets_in_their_names(tmp_path) -> None:
    for (z, y, x), labels in BLOCKS:
        tiff(tmp_path / f"run3_block_z{z}_y{y:04d}_x{x}.tif", labels)
    (tmp_path / "notes.txt").write_text("ours")
    (tmp_path / ".hidden.tif").write_bytes(b"II*\0")
    given = Hints(voxel_size=SIZE)
    array = whole(find_blocks(tmp_path, given), tmp_path / "guessed.zarr.zarr")
    assert array.offset == (0, 0, 0)
    (tmp_path / "guessed.zarr.zarr").rename(tmp_path.parent / f"{tmp_path.name}-moved.zarr")
    pattern = Hints(voxel_size=SIZE, pattern="{}_block_z{z}_y{y}_x{x}.tif")
    assert find_blocks(tmp_path, pattern) == find_blocks(tmp_path, given)


def test_names_that_count_blocks_and_names_in_nm(tmp_path) -> None:
    for (z, y, x), labels in BLOCKS:
        tiff(tmp_path / f"{x // 7}-{y // 6}-{z // 5}.tif", labels)
    given = Hints(voxel_size=SIZE, pattern="{x}-{y}-{z}.tif", step=(5, 6, 7))
    counted = find_blocks(tmp_path, given)
    whole(counted, tmp_path.parent / f"{tmp_path.name}.zarr")
    other = tmp_path / "nm"
    other.mkdir()
    for (z, y, x), labels in BLOCKS:
        np.save(other / f"{z * 40}_{y * 5.24:.2f}_{x * 4}.npy", labels)
    given = Hints(voxel_size=SIZE, pattern="{z}_{y}_{x}.npy", nm=True)
    in_nm = find_blocks(other, given)
    assert [f.begin for f in in_nm.files] == [f.begin for f in counted.files]
    whole(in_nm, tmp_path.parent / f"{tmp_path.name}-nm.zarr")


def test_hdf5_files_with_attributes(tmp_path) -> None:
    for number, (begin, labels) in enumerate(BLOCKS):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["raw"] = np.zeros(labels.shape, np.uint8)
            file["seg/ids"] = labels
            file["seg/ids"].attrs.update(resolution=SIZE, offset=nm(begin))
    with pytest.raises(ValueError, match=r"0.h5 holds 2 arrays: raw, seg/ids; .* --array"):
        find_blocks(tmp_path)
    array = whole(find_blocks(tmp_path, Hints(array="seg/ids")), tmp_path.parent / "hdf5.zarr")
    assert array.offset == (0, 19, 0)
    assert [float(n) for n in array.remainder] == [1.5, pytest.approx(100 - 19 * 5.24), 0]


def ome_zarr(path, labels, place=None):
    group = zarr.open_group(str(path), mode="w")
    group.create_dataset("0", data=labels.astype(np.uint32), chunks=(4, 4, 4))
    steps = [{"type": "scale", "scale": [n / 1000 for n in SIZE]}]
    if place:
        steps += [{"type": "translation", "translation": [n / 1000 for n in place]}]
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": steps}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]


def test_ome_zarr_folders_with_translations(tmp_path) -> None:
    for number, (begin, labels) in enumerate(BLOCKS):
        ome_zarr(tmp_path / f"{number}.zarr", labels, nm(begin))
    whole(find_blocks(tmp_path), tmp_path.parent / "ome.zarr")


def test_ome_zarr_folders_with_a_scale_alone_lie_where_their_names_say(tmp_path) -> None:
    for (z, y, x), labels in BLOCKS:
        ome_zarr(tmp_path / f"z{z}_y{y}_x{x}.zarr", labels)
    found = find_blocks(tmp_path)
    assert sorted(file.begin for file in found.files) == sorted(begin for begin, _ in BLOCKS)
    assert whole(found, tmp_path.parent / "scales.zarr").offset == (0, 0, 0)
    (tmp_path / "z0_y0_x0.zarr").rename(tmp_path / "first.zarr")
    with pytest.raises(ValueError, match=r"first\.zarr.* does not say where it lies"):
        find_blocks(tmp_path)


@pytest.mark.parametrize("kind", ["zarr", "hdf5"])
def test_arrays_of_one_file(tmp_path, kind) -> None:
    path = tmp_path / f"all.{kind}"
    file = h5py.File(path, "w") if kind == "hdf5" else zarr.open_group(str(path), mode="w")
    for number, (begin, labels) in enumerate(BLOCKS):
        array = file.create_dataset(f"blocks/b{number}", data=labels)
        array.attrs.update(resolution=SIZE, offset=nm(begin))
    file.create_dataset("raw", data=np.zeros((3, 4, 5), np.uint8))
    if kind == "hdf5":
        file.close()
    with pytest.raises(ValueError, match=r"raw: its file states no voxel size.* --voxel-size"):
        find_blocks(path)
    whole(find_blocks(path, Hints(array="blocks")), tmp_path / "out.zarr")


@pytest.mark.parametrize("kind", ["csv", "json", "map"])
def test_lists(tmp_path, kind) -> None:
    (tmp_path / "parts").mkdir()
    rows = []
    for number, (begin, labels) in enumerate(BLOCKS):
        np.save(tmp_path / "parts" / f"{number}.npy", labels)
        rows.append((f"parts/{number}.npy", begin))
    path = tmp_path / f"blocks.{'csv' if kind == 'csv' else 'json'}"
    if kind == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(
                [("path", "x", "y", "z"), *((name, *begin[::-1]) for name, begin in rows)]
            )
    elif kind == "json":
        path.write_text(json.dumps([{"path": name, "offset": begin} for name, begin in rows]))
    else:
        path.write_text(json.dumps(dict(rows)))
    whole(find_blocks(path, Hints(voxel_size=SIZE)), tmp_path / "out.zarr")


def test_axes_in_another_order(tmp_path) -> None:
    for (z, y, x), labels in BLOCKS:
        np.save(tmp_path / f"z{z}_y{y}_x{x}.npy", labels.T)
    whole(find_blocks(tmp_path, Hints(voxel_size=SIZE, axes="xyz")), tmp_path.parent / "xyz.zarr")


def test_what_a_list_says_counts_before_names_and_files(tmp_path) -> None:
    for name, begin in (("z0_y0_x0", (0, 0, 4)), ("z0_y0_x9", (0, 0, 8))):
        file = zarr.open_group(str(tmp_path / f"{name}.zarr"), mode="w")
        array = file.create_dataset("a", data=np.ones((3, 4, 5), np.uint8))
        array.attrs.update(resolution=(1, 1, 1), offset=begin)
    assert [f.begin[2] for f in find_blocks(tmp_path).files] == [4, 8]
    pattern = Hints(pattern="z{z}_y{y}_x{x}.zarr")
    assert [f.begin[2] for f in find_blocks(tmp_path, pattern).files] == [0, 9]
    rows = [{"path": "z0_y0_x0.zarr", "offset": [1, 2, 3], "array": "a"}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert [f.begin for f in find_blocks(tmp_path / "a.json", pattern).files] == [(1, 2, 3)]


@pytest.mark.parametrize("kind", ["h5", "tif", "npy"])
def test_more_files_than_a_process_may_open(tmp_path, kind) -> None:
    for begin in range(0, 240, 4):
        labels = np.full((2, 3, 6), begin + 1, np.uint16)
        path = tmp_path / f"z0_y0_x{begin}.{kind}"
        if kind == "h5":
            with h5py.File(path, "w") as file:
                file["labels"] = labels
        else:
            {"tif": tiff, "npy": np.save}[kind](path, labels)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 50, most[1]))
    try:
        found = find_blocks(tmp_path, Hints(voxel_size=SIZE))
        stitched = stitch_files(found, tmp_path / "out.zarr", settings=Stitch(rule=PERFECT))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert stitched == Stitched(blocks=60, pairs=59, labels=60, joins=59, objects=1)


def one(folder, name, *, voxel_size=(4, 4, 4), offset=(0, 0, 0), dtype=np.uint16, shape=(3, 4, 5)):
    file = h5py.File(folder / name, "w")
    file["a"] = np.ones(shape, dtype)
    file["a"].attrs["resolution"] = voxel_size
    if offset is not None:
        file["a"].attrs["offset"] = offset
    file.close()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"voxel_size": (4, 4, 8)},
            r"voxels of .*b.h5:a are \(4.0, 4.0, 8.0\) nm, those of .*a.h5",
        ),
        ({"offset": (0, 0, 10)}, r"b.h5:a lies between the voxels of .*a.h5:a: .*\(0, 0, -0.5\)"),
        ({"offset": None}, "b.h5:a does not say where it lies"),
        ({"dtype": np.float32, "offset": (0, 0, 8)}, "b.h5:a is float32; labels are whole"),
        ({}, "a.h5:a and .*b.h5:a lie in one place, 0:3, 0:4, 0:5"),
        (
            {"shape": (4, 5), "voxel_size": (4, 4), "offset": (0, 8)},
            "b.h5:a has 2 axes, .*a.h5:a 3",
        ),
    ],
)
def test_blocks_that_do_not_fit(tmp_path, changes, says) -> None:
    one(tmp_path, "a.h5")
    one(tmp_path, "b.h5", **changes)
    with pytest.raises(ValueError, match=says):
        find_blocks(tmp_path)


def test_half_voxels_of_all_blocks_are_kept(tmp_path) -> None:
    one(tmp_path, "a.h5", offset=(2, 0, 1))
    one(tmp_path, "b.h5", offset=(2, 0, 9))
    found = find_blocks(tmp_path)
    assert [f.begin[2] for f in found.files] == [0, 2]
    stitch_files(found, tmp_path / "out.zarr", settings=Stitch())
    assert open_array(tmp_path / "out.zarr", "segmentation").source.handle.attrs["offset"] == [
        pytest.approx(n) for n in (2, 0, 1)
    ]


def test_voxels_of_no_known_size_stay_so(tmp_path) -> None:
    for x in (0, 3):
        array = create_array(
            tmp_path / "in" / f"{x}.zarr",
            "a",
            roi=Roi((0, 0, x), (3, 4, 5)),
            voxel_size=(1, 1, 1),
            dtype=np.uint64,
            calibrated=False,
        )
        array.write(np.ones((3, 4, 5), np.uint64), array.roi)
    found = find_blocks(tmp_path / "in")
    stitch_files(found, tmp_path / "out.zarr", settings=Stitch(rule=PERFECT))
    stitched = open_array(tmp_path / "out.zarr", "segmentation")
    assert (stitched.calibrated, stitched.shape) == (False, (3, 4, 8))
    [size] = (line for line in survey(found, tmp_path / "out.zarr", Stitch()) if "rule:" in line)
    assert "no voxel size" in size


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "file,z,y,x\nb.npy,0,0,0\n", "block 1 has no path; a CSV file needs the columns"),
        ("a.csv", "path,z,y,x\n", "lists no block"),
        ("a.csv", "path,z,y,x\nb.npy,0,one,0\n", r"block 1 \(b.npy\) has the offset \['0', 'one'"),
        ("a.csv", "path,z,y,x\nc.npy,0,1,0\n", "block 1: there is no .*c.npy"),
        ("a.csv", "path,y,x\nb.npy,0,0\n", r"b.npy has 3 axes, and its offset is \(0.0, 0.0\)"),
        ("a.csv", "path,z,y,x\nb.npy,0,0.5,0\n", "no whole voxels; say --nm"),
        ("a.csv", "path\nb.npy\n", "b.npy does not say where it lies"),
        ("a.json", "[1]", "is no list of blocks; wanted"),
        ("a.json", "{", "is no JSON"),
        ("a.json", '{"b.npy": [[1], 2, 3]}', r"block 1 \(b.npy\) has the offset"),
        ("a.json", '{"b.npy": "0 64 0"}', r"block 1 \(b.npy\) has the offset '0 64 0'"),
        ("a.json", '{"b.npy": "123"}', r"b.npy has 3 axes, and its offset is \(123.0,\)"),
    ],
)
def test_lists_that_are_wrong(tmp_path, name, content, says) -> None:
    np.save(tmp_path / "b.npy", np.ones((2, 3, 4), np.uint8))
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=says):
        find_blocks(tmp_path / name, Hints(voxel_size=(1, 1, 1)))


def test_other_mistakes(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"there is no .*nothing; name the folder"):
        find_blocks(tmp_path / "nothing")
    with pytest.raises(ValueError, match="holds no block; blocks are zarr or N5 folders"):
        find_blocks(tmp_path)
    np.save(tmp_path / "z0_y0_x0.npy", np.ones((2, 3, 4), np.uint8))
    with pytest.raises(ValueError, match=r"states no voxel size.* set --voxel-size"):
        find_blocks(tmp_path)
    given = Hints(voxel_size=(1, 1, 1), pattern="a_{z}_{y}_{x}.npy")
    with pytest.raises(ValueError, match=r"holds no block called as 'a_{z}_{y}_{x}.npy'"):
        find_blocks(tmp_path, given)
    with pytest.raises(ValueError, match=r"pattern 'a_{z}' has the fields z; it needs {z}, {y}"):
        find_blocks(tmp_path, Hints(pattern="a_{z}"))
    with pytest.raises(ValueError, match="give one of --nm and --step"):
        find_blocks(tmp_path, Hints(nm=True, step=(1, 1, 1)))
    with pytest.raises(ValueError, match=r"--step has 2 numbers, .* 3 axes"):
        find_blocks(tmp_path, Hints(voxel_size=(1, 1, 1), step=(1, 1)))
    found = find_blocks(tmp_path, Hints(voxel_size=(1, 1, 1)))
    with pytest.raises(ValueError, match="would be written into the input"):
        stitch_files(found, tmp_path / "z0_y0_x0.npy", settings=Stitch())


@pytest.mark.parametrize(
    ("name", "dims", "offset"),
    [
        ("block_z0_y64_x128.tif", 3, (0, 64, 128)),
        ("seg-x-5-y10-z3.ome.zarr", 3, (3, 10, -5)),
        ("z=1,y=2,x=3.h5", 3, (1, 2, 3)),
        ("z_1_y_2_x_3.h5", 3, (1, 2, 3)),
        # a minus, or what stands between name and number: nobody knows
        ("z-0-y-64-x-128.tif", 3, None),
        ("z-8_y-64_x-128.tif", 3, None),
        ("Y1_X2.npy", 2, None),
        ("y1_x2.npy", 2, (1, 2)),
        ("y1_x2.npy", 3, None),
        ("xyz1_y2_x3.npy", 2, (2, 3)),
        ("x1_y2_x3.npy", 2, None),
        ("0_64_128.tif", 3, None),
    ],
)
def test_guesses(name, dims, offset) -> None:
    assert guessed(name, dims=dims) == offset


def test_patterns() -> None:
    names = Names("a.{x}+{z}({y})_{}.tif")
    assert names.offset("a.1+-2(3.5)_b.c.tif") == (-2, 3.5, 1)
    assert names.offset("ab1+2(3)_.tif") is None
    assert Names("{y}_{x}").offset("7_8") == (7, 8)
