"""Arrays by regions of the world: every format, axis order and way beyond the edge, against
numpy."""

import multiprocessing
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from funlib.geometry import Coordinate, Roi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
FILES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RNG = np.random.default_rng(0)


def real(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here")
    return DATA / name


def zarr_file(path: Path, data: np.ndarray, **attributes: object) -> Path:
    array = zarr.open_array(
        str(path / "volumes" / "raw"),
        mode="w",
        shape=data.shape,
        chunks=(4,) * data.ndim,
        dtype=data.dtype,
    )
    array[...] = data
    array.attrs.update(attributes)
    for folder in (path, path / "volumes"):
        zarr.open_group(str(folder), mode="a")
    return path


@FILES
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    offset=st.tuples(*[st.integers(-6, 6)] * 3),
    begin=st.tuples(*[st.integers(-20, 20)] * 3),
    extent=st.tuples(*[st.integers(1, 12)] * 3),
    channels=st.sampled_from([None, 1, 3]),
)
def test_reads_as_numpy_pads(tmp_path, shape, offset, begin, extent, channels) -> None:
    whole = Roi(offset, shape)
    data = RNG.integers(0, 255, ((channels,) if channels else ()) + shape, dtype=np.uint8)
    array = create_array(
        tmp_path / "a.zarr",
        "raw",
        roi=whole,
        voxel_size=(5.24, 4, 4),
        dtype="u1",
        channels=channels,
        chunks=(3, 4, 5),
        overwrite=True,
    )
    array.write(data, whole)
    roi = Roi(begin, extent)
    around = [
        (max(f - b, 0) + 1, max(e - last, 0) + 1)
        for b, e, f, last in zip(begin, roi.end, offset, whole.end, strict=True)
    ]
    pad = [(0, 0)] * (data.ndim - 3) + around
    inside = tuple(
        slice(b - f + low, b - f + low + n)
        for b, f, (low, _), n in zip(begin, offset, around, extent, strict=True)
    )
    for beyond, mode in (("zero", "constant"), ("reflect", "reflect")):
        expected = np.pad(data, pad, mode=mode)[..., *inside]
        found = array.read(roi, beyond=beyond)
        np.testing.assert_array_equal(found, expected)
        assert found.flags.c_contiguous
        assert found.flags.writeable
    if whole.contains(roi):
        np.testing.assert_array_equal(array.read(roi), np.pad(data, pad)[..., *inside])
    else:
        with pytest.raises(ValueError, match=r"covers .* asked for"):
            array.read(roi)


@FILES
@given(
    offset=st.tuples(*[st.integers(-9, 9)] * 2),
    begin=st.tuples(*[st.integers(0, 5)] * 2),
    dtype=st.sampled_from(["u1", "f4", "u8"]),
)
def test_writes_where_it_is_told(tmp_path, offset, begin, dtype) -> None:
    whole = Roi(offset, (9, 9))
    array = create_array(
        tmp_path / "a.zarr",
        "a/b",
        roi=whole,
        voxel_size=(4, 4),
        dtype=dtype,
        chunks=(2, 4),
        fill=0,
        overwrite=True,
    )
    part = Roi(whole.begin + Coordinate(begin), (3, 4))
    data = RNG.integers(1, 200, (3, 4)).astype(dtype)
    array.write(data, part)
    expected = np.zeros((9, 9), dtype)
    expected[begin[0] : begin[0] + 3, begin[1] : begin[1] + 4] = data
    np.testing.assert_array_equal(open_array(tmp_path / "a.zarr", "a/b").read(whole), expected)


@pytest.mark.parametrize(
    "order", ["zyx", "xyz", "yxz", "czyx", "zyxc", "xyzc", "tczyx", "yx", "xy", "yxc", "cxy"]
)
def test_follows_axis_names(tmp_path, order) -> None:
    size = {"z": 5, "y": 6, "x": 7, "c": 2, "t": 1}
    names = [axis for axis in "czyx" if axis in order]
    data = RNG.integers(0, 99, [size[axis] for axis in names]).astype(">u2")
    stored = np.transpose(data, [names.index(axis) for axis in order if axis != "t"])
    stored = stored[None] if order[0] == "t" else stored
    space = [axis for axis in order if axis in "zyx"]
    nm = {"z": 40.0, "y": 8.5, "x": 4.0}
    path = zarr_file(
        tmp_path / "a.zarr", stored,
        axis_names=list(order), resolution=[nm[axis] for axis in space],
        offset=[nm[axis] * (ord(axis) - 110) for axis in space],
    )  # fmt: skip
    array = open_array(path, "volumes/raw")
    assert array.axes == tuple(names)
    assert array.voxel_size == tuple(nm[axis] for axis in "zyx" if axis in order)
    assert array.offset == Coordinate(ord(axis) - 110 for axis in "zyx" if axis in order)
    assert array.channels == (2 if "c" in order else None)
    found = array.read(array.roi)
    np.testing.assert_array_equal(found, data)
    assert found.dtype == np.dtype("u2")
    assert found.dtype.isnative
    inner = Roi(array.offset + 1, array.roi.shape - 3)
    part = tuple(slice(1, n - 2) for n in array.roi.shape)
    np.testing.assert_array_equal(array.read(inner), data[..., *part])


def test_hdf5_as_cremi_has_it(tmp_path) -> None:
    ids = RNG.integers(0, 2**64 - 1, (10, 12, 14), dtype=np.uint64, endpoint=True)
    with h5py.File(tmp_path / "sample_A.hdf", "w") as file:
        dataset = file.create_dataset(
            "volumes/labels/neuron_ids", data=ids, chunks=(4, 5, 6), compression="gzip"
        )
        dataset.attrs["resolution"] = (40.0, 4.0, 4.0)
        dataset.attrs["offset"] = (120.0, 8.0, -4.0)
    array = open_array(tmp_path / "sample_A.hdf", "/volumes/labels/neuron_ids")
    assert array.roi == Roi((3, 2, -1), (10, 12, 14))
    np.testing.assert_array_equal(array.read(array.roi), ids)
    np.testing.assert_array_equal(array.read(Roi((5, 4, 3), (2, 3, 4))), ids[2:4, 2:5, 4:8])


def test_hdf5_with_axes_of_its_own(tmp_path) -> None:
    data = RNG.random((4, 5, 6, 2)).astype("f4")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = data
        attributes = {
            "axis_names": [b"x", b"y", b"z", b"c"],
            "voxel_size": np.float32((4, 4, 5.24)),
            "units": b"nm",
        }
        file["raw"].attrs.update(attributes)
    array = open_array(tmp_path / "a.h5", "raw")
    assert (array.axes, array.voxel_size) == (("c", "z", "y", "x"), (5.24, 4.0, 4.0))
    np.testing.assert_array_equal(array.read(array.roi), data.transpose(3, 2, 1, 0))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"tile": (16, 16)},
        {"metadata": {"axes": "ZYX"}},
        {"metadata": None},
        {"bigtiff": True},
    ],
)
def test_tiff(tmp_path, options) -> None:
    data = RNG.integers(0, 2**16, (6, 30, 40), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", data, photometric="minisblack", **options)
    array = open_array(tmp_path / "stack.tif", voxel_size=(30, 6, 6), offset=(-60, 0, 12))
    assert array.roi == Roi((-2, 0, 2), data.shape)
    np.testing.assert_array_equal(array.read(array.roi), data)
    np.testing.assert_array_equal(array.read(Roi((0, 5, 20), (2, 3, 4))), data[2:4, 5:8, 18:22])


def test_tiff_of_one_section_in_colour(tmp_path) -> None:
    data = RNG.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "rgb.tif", data, photometric="rgb")
    array = open_array(tmp_path / "rgb.tif", voxel_size=(6, 6))
    assert (array.axes, array.channels) == (("c", "y", "x"), 3)
    np.testing.assert_array_equal(array.read(array.roi), data.transpose(2, 0, 1))


def test_blocks_beyond_2_32_voxels(tmp_path) -> None:
    far = 2**33 + 5
    roi = Roi((far, 0, -far), (4, 4, 4))
    array = create_array(tmp_path / "a.zarr", "ids", roi=roi, voxel_size=(5.24, 4, 4), dtype="u8")
    ids = np.uint64(2**64 - 1) - np.arange(64, dtype=np.uint64).reshape(4, 4, 4)
    array.write(ids, roi)
    again = open_array(tmp_path / "a.zarr", "ids")
    assert again.roi == roi
    np.testing.assert_array_equal(again.read(roi), ids)


def test_cropped_array_hides_the_rest(tmp_path) -> None:
    data = RNG.integers(1, 99, (8, 8, 8), dtype=np.uint8)
    path = zarr_file(tmp_path / "a.zarr", data, resolution=[1, 1, 1])
    part = open_array(path, "volumes/raw").cropped(Roi((2, 2, 2), (3, 3, 3)))
    assert part.shape == (3, 3, 3)
    expected = np.zeros((5, 5, 5), np.uint8)
    expected[1:4, 1:4, 1:4] = data[2:5, 2:5, 2:5]
    np.testing.assert_array_equal(part.read(Roi((1, 1, 1), (5, 5, 5)), beyond="zero"), expected)
    with pytest.raises(ValueError, match="covers 2:5"):
        part.read(Roi((1, 2, 2), (1, 1, 1)))


def _total(array) -> int:
    return int(array.read(array.roi).sum())


@pytest.mark.parametrize("name", ["a.zarr", "a.h5", "a.tif"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_is_read_in_other_processes(tmp_path, name, method) -> None:
    data = RNG.integers(0, 255, (6, 30, 40), dtype=np.uint8)
    if name == "a.zarr":
        zarr_file(tmp_path / name, data, resolution=[1, 1, 1])
    elif name == "a.h5":
        with h5py.File(tmp_path / name, "w") as file:
            file["volumes/raw"] = data
    else:
        tifffile.imwrite(tmp_path / name, data, photometric="minisblack", compression="zlib")
    array = open_array(
        tmp_path / name, "" if name == "a.tif" else "volumes/raw", voxel_size=(1, 1, 1)
    )
    assert _total(array) == data.sum()
    assert _total(pickle.loads(pickle.dumps(array))) == data.sum()
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(_total, [array] * 4) == [data.sum()] * 4


@pytest.mark.faults
@pytest.mark.parametrize(
    ("name", "inside", "shape", "size"),
    [
        ("fib25.zarr", "volumes/labels/neuron_ids", (250, 250, 250), (10, 10, 10)),
        ("snemi3d.hdf", "volumes/raw", (70, 1024, 1024), (30, 6, 6)),
    ],
)
def test_real_files(name, inside, shape, size) -> None:
    array = open_array(real(name), inside)
    assert (array.shape, array.voxel_size, array.offset) == (shape, size, Coordinate(0, 0, 0))
    roi = Roi((60, 100, 90), (7, 60, 50))
    opened = (
        zarr.open(str(real(name)), mode="r")[inside]
        if name.endswith("zarr")
        else h5py.File(real(name))[inside]
    )
    np.testing.assert_array_equal(array.read(roi), opened[60:67, 100:160, 90:140])


@pytest.mark.faults
def test_real_tiff_needs_a_voxel_size() -> None:
    with pytest.raises(ValueError, match="no voxel size"):
        open_array(real("nuclei3d/img3d.tif"))
    array = open_array(real("nuclei3d/img3d.tif"), voxel_size=(500, 200, 200))
    np.testing.assert_array_equal(
        array.read(array.roi), tifffile.imread(real("nuclei3d/img3d.tif"))
    )
