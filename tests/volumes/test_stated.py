"""Voxel sizes that programs state in their own ways: ImageJ, OME, COSEM, N5 viewers, groups around
an array."""

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from lsd.volumes.array import open_array
from lsd.volumes.units import lengths

DATA = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)


def imagej(
    path, *, resolution=(250, 125), lines=("slices=3", "unit=um", "spacing=0.05"), unit=None
):
    """As ImageJ itself writes it."""
    text = "\n".join(["ImageJ=1.54f", "images=3", *lines, ""])
    tifffile.imwrite(
        path,
        DATA,
        photometric="minisblack",
        description=text,
        metadata=None,
        resolution=resolution,
        resolutionunit=unit,
    )
    return path


@pytest.mark.parametrize(
    ("resolution", "lines", "size"),
    [
        ((250, 125), ("slices=3", "unit=um", "spacing=0.05"), (50, 8, 4)),
        ((250, 125), ("slices=3", "unit=micron", "spacing=0.05"), (50, 8, 4)),
        ((250, 125), ("slices=3", "unit=\\u00B5m", "spacing=0.05"), (50, 8, 4)),
        ((0.25, 0.25), ("slices=3", "unit=nm", "spacing=30.5"), (30.5, 4, 4)),
        ((1 / 5.24, 1 / 5.24), ("slices=3", "unit=nm", "spacing=40"), (40, 5.24, 5.24)),
        ((250000, 250000), ("slices=3", "unit=mm", "spacing=5e-05"), (50, 4, 4)),
        ((250, 250), ("unit=um", "spacing=0.05"), (50, 4, 4)),
    ],
)
def test_imagej(tmp_path, resolution, lines, size) -> None:
    array = open_array(imagej(tmp_path / "a.tif", resolution=resolution, lines=lines))
    assert array.voxel_size == pytest.approx(size, rel=1e-6)
    np.testing.assert_array_equal(array.read(array.roi), DATA)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("slices=3", "spacing=0.05"), "can be used .z is 0.05 without a unit."),
        (("slices=3", "unit=pixel", "spacing=1.0"), "can be used .z is 1 pixel."),
        (("slices=3", "unit=inch"), "can be used .y is .* inch."),
        (("slices=3", "unit=um"), r"can be used \(of y 8 nm, x 4 nm only\)"),
        (("slices=3", "unit=um", "spacing=-0.05"), "voxel sizes are positive"),
        (("slices=3", "unit=furlong", "spacing=0.05"), "unit 'furlong' is unknown"),
        (("slices=3", "unit=um", "spacing=nan"), "finite numbers"),
    ],
)
def test_imagej_that_says_less(tmp_path, lines, says) -> None:
    path = imagej(tmp_path / "a.tif", lines=lines)
    with pytest.raises(ValueError, match=rf"a\.tif: .*{says}"):
        open_array(path)
    assert open_array(path, voxel_size=(50, 8, 4)).voxel_size == (50, 8, 4)


@pytest.mark.parametrize(
    "unit", [None, "nm", "\N{MICRO SIGN}m", "mm", "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}"]
)
def test_ome_tiff(tmp_path, unit) -> None:
    nm = {None: 1000, "nm": 1, "\N{MICRO SIGN}m": 1000, "mm": 10**6}.get(unit, 0.1)
    sizes = {f"PhysicalSize{axis}": value / nm for axis, value in (("Z", 40), ("Y", 8), ("X", 4))}
    units = {f"{key}Unit": unit for key in sizes} if unit else {}
    tifffile.imwrite(tmp_path / "a.ome.tif", DATA, metadata={"axes": "ZYX", **sizes, **units})
    array = open_array(tmp_path / "a.ome.tif")
    assert array.voxel_size == (40, 8, 4)
    np.testing.assert_array_equal(array.read(array.roi), DATA)


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"PhysicalSizeX": 4, "PhysicalSizeXUnit": "nm"}, r"of x 4 nm only"),
        (
            {
                f"PhysicalSize{axis}{end}": value
                for axis in "XYZ"
                for end, value in (("", 1), ("Unit", "pixel"))
            },
            "z is 1 pixel",
        ),
        ({"PhysicalSizeX": 0, "PhysicalSizeY": 4, "PhysicalSizeZ": 4}, "voxel sizes are positive"),
        ({}, "states no voxel size"),
    ],
)
def test_ome_tiff_that_says_less(tmp_path, metadata, says) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", DATA, metadata={"axes": "ZYX", **metadata})
    with pytest.raises(ValueError, match=says):
        open_array(tmp_path / "a.ome.tif")


def test_printers_are_no_microscopes(tmp_path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        DATA,
        photometric="minisblack",
        resolution=(72, 72),
        resolutionunit="INCH",
    )
    with pytest.raises(ValueError, match="states no voxel size"):
        open_array(tmp_path / "a.tif")


TRANSFORM = {
    "axes": ["z", "y", "x"],
    "scale": [5.24, 4.0, 4.0],
    "translate": [10.48, 2.0, 0.0],
    "units": ["nm"] * 3,
}


def save(folder, name="s0", group=None, **attributes):
    zarr.open_group(str(folder / "a.zarr"), mode="a")
    zarr.open_group(str(folder / "a.zarr" / "em"), mode="a").attrs.update(group or {})
    array = zarr.open_array(
        str(folder / "a.zarr" / "em" / name), mode="w", shape=DATA.shape, dtype="u1"
    )
    array[...] = DATA
    array.attrs.update(attributes)
    return folder / "a.zarr"


@pytest.mark.parametrize(
    "attributes",
    [
        {"transform": TRANSFORM},
        {"transform": TRANSFORM, "pixelResolution": {"dimensions": [4.0, 4.0, 5.24], "unit": "nm"}},
        {
            "transform": {
                **TRANSFORM,
                "scale": [0.00524, 0.004, 0.004],
                "translate": [0.01048, 0.002, 0],
                "units": ["um"] * 3,
            }
        },
        {
            "pixelResolution": {"dimensions": [0.004, 0.004, 0.00524], "unit": "um"},
            "offset": [10.48, 2, 0],
        },
        {"pixelResolution": [4.0, 4.0, 5.24], "offset": [10.48, 2, 0]},
        {"element_size_um": [0.00524, 0.004, 0.004], "offset": [10.48, 2, 0]},
    ],
)
def test_cosem_and_others(tmp_path, attributes) -> None:
    array = open_array(save(tmp_path, **attributes), "em/s0")
    assert array.voxel_size == (5.24, 4, 4)
    assert lengths(array.offset, array.voxel_size, array.remainder) == (10.48, 2, 0)


def test_cosem_names_the_axes(tmp_path) -> None:
    transform = {
        "axes": ["x", "y", "z"],
        "scale": [4, 5, 6],
        "translate": [0, 0, 0],
        "units": ["nm"] * 3,
    }
    array = open_array(save(tmp_path, transform=transform), "em/s0")
    assert (array.shape, array.voxel_size) == ((5, 4, 3), (6, 5, 4))
    other = {**transform, "order": "F"}
    assert open_array(save(tmp_path, transform=other), "em/s0").voxel_size == (6, 5, 4)
    assert open_array(save(tmp_path, transform=other), "em/s0").shape == DATA.shape


def test_multiscales_of_cosem(tmp_path) -> None:
    entry = {"name": "em", "datasets": [{"path": "s0", "transform": TRANSFORM}]}
    path = save(tmp_path, group={"multiscales": [entry]})
    for name in ("em", "em/s0"):
        assert open_array(path, name).voxel_size == (5.24, 4, 4)


def test_two_ways_must_agree(tmp_path) -> None:
    path = save(tmp_path, transform=TRANSFORM, resolution=[4, 4, 5.24])
    with pytest.raises(
        ValueError, match=r"resolution is \(4, 4, 5.24\) but transform is \(5.24, 4.0, 4.0\) nm"
    ):
        open_array(path, "em/s0")


@pytest.mark.parametrize("level", ["raw", "s0", "0"])
def test_resolution_of_the_group(tmp_path, level) -> None:
    array = open_array(
        save(tmp_path, level, {"resolution": [5.24, 4, 4], "units": "nm"}), f"em/{level}"
    )
    assert array.voxel_size == (5.24, 4, 4)
    own = save(tmp_path, level, resolution=[40, 4, 4])
    assert open_array(own, f"em/{level}").voxel_size == (40, 4, 4)


@pytest.mark.parametrize("level", ["s1", "2", "scale3"])
def test_resolution_of_the_group_is_not_that_of_coarse_levels(tmp_path, level) -> None:
    with pytest.raises(ValueError, match="what its group says is of the finest level"):
        open_array(save(tmp_path, level, {"resolution": [5.24, 4, 4]}), f"em/{level}")


def test_resolution_of_a_group_of_hdf5(tmp_path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["volumes/raw"] = DATA
        file["volumes"].attrs["resolution"] = (5.24, 4.0, 4.0)
        file["volumes"].attrs["offset"] = (10.48, 4.0, 0.0)
    array = open_array(tmp_path / "a.h5", "volumes/raw")
    assert (array.voxel_size, tuple(array.offset)) == ((5.24, 4, 4), (2, 1, 0))


@pytest.mark.parametrize("unit", ["pixel", "px", "voxels"])
def test_pixels_are_no_lengths(tmp_path, unit) -> None:
    path = save(tmp_path, resolution=[1, 1, 1], units=[unit] * 3)
    with pytest.raises(ValueError, match=f"can be used .its unit is '{unit}'.*set voxel_size="):
        open_array(path, "em/s0")
    assert open_array(path, "em/s0", voxel_size=(40, 4, 4)).voxel_size == (40, 4, 4)


@pytest.mark.parametrize(
    "unit", ["angstrom", "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}", "\N{ANGSTROM SIGN}"]
)
def test_angstroms(tmp_path, unit) -> None:
    assert open_array(
        save(tmp_path, resolution=[52.4, 40, 40], units=unit), "em/s0"
    ).voxel_size == (5.24, 4, 4)


@pytest.mark.parametrize("prefix", ["d", "dim_", "phony_dim_"])
def test_numbered_axes_are_no_names(tmp_path, prefix) -> None:
    """As xarray and netCDF call what nobody named."""
    path = save(
        tmp_path, resolution=[40, 4, 5], _ARRAY_DIMENSIONS=[f"{prefix}{i}" for i in range(3)]
    )
    assert open_array(path, "em/s0").voxel_size == (40, 4, 5)


@pytest.mark.parametrize("names", ["zyx", "xyz", "tczyx"])
def test_axes_of_ome_zarr_0_3_are_words(tmp_path, names) -> None:
    data = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    stored = data.T if names == "xyz" else data.reshape((1,) * (len(names) - 3) + data.shape)
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    group.create_dataset("0", data=stored)
    group.attrs["multiscales"] = [
        {"version": "0.3", "axes": list(names), "datasets": [{"path": "0"}]}
    ]
    array = open_array(tmp_path / "a.zarr", voxel_size=(40, 4, 4))
    np.testing.assert_array_equal(array.read(array.roi).reshape(data.shape), data)


@pytest.mark.parametrize("shape", [(20, 22), (3, 20, 22)])
def test_sections_that_were_appended_one_by_one(tmp_path, shape) -> None:
    """They are a stack; several stacks are not."""
    data = np.random.default_rng(0).integers(0, 256, (4, *shape)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for part in data:
            file.write(part, photometric="minisblack")
    if len(shape) == 3:
        with pytest.raises(ValueError, match="it holds 4 images; a volume is one"):
            open_array(tmp_path / "a.tif", voxel_size=(40, 4, 4))
        return
    array = open_array(tmp_path / "a.tif", voxel_size=(40, 4, 4))
    np.testing.assert_array_equal(array.read(array.roi), data)


def test_channels_that_are_sections_are_told_how(tmp_path) -> None:
    data = np.zeros((18, 20, 22), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "CYX"})
    array = open_array(tmp_path / "a.tif", voxel_size=(4, 4))
    with pytest.raises(ValueError, match=r"18 channels; .*saved as channels: say axes='zyx'"):
        array.without_channel()


@pytest.mark.parametrize(
    "value", [[40.0, -4.0, 4.0], [40, 0, 4], [b"40", b"4", b"4"], [np.nan, 4, 4]]
)
def test_values_of_hdf5_are_shown_as_numbers(tmp_path, value) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", data=np.zeros((3, 4, 5), np.uint8)).attrs["resolution"] = (
            np.array(value)
        )
    with pytest.raises(ValueError, match=r"its resolution is \[(nan|[-'0-9., ])+\]; "):
        open_array(tmp_path / "a.h5", "raw")
