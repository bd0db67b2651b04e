"""Arrays that are written: metadata for every reader, and no way to lose what is there."""

import json
import shutil

import numpy as np
import pytest
import zarr
from funlib.geometry import Roi
from iohub.ngff.models import ImagesMeta
from numcodecs import Zstd

from lsd.volumes import containers
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array, has_array, refuse_same, remove_array
from lsd.volumes.metadata import image_attributes, plain_attributes

ROI = Roi((3, -2, 10), (10, 20, 30))
SIZE = (5.24, 4.0, 4.0)


def create(path, name="volumes/affs", **options):
    return create_array(
        path, name, **{"roi": ROI, "voxel_size": SIZE, "dtype": "u1", "channels": 3, **options}
    )


def test_plain_zarr_reads_it(tmp_path) -> None:
    data = np.random.default_rng(0).integers(0, 255, (3, 10, 20, 30), dtype=np.uint8)
    create(tmp_path / "a.zarr", attributes={"made_by": "test"}).write(data, ROI)
    root = zarr.open(str(tmp_path / "a.zarr"), mode="r")
    array = root["volumes/affs/0"]
    np.testing.assert_array_equal(array[...], data)
    assert array.filters is None  # viewers know compressors, not filters
    stored = json.loads((tmp_path / "a.zarr" / "volumes" / "affs" / "0" / ".zarray").read_text())
    assert stored["compressor"] == {"id": "zstd", "level": 1}, "words that all readers know"
    assert dict(array.attrs) == {
        "axis_names": ["c", "z", "y", "x"],
        "resolution": [5.24, 4.0, 4.0],
        "voxel_size": [5.24, 4.0, 4.0],
        "offset": [15.72, -8.0, 40.0],
        "units": ["nm", "nm", "nm"],
        "types": ["channel", "space", "space", "space"],
        "_ARRAY_DIMENSIONS": ["c", "z", "y", "x"],
        "dimension_units": ["", "5.24 nm", "4.0 nm", "4.0 nm"],
        "made_by": "test",
    }


def test_each_array_is_an_image_of_its_own(tmp_path) -> None:
    create(tmp_path / "a.zarr")
    create(tmp_path / "a.zarr", "volumes/mask", channels=None, labels=True)
    create(tmp_path / "a.zarr", "volumes/affs", overwrite=True)
    for folder in ("a.zarr", "a.zarr/volumes"):
        assert (tmp_path / folder / ".zgroup").exists()
        assert not (tmp_path / folder / ".zattrs").exists(), (
            "a viewer would open the first of several"
        )
    for name, channels in (("affs", 1), ("mask", 0)):
        attributes = json.loads((tmp_path / "a.zarr" / "volumes" / name / ".zattrs").read_text())
        [image] = ImagesMeta.model_validate(attributes).multiscales
        assert (image.name, image.version) == (name, "0.4")
        assert [(axis.name, axis.type) for axis in image.axes] == [
            *[("c", "channel")] * channels, ("z", "space"), ("y", "space"), ("x", "space"),
        ]  # fmt: skip
        assert [axis.unit for axis in image.axes if axis.type == "space"] == ["nanometer"] * 3
        scale, translation = image.datasets[0].coordinate_transformations
        assert scale.scale == [1] * channels + [5.24, 4, 4]
        assert translation.translation == [0] * channels + [15.72, -8, 40]
        assert ("image-label" in attributes) == (name == "mask")


@pytest.mark.parametrize("lost", ["array", "group"])
def test_each_kind_of_metadata_is_enough(tmp_path, lost) -> None:
    create(tmp_path / "a.zarr")
    (
        tmp_path / "a.zarr" / "volumes" / ("affs/0/.zattrs" if lost == "array" else "affs/.zattrs")
    ).unlink()
    for name in ("volumes/affs", "volumes/affs/0"):
        array = open_array(tmp_path / "a.zarr", name)
        assert (array.voxel_size, array.roi, array.axes) == (SIZE, ROI, ("c", "z", "y", "x"))


def test_an_array_whose_maker_was_killed_is_completed(tmp_path) -> None:
    create(tmp_path / "a.zarr", attributes={"settings": 3})
    (tmp_path / "a.zarr" / "volumes" / "affs" / "0" / ".zattrs").unlink()
    create(tmp_path / "a.zarr", attributes={"settings": 3})
    assert zarr.open(str(tmp_path / "a.zarr"))["volumes/affs/0"].attrs["settings"] == 3
    shutil.rmtree(tmp_path / "a.zarr" / "volumes" / "affs" / "0")
    assert create(tmp_path / "a.zarr").roi == ROI


def plain(path, name, data, *, offset=(15.72, -8.0, 40.0)):
    """An array as versions before wrote it: in its group, several images, with a word for the
    checksum."""
    zarr.open_group(str(path), mode="a")
    array = zarr.open_array(
        str(path / name), mode="w", shape=data.shape, chunks=data.shape, dtype=data.dtype,
        fill_value=None,
        compressor=Zstd(level=1, checksum=True), dimension_separator="/",
    )  # fmt: skip
    axes = ("z", "y", "x")
    array.attrs.put(plain_attributes(axes, SIZE, offset))
    [entry] = image_attributes(name.rpartition("/")[2], axes, SIZE, offset, labels=False)[
        "multiscales"
    ]
    entry["datasets"][0]["path"] = entry["name"]
    above = zarr.open_group(str((path / name).parent), mode="a")
    above.attrs["multiscales"] = [*above.attrs.get("multiscales", []), entry]
    array[...] = data
    return array


def test_arrays_of_earlier_versions_are_read_and_gone_on_with(tmp_path) -> None:
    data = np.random.default_rng(0).integers(0, 255, (10, 20, 30), dtype=np.uint8)
    for name in ("raw", "segmentation/0.4", "segmentation/0.5"):
        plain(tmp_path / "a.zarr", name, data)
    assert containers.array_names(tmp_path / "a.zarr") == [
        "raw",
        "segmentation/0.4",
        "segmentation/0.5",
    ]
    again = create(tmp_path / "a.zarr", "segmentation/0.4", channels=None, chunks=data.shape)
    np.testing.assert_array_equal(again.read(ROI), data)
    again.write(data + np.uint8(1), ROI)
    stored = json.loads((tmp_path / "a.zarr" / "segmentation" / "0.4" / ".zarray").read_text())
    assert stored["compressor"]["checksum"] is True
    np.testing.assert_array_equal(
        open_array(tmp_path / "a.zarr", "segmentation/0.4").read(ROI), data + np.uint8(1)
    )
    with pytest.raises(ValueError, match="dtype uint8 there, uint64 asked for"):
        create(
            tmp_path / "a.zarr", "segmentation/0.4", channels=None, chunks=data.shape, dtype="u8"
        )
    # metadata follow the arrays, also those of before
    remove_array(tmp_path / "a.zarr", "segmentation/0.4")
    left = json.loads((tmp_path / "a.zarr" / "segmentation" / ".zattrs").read_text())["multiscales"]
    assert [image["name"] for image in left] == ["0.5"]
    create(tmp_path / "a.zarr", "segmentation/0.5", channels=None, overwrite=True).write(data, ROI)
    assert not json.loads((tmp_path / "a.zarr" / "segmentation" / ".zattrs").read_text())[
        "multiscales"
    ]
    assert containers.array_names(tmp_path / "a.zarr") == ["raw", "segmentation/0.5"]
    assert not has_array(tmp_path / "a.zarr", "segmentation/0.4")
    assert has_array(tmp_path / "a.zarr", "segmentation/0.5")
    assert not has_array(tmp_path / "b.zarr", "segmentation/0.5")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_readers_find_their_metadata(tmp_path) -> None:
    from funlib.persistence import open_ds

    create(tmp_path / "a.zarr", "affs", voxel_size=(40, 4, 4))
    ds = open_ds(str(tmp_path / "a.zarr" / "affs" / "0"))
    assert (ds.axis_names, ds.units, ds.types[0]) == (["c", "z", "y", "x"], ["nm"] * 3, "channel")
    assert tuple(ds.voxel_size) == (40, 4, 4)
    assert tuple(ds.roi.offset) == (120, -8, 40)


@pytest.mark.parametrize(
    ("options", "chunks"),
    [
        ({}, (3, 10, 20, 30)),
        ({"roi": Roi((0, 0, 0), (200, 200, 200))}, (3, 64, 64, 64)),
        ({"roi": Roi((0, 0, 0), (200, 200, 200)), "channels": 100}, (64, 64, 64, 64)),
        ({"roi": Roi((0, 0), (900, 90)), "voxel_size": (4, 4), "channels": None}, (512, 90)),
        ({"chunks": (5, 6, 7)}, (3, 5, 6, 7)),
        ({"chunks": (1, 5, 6, 7)}, (1, 5, 6, 7)),
    ],
)
def test_chunks(tmp_path, options, chunks) -> None:
    assert create(tmp_path / "a.zarr", **options).source.chunks == chunks


def test_the_same_array_is_opened_as_it_is(tmp_path) -> None:
    data = np.ones((3, 10, 20, 30), np.uint8)
    create(tmp_path / "a.zarr").write(data, ROI)
    np.testing.assert_array_equal(create(tmp_path / "a.zarr").read(ROI), data)
    assert create(tmp_path / "a.zarr", overwrite=True, fill=0).read(ROI).sum() == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"roi": Roi((3, -2, 10), (10, 20, 31))},
            r"shape \(3, 10, 20, 30\) there, \(3, 10, 20, 31\) asked for",
        ),
        ({"roi": Roi((0, -2, 10), (10, 20, 30))}, "roi .* there"),
        ({"dtype": "f4"}, "dtype uint8 there, float32 asked for"),
        ({"voxel_size": (5, 4, 4)}, "voxel size"),
        ({"chunks": (5, 5, 5)}, "chunks"),
        ({"name": "volumes"}, "is a group of arrays"),
        ({"name": "volumes/affs/more"}, "is an array, it cannot hold"),
        ({"name": ""}, "needs a name"),
        ({"name": "new", "voxel_size": (4, 4)}, "a voxel size for each"),
        ({"name": "new", "chunks": (4, 4)}, "do not fit"),
    ],
)
def test_another_array_is_never_replaced(tmp_path, options, says) -> None:
    data = np.full((3, 10, 20, 30), 3, np.uint8)
    create(tmp_path / "a.zarr").write(data, ROI)
    with pytest.raises(ValueError, match=says):
        create(tmp_path / "a.zarr", **options)
    np.testing.assert_array_equal(open_array(tmp_path / "a.zarr", "volumes/affs").read(ROI), data)


def test_write_refuses_what_does_not_fit(tmp_path) -> None:
    array = create(tmp_path / "a.zarr", channels=None)
    with pytest.raises(ValueError, match=r"takes shape \(10, 20, 30\), got \(10, 20, 29\)"):
        array.write(np.zeros((10, 20, 29), np.uint8), ROI)
    with pytest.raises(ValueError, match="covers"):
        array.write(np.zeros((10, 20, 30), np.uint8), Roi((0, 0, 0), (10, 20, 30)))
    with pytest.raises(ValueError, match="holds uint8, got float32"):
        array.write(np.zeros((10, 20, 30), np.float32), ROI)
    with pytest.raises(AssertionError):
        open_array(tmp_path / "a.zarr", "volumes/affs").write(np.zeros((10, 20, 30), np.uint8), ROI)


def test_output_is_no_input(tmp_path) -> None:
    source = tmp_path / "a.zarr"
    create(source)
    (tmp_path / "link").symlink_to(source)
    for output in (
        source,
        tmp_path / "link",
        tmp_path / "x" / ".." / "a.zarr",
        source / "prediction.zarr",
    ):
        with pytest.raises(ValueError, match="would be written into the input"):
            refuse_same(output, [tmp_path / "b.zarr", source])
    refuse_same(tmp_path / "a.zarr2", [source])
