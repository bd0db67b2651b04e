"""What files say of voxel size, offset and axes, and every way in which they can be wrong."""

import json

import numpy as np
import pytest
import zarr
from funlib.geometry import Coordinate
from hypothesis import given
from hypothesis import strategies as st

from lsd.volumes.array import open_array
from lsd.volumes.units import exact, lengths, whole_voxels

DATA = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)


def save(folder, data=DATA, **attributes):
    array = zarr.open_array(
        str(folder / "a.zarr" / "raw"), mode="w", shape=data.shape, dtype=data.dtype
    )
    array[...] = data
    array.attrs.update(attributes)
    zarr.open_group(str(folder / "a.zarr"), mode="a")
    return folder / "a.zarr"


def ome(path, *, scale, translation=None, unit="nanometer", axes="zyx", whole=None) -> None:
    types = {"c": "channel", "t": "time"}
    described = [
        {
            "name": axis,
            "type": types.get(axis, "space"),
            **({"unit": unit} if unit and axis in "zyx" else {}),
        }
        for axis in axes
    ]
    steps = [{"type": "scale", "scale": scale}] + (
        [{"type": "translation", "translation": translation}] if translation else []
    )
    entry = {
        "version": "0.4",
        "axes": described,
        "datasets": [{"path": "raw", "coordinateTransformations": steps}],
    }
    if whole:
        entry["coordinateTransformations"] = [{"type": "scale", "scale": whole}]
    zarr.open_group(str(path), mode="a").attrs["multiscales"] = [entry]


@pytest.mark.parametrize("key", ["resolution", "voxel_size"])
def test_fractional_voxel_size_is_exact(tmp_path, key) -> None:
    array = open_array(save(tmp_path, **{key: [5.24, 4.6, 4]}, offset=[15.72, 0, -400000]), "raw")
    assert array.voxel_size == (5.24, 4.6, 4.0)
    assert array.offset == Coordinate(3, 0, -100000)


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("nm", 1),
        ("um", 1000),
        (["\N{MICRO SIGN}m"] * 3, 1000),
        (["", "micrometer"], 1000),
        ("angstrom", 0.1),
    ],
)
def test_units(tmp_path, units, factor) -> None:
    sizes = (
        [0.00524, 0.004, 0.004]
        if factor == 1000
        else [52.4, 40, 40]
        if factor == 0.1
        else [5.24, 4, 4]
    )
    array = open_array(save(tmp_path, resolution=sizes, units=units), "raw")
    assert array.voxel_size == (5.24, 4.0, 4.0)


def test_ome_zarr(tmp_path) -> None:
    path = save(tmp_path)
    ome(path, scale=[0.00524, 0.004, 0.004], translation=[0.01048, 0, 0.04], unit="micrometer")
    for name in ("raw", ""):
        array = open_array(path, name)
        assert (array.voxel_size, array.offset) == ((5.24, 4.0, 4.0), Coordinate(2, 0, 10))
    assert open_array(path / "raw").voxel_size == (5.24, 4.0, 4.0)


def test_a_scale_of_ome_zarr_alone_says_no_offset(tmp_path, caplog) -> None:
    path = save(tmp_path)
    ome(path, scale=[40, 4, 4])
    array = open_array(path, "raw", offset=(80, 0, 0))
    assert (array.offset, array.layout.stated.offset) == (Coordinate(2, 0, 0), None)
    assert not caplog.records
    assert open_array(path, "raw").offset == Coordinate(0, 0, 0)
    # what attributes say of the place is then no contradiction
    ome(save(tmp_path, resolution=[40, 4, 4], offset=[80, 0, 0]), scale=[40, 4, 4])
    assert open_array(path, "raw").offset == Coordinate(2, 0, 0)


@pytest.mark.parametrize("own", [None, [0, 0, 0]])
def test_a_translation_of_all_levels_says_an_offset(tmp_path, own) -> None:
    path = save(tmp_path)
    ome(path, scale=[40, 4, 4], translation=own)
    group = zarr.open_group(str(path))
    [image] = group.attrs["multiscales"]
    image["coordinateTransformations"] = [{"type": "translation", "translation": [80, 4, 0]}]
    group.attrs["multiscales"] = [image]
    array = open_array(path, "raw")
    assert (array.offset, array.layout.stated.offset) == (Coordinate(2, 1, 0), (80, 4, 0))


def test_ome_zarr_of_bioformats(tmp_path) -> None:
    path = save(tmp_path, DATA[None, None])
    ome(
        path,
        scale=[1, 1, 2, 1, 1],
        axes="tczyx",
        whole=[1, 1, 0.5, 0.0052, 0.0052],
        unit="micrometer",
    )
    array = open_array(path, "raw").without_channel()
    assert array.voxel_size == (1000.0, 5.2, 5.2)
    np.testing.assert_array_equal(array.read(array.roi), DATA)


def test_ome_zarr_without_unit_says_nothing(tmp_path) -> None:
    path = save(tmp_path)
    ome(path, scale=[1, 1, 1], unit=None)
    with pytest.raises(ValueError, match="states no voxel size"):
        open_array(path, "raw")


@pytest.mark.parametrize(
    ("attributes", "given", "says"),
    [
        (
            {},
            {},
            r"states no voxel size.*look it up and set voxel_size=\(z, y, x\) in nm.*"
            r"an example and no advice",
        ),
        (
            {"resolution": [40, 4, 4], "voxel_size": [1, 1, 1]},
            {},
            r"resolution is \(40, 4, 4\) but voxel_size is \(1, 1, 1\)",
        ),
        ({"resolution": [4, 4]}, {}, "voxel size is .* of which 3 are of space"),
        ({"resolution": [4, 4, 0]}, {}, "positive"),
        ({"resolution": ["4", 4, 4]}, {}, "finite numbers"),
        ({"resolution": [4, 4, float("nan")]}, {}, "finite numbers"),
        ({"resolution": [4, 4, 4], "units": "furlong"}, {}, "unit 'furlong' is unknown"),
        ({"resolution": [4, 4, 4], "units": ["nm", "nm", "um"]}, {}, "different units"),
        ({"resolution": [4, 4, 4], "axis_names": ["t", "y", "x"]}, {}, "3 points in time"),
        ({"resolution": [4, 4, 4], "axis_names": ["z", "y", "y"]}, {}, "none twice"),
        ({"resolution": [4, 4, 4], "axis_names": ["a", "b", "x"]}, {}, "each must be one of"),
        (
            {"resolution": [4, 4, 8], "axis_names": ["x", "y", "z"]},
            {"axes": "zyx"},
            r"can be used \(it names",
        ),
        (
            {"resolution": [4, 4, 4], "axis_names": ["z", "y", "x"]},
            {"axes": "xy"},
            "each must be one of",
        ),
        ({"resolution": [4, 4, 4], "axis_names": ["c", "z", "x"]}, {}, "a volume has z y x"),
    ],
)  # fmt: skip
def test_is_refused(tmp_path, attributes, given, says) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        open_array(save(tmp_path, **attributes), "raw", **given)
    assert "a.zarr:raw" in str(caught.value)


def test_two_kinds_of_metadata_must_agree(tmp_path) -> None:
    path = save(tmp_path, resolution=[40, 4, 4])
    ome(path, scale=[0.04, 0.004, 0.008], unit="micrometer")
    with pytest.raises(
        ValueError,
        match=(
            r"attributes say voxel_size \(40.0, 4.0, 4.0\), its OME-Zarr metadata \(40.0, 4.0, "
            r"8.0\)"
        ),
    ):
        open_array(path, "raw")


def test_config_fills_what_the_file_does_not_say(tmp_path) -> None:
    array = open_array(
        save(tmp_path), "raw", voxel_size=(5.24, 4, 4), offset=(10.48, 0, 4), axes="xyz"
    )
    assert (array.voxel_size, array.offset, array.shape) == (
        (5.24, 4, 4),
        Coordinate(2, 0, 1),
        (5, 4, 3),
    )
    array = open_array(
        save(tmp_path, axis_names=["d0", "d1", "d2"]), "raw", voxel_size=(1, 1, 1), axes="zyxc"
    )
    assert array.shape == (3, 4, 5)


def test_config_names_axes_of_those_that_do_not_say(tmp_path) -> None:
    path = save(tmp_path, DATA[None], resolution=[1, 1, 1], axis_names=["c", "z", "y", "x"])
    assert open_array(path, "raw", axes="zyx").axes == ("c", "z", "y", "x")


def test_four_axes_need_names(tmp_path) -> None:
    path = save(tmp_path, np.zeros((2, 3, 4, 5), np.uint8), resolution=[1, 1, 1])
    with pytest.raises(ValueError, match=r"axes='czyx' or 'zyxc'"):
        open_array(path, "raw")
    assert open_array(path, "raw", axes="zyxc").channels == 5
    for data in (DATA[None], DATA[..., None]):
        array = open_array(save(tmp_path, data, resolution=[1, 1, 1]), "raw").without_channel()
        np.testing.assert_array_equal(array.read(array.roi), DATA)


def test_damaged_metadata_is_named(tmp_path) -> None:
    path = save(tmp_path, resolution=[1, 1, 1])
    (path / ".zattrs").write_text("{broken")
    with pytest.raises(ValueError, match=r"\.zattrs is damaged"):
        open_array(path, "raw")
    (path / ".zattrs").unlink()
    (path / "raw" / ".zarray").write_text(json.dumps({"zarr_format": 2}))
    with pytest.raises(ValueError, match="cannot be opened"):
        open_array(path, "raw")


@given(
    counts=st.lists(st.integers(-(2**40), 2**40), min_size=3, max_size=3),
    sizes=st.lists(
        st.decimals(min_value="0.01", max_value=1000, places=2).map(float), min_size=3, max_size=3
    ),
)
def test_offsets_survive_nanometres(counts, sizes) -> None:
    assert whole_voxels(lengths(counts, sizes), sizes) == Coordinate(counts)


def test_a_float32_keeps_its_decimal() -> None:
    assert float(exact(np.float32(5.24))) == 5.24
