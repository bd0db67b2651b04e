"""What a config says of voxel size and axes is used before what files say, with a warning, unless
it would hide a mistake."""

import logging

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from lsd.spec import Volume
from lsd.volumes.array import open_array
from lsd.volumes.volume import open_volume

RNG = np.random.default_rng(0)
RAW = RNG.integers(0, 255, (6, 8, 10), dtype=np.uint8)


def save(folder, name, data=RAW, **attributes):
    zarr.open_group(str(folder / "a.zarr"), mode="a")
    array = zarr.open_array(
        str(folder / "a.zarr" / name), mode="w", shape=data.shape, dtype=data.dtype
    )
    array[...] = data
    array.attrs.update(attributes)
    return folder / "a.zarr"


def opened(folder, **spec):
    return open_volume(
        Volume.model_validate({"path": str(folder / "a.zarr"), "raw": "raw", **spec}),
        name="one",
        data_root=folder,
    )


def test_voxel_size(tmp_path, caplog) -> None:
    path = save(tmp_path, "raw", resolution=[1, 1, 1])
    with caplog.at_level(logging.WARNING):
        assert open_array(path, "raw", voxel_size=(40, 4, 4)).voxel_size == (40, 4, 4)
    assert (
        "a.zarr:raw: its voxel size is (1.0, 1.0, 1.0) nm by its file and (40.0, 4.0, 4.0) nm by "
        "the config" in caplog.text
    )
    caplog.clear()
    path = save(tmp_path, "exact", resolution=[5.2400001, 4, 4])
    assert open_array(path, "exact", voxel_size=(5.24, 4, 4)).voxel_size == (5.2400001, 4, 4)
    assert not caplog.records


def test_voxel_size_instead_of_one_that_cannot_be(tmp_path, caplog) -> None:
    path = save(tmp_path, "raw", resolution=[0, 0, 0])
    with pytest.raises(ValueError, match=r"its resolution is .* voxel sizes are positive"):
        open_array(path, "raw")
    with caplog.at_level(logging.WARNING):
        assert open_array(path, "raw", voxel_size=(40, 4, 4)).voxel_size == (40, 4, 4)
    assert "voxel sizes are positive; voxel_size (40, 4, 4) of the config is used" in caplog.text


def test_one_voxel_size_for_all_does_not_hide_that_files_differ(tmp_path) -> None:
    save(tmp_path, "raw", resolution=[40, 4, 4])
    save(tmp_path, "labels", RAW.astype("u8"), resolution=[40, 8, 8])
    save(tmp_path, "silent", RAW.astype("u8"))
    with pytest.raises(
        ValueError,
        match=r"voxel size is \(40.0, 4.0, 4.0\) by the config for all arrays, but raw .* labels ",
    ):
        opened(tmp_path, labels="labels", voxel_size=(40, 4, 4))
    volume = opened(tmp_path, labels="labels", voxel_size={"labels": (40, 4, 4)})
    assert volume.labels.voxel_size == volume.voxel_size == (40, 4, 4)
    assert opened(tmp_path, labels="silent", voxel_size=(30, 4, 4)).labels.voxel_size == (30, 4, 4)


def test_axes(tmp_path, caplog) -> None:
    path = save(tmp_path, "raw", resolution=[4, 4, 4], axis_names=["x", "y", "z"])
    assert open_array(path, "raw").shape == (10, 8, 6)
    with caplog.at_level(logging.WARNING):
        array = open_array(path, "raw", axes="zyx")
    np.testing.assert_array_equal(array.read(array.roi), RAW)
    assert "its axes are x y z by its file and z y x by the config" in caplog.text


def test_axes_that_move_a_voxel_size_want_it_too(tmp_path) -> None:
    path = save(tmp_path, "raw", resolution=[4, 4, 40], axis_names=["x", "y", "z"])
    with pytest.raises(ValueError, match="set voxel_size="):
        open_array(path, "raw", axes="zyx")
    assert open_array(path, "raw", axes="zyx", voxel_size=(40, 4, 4)).voxel_size == (40, 4, 4)
    path = save(tmp_path, "far", resolution=[4, 4, 4], offset=[0, 0, 8], axis_names=["x", "y", "z"])
    with pytest.raises(ValueError, match="give offset= too"):
        open_array(path, "far", axes="zyx")
    assert open_array(path, "far", axes="zyx", offset=(8, 0, 0)).offset == (2, 0, 0)


def test_axes_instead_of_names_that_nobody_knows(tmp_path) -> None:
    path = save(tmp_path, "raw", resolution=[40, 4, 4], axis_names=["plane", "row", "column"])
    with pytest.raises(ValueError, match="each must be one of"):
        open_array(path, "raw")
    array = open_array(path, "raw", axes="zyx")
    assert (array.shape, array.voxel_size) == (RAW.shape, (40, 4, 4))


@pytest.mark.parametrize("stored", ["TYX", "CYX", "ZYX"])
def test_sections_that_are_stored_as_times_or_channels(tmp_path, stored) -> None:
    metadata = {"axes": stored, "spacing": 0.05, "unit": "um"}
    tifffile.imwrite(tmp_path / "a.tif", RAW, imagej=True, resolution=(250, 125), metadata=metadata)
    array = open_array(tmp_path / "a.tif", axes="zyx")
    assert (array.axes, array.voxel_size) == (("z", "y", "x"), (50, 8, 4))
    np.testing.assert_array_equal(array.read(array.roi), RAW)


@pytest.mark.parametrize("stored", ["TYX", "CYX"])
def test_sections_that_ome_calls_times_or_channels(tmp_path, stored, caplog) -> None:
    sizes = {
        f"PhysicalSize{axis}": size for axis, size in (("Z", 0.05), ("Y", 0.008), ("X", 0.004))
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", RAW, metadata={"axes": stored, **sizes})
    array = open_array(tmp_path / "a.ome.tif", axes="zyx")
    assert (array.axes, array.voxel_size) == (("z", "y", "x"), (50, 8, 4))
    np.testing.assert_array_equal(array.read(array.roi), RAW)
    assert (
        f"its axes are {' '.join(stored.lower())} by its file and z y x by the config"
        in caplog.text
    )


def test_sections_stored_as_times_say_how_to_read_them(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RAW, imagej=True, metadata={"axes": "TYX"})
    with pytest.raises(ValueError, match=r"6 points in time; a volume has one .*say axes='zyx'"):
        open_array(tmp_path / "a.tif", voxel_size=(1, 1, 1))


def test_axes_pass_over_those_of_one_voxel(tmp_path) -> None:
    path = save(
        tmp_path, "raw", RAW[:, None], resolution=[1, 1, 1, 1], axis_names=["t", "c", "y", "x"]
    )
    array = open_array(path, "raw", axes="zyx", voxel_size=(40, 4, 4))
    np.testing.assert_array_equal(array.read(array.roi), RAW)


def test_one_order_for_all_does_not_hide_that_files_differ(tmp_path) -> None:
    cube = RNG.integers(0, 9, (5, 5, 5)).astype("u8")
    save(tmp_path, "raw", cube.astype("u1"), resolution=[4, 4, 4], axis_names=["z", "y", "x"])
    save(
        tmp_path,
        "labels",
        cube.transpose(2, 1, 0),
        resolution=[4, 4, 4],
        axis_names=["x", "y", "z"],
    )
    volume = opened(tmp_path, labels="labels")
    np.testing.assert_array_equal(volume.read_labels(volume.roi), cube)
    with pytest.raises(
        ValueError, match=r"axes is 'zyx' by the config for all arrays, but raw .* labels"
    ):
        opened(tmp_path, labels="labels", axes="zyx")


@pytest.mark.parametrize("fit", ["refuse", "intersect"])
@pytest.mark.parametrize("order", [(2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_axes_that_seem_swapped(tmp_path, fit, order) -> None:
    save(tmp_path, "raw", resolution=[4, 4, 4])
    save(tmp_path, "labels", RAW.astype("u8").transpose(order), resolution=[4, 4, 4])
    with pytest.raises(
        ValueError, match="volume 'one': axes seem swapped: raw has 6x8x10 voxels"
    ) as caught:
        opened(tmp_path, labels="labels", fit=fit)
    assert "fit=" not in str(caught.value)
    names = "".join("zyx"[axis] for axis in order)
    assert f"as in axes={{'labels': {names!r}}}" in str(caught.value), (
        "what is advised is what helps"
    )
    volume = opened(tmp_path, labels="labels", fit=fit, axes={"labels": names})
    np.testing.assert_array_equal(volume.read_labels(volume.roi), RAW)


def test_a_crop_that_lies_the_other_way(tmp_path) -> None:
    save(tmp_path, "raw", np.zeros((6, 20, 30), np.uint8), resolution=[4, 4, 4])
    save(tmp_path, "labels", np.ones((28, 15, 5), np.uint64), resolution=[4, 4, 4])
    with pytest.raises(ValueError, match=r"axes seem swapped.*axes=\{'labels': 'xyz'\}"):
        opened(tmp_path, labels="labels", fit="intersect")
    assert opened(tmp_path, labels="labels", fit="intersect", axes={"labels": "xyz"}).roi.shape == (
        5,
        15,
        28,
    )


def test_voxel_sizes_that_seem_swapped(tmp_path) -> None:
    save(tmp_path, "raw", RAW[:, :6, :6], resolution=[40, 4, 4])
    save(tmp_path, "labels", np.ones((6, 6, 6), np.uint64), resolution=[4, 4, 40])
    with pytest.raises(ValueError, match="axes seem swapped"):
        opened(tmp_path, labels="labels", fit="intersect")


def test_crops_and_margins_are_not_called_swapped(tmp_path) -> None:
    save(tmp_path, "raw", resolution=[4, 4, 4])
    for shape in ((6, 8, 9), (4, 4, 4), (8, 9, 12), (7, 8, 10), (6, 8, 12)):
        save(tmp_path, "labels", np.ones(shape, np.uint64), resolution=[4, 4, 4])
        opened(tmp_path, labels="labels", fit="intersect")


def test_labels_of_other_dimensions(tmp_path) -> None:
    save(tmp_path, "raw", resolution=[4, 4, 4])
    save(tmp_path, "labels", np.ones((8, 10), np.uint64), resolution=[4, 4])
    with pytest.raises(ValueError, match=r"raw has the axes z y x .*, labels y x"):
        opened(tmp_path, labels="labels")


@pytest.mark.parametrize("field", ["axes", "offset", "voxel_size"])
def test_names_must_be_those_of_arrays(field) -> None:
    value = "zyx" if field == "axes" else (1, 1, 1)
    Volume.model_validate(
        {
            "path": "a",
            "labels": "b",
            "arrays": {"mito": "c"},
            field: {"labels": value, "mito": value},
        }
    )
    with pytest.raises(
        ValueError, match=f"{field} names 'label'; arrays of the volume are raw, labels"
    ):
        Volume.model_validate({"path": "a", "labels": "b", field: {"label": value}})


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"voxel_size": (0, 1, 1)}, r"voxel_size\.0\n.*greater than 0, got 0"),
        ({"voxel_size": {"raw": (0, 1, 1)}}, r"voxel_size\.raw\.0\n.*greater than 0, got 0"),
        ({"offset": "a"}, r"offset\n.*wants a tuple, got 'a'"),
        ({"offset": {"raw": "a"}}, r"offset\.raw\n.*wants a tuple, got 'a'"),
        ({"axes": 3}, r"axes\n.*wants text, got 3"),
    ],
)
def test_a_wrong_value_is_told_once(given, line) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        Volume(path="a", **given)
    assert caught.value.error_count() == 1


def test_by_name_in_hdf5(tmp_path) -> None:
    with h5py.File(tmp_path / "a.zarr", "w") as file:
        file["raw"] = RAW
        file["labels"] = RAW.astype("u8").transpose(2, 1, 0)
    size = {"raw": (40, 4, 4), "labels": (40, 4, 4)}
    volume = opened(tmp_path, labels="labels", voxel_size=size, axes={"labels": "xyz"})
    np.testing.assert_array_equal(volume.read_labels(volume.roi), RAW)
