"""Levels of a file that are read where a volume has their scale."""

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
import zarr
from funlib.geometry import Roi
from scaled_arrays import SIZE, by_definition, covering, write

from lsd.spec import Format
from lsd.volumes.array import open_array
from lsd.volumes.create import announce_level, create_level
from lsd.volumes.formats.format import FileArray, FileFormat
from lsd.volumes.inputs import ArrayState
from lsd.volumes.scale import at_scale

DATA = np.random.default_rng(4).integers(100, 255, (5, 9, 12), dtype=np.uint8)


def with_level(path, name, data, begin, *, factor=(1, 2, 2), announce=True):
    """An array, and a level of it whose voxels tell that they were read."""
    write(path, name, data, begin, chunks=(4, 4, 4))
    level = create_level(path, name, 1, factor=factor)
    marked = np.full(level.roi.shape, 7, data.dtype)
    level.write(marked, level.roi)
    if announce:
        announce_level(path, name, 1)
    return open_array(path, name)


def reads_level(array, scale, how="mean"):
    coarse = at_scale(array, scale, how)
    assert coarse.roi == covering(array.roi.begin, array.roi.shape, scale)
    return bool((coarse.read(coarse.roi) == 7).all())


@pytest.mark.parametrize("how", ["mean", "majority"])
@pytest.mark.parametrize("begin", [(0, 0, 0), (3, -4, 2)])
def test_a_level_of_the_file_is_read_where_it_is_of_the_scale(tmp_path, begin, how):
    array = with_level(tmp_path / "v.zarr", "raw", DATA, begin)
    assert reads_level(array, (1, 2, 2), how)
    assert not reads_level(array, (1, 2, 4), how)
    assert not reads_level(array, (2, 2, 2), how)


def test_a_level_is_written_as_it_would_be_read(tmp_path):
    array = write(tmp_path / "v.zarr", "raw", DATA, (0, 0, 0))
    assert at_scale(array, (1, 2, 2), "mean").source.path == array.source.path
    level = create_level(tmp_path / "v.zarr", "raw", 1, factor=(1, 2, 2))
    made = at_scale(array, (1, 2, 2), "mean")
    level.write(made.read(made.roi), level.roi)
    announce_level(tmp_path / "v.zarr", "raw", 1)
    from_file = at_scale(open_array(tmp_path / "v.zarr", "raw"), (1, 2, 2), "mean")
    assert from_file.source.name == "raw/1"
    assert (from_file.roi, from_file.voxel_size) == (made.roi, made.voxel_size)
    assert from_file.remainder == made.remainder
    np.testing.assert_array_equal(from_file.read(made.roi), made.read(made.roi))


def test_masks_are_made_of_all_their_voxels_whatever_levels_hold(tmp_path):
    array = with_level(tmp_path / "v.zarr", "mask", DATA, (0, 0, 0))
    coarse = at_scale(array, (1, 2, 2), "all")
    assert (coarse.read(coarse.roi) == 1).all()


def test_a_level_that_nothing_names_is_not_read(tmp_path):
    array = with_level(tmp_path / "v.zarr", "raw", DATA, (0, 0, 0), announce=False)
    assert not reads_level(array, (1, 2, 2))


def test_an_array_that_begins_inside_of_a_voxel_is_read_itself(tmp_path, caplog):
    caplog.set_level("INFO")
    array = with_level(tmp_path / "v.zarr", "raw", DATA, (0, 1, 0))
    assert not reads_level(array, (1, 2, 2))
    assert "is not read as" in caplog.text
    assert "inside of one of that scale" in caplog.text


def edited(tmp_path, **changes):
    """An image of two levels, without plain attributes, whose metadata are changed."""
    path = tmp_path / "v.zarr"
    with_level(path, "raw", DATA, (0, 0, 0))
    for level in "01":
        zarr.open_array(str(path / "raw" / level), mode="r+").attrs.put({})
    group = zarr.open_group(str(path / "raw"), mode="r+")
    [image] = group.attrs["multiscales"]
    for key, value in changes.items():
        kind, level = key.rsplit("_", 1)
        steps = image["datasets"][int(level)]["coordinateTransformations"]
        kept = [step for step in steps if step["type"] != kind]
        added = [] if value is None else [{"type": kind, kind: value}]
        image["datasets"][int(level)]["coordinateTransformations"] = kept + added
    group.attrs["multiscales"] = [image]
    return path


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({}, True),
        # offsets of the corner, or none at all
        ({"translation_1": [0, 0, 0]}, True),
        ({"translation_0": None, "translation_1": None}, True),
        ({"translation_1": [0, 5.24, 0]}, False),
        ({"scale_1": [40, 10.48, 8.5]}, False),
        ({"scale_1": [80, 10.48, 8]}, False),
    ],
)
def test_a_level_is_trusted_where_it_says_what_it_is(tmp_path, changes, read):
    array = open_array(edited(tmp_path, **changes), "raw")
    assert reads_level(array, (1, 2, 2)) == read


def test_a_level_without_a_voxel_size_is_not_trusted(tmp_path):
    path = edited(tmp_path, scale_1=None, translation_1=None)
    assert not reads_level(open_array(path, "raw"), (1, 2, 2))


@pytest.mark.parametrize("how", ["mean", "majority"])
def test_what_a_level_lacks_at_its_end_is_made_of_the_array(tmp_path, how):
    """As of programs that leave the last voxel out where a shape is odd."""
    path = tmp_path / "v.zarr"
    with_level(path, "raw", DATA, (0, -2, 0))
    zarr.open_array(str(path / "raw" / "1"), mode="r+").resize(5, 4, 6)
    coarse = at_scale(open_array(path, "raw"), (1, 2, 2), how)
    assert coarse.roi == covering((0, -2, 0), DATA.shape, (1, 2, 2))
    expected = by_definition(DATA, (0, -2, 0), (1, 2, 2), how, coarse.roi)
    expected[:, :4] = 7
    np.testing.assert_array_equal(coarse.read(coarse.roi), expected)
    for y in range(5):
        part = Roi((1, y - 1, 2), (3, 1, 3))
        np.testing.assert_array_equal(coarse.read(part), expected[1:4, y : y + 1, 2:5])
    assert "raw/1 and, where that ends," in coarse.name

    def state():
        return ArrayState.of(coarse).content, ArrayState.of(
            coarse, Roi((0, -1, 0), (5, 2, 6))
        ).content

    before = state()
    assert state() == before
    fine = open_array(path, "raw", writable=True)
    fine.write(DATA[:4, 8:9, :4], Roi((0, 6, 0), (4, 1, 4)))
    assert (state()[0] != before[0], state()[1] != before[1]) == (True, False)
    before = state()
    level = open_array(path, "raw/1", writable=True)
    level.write(np.full((4, 4, 4), 7, np.uint8), Roi(level.roi.begin, (4, 4, 4)))
    assert (state()[0] != before[0], state()[1] != before[1]) == (True, True)
    (path / "raw" / "1" / "0" / "0" / "0").unlink()
    with pytest.raises(ValueError, match="raw/1/0/0/0 was never written"):
        coarse.read(coarse.roi)


def test_a_level_that_lacks_more_is_not_read(tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "v.zarr"
    with_level(path, "raw", DATA, (0, 0, 0))
    zarr.open_array(str(path / "raw" / "1"), mode="r+").resize(5, 3, 6)
    assert not reads_level(open_array(path, "raw"), (1, 2, 2))
    assert "(5, 3, 6) voxels, and (5, 5, 6) are all of them" in caplog.text


def test_a_voxel_size_of_the_config_does_not_hide_levels(tmp_path):
    with_level(tmp_path / "v.zarr", "raw", DATA, (0, 0, 0))
    array = open_array(tmp_path / "v.zarr", "raw", voxel_size=(40, 4, 4))
    coarse = at_scale(array, (1, 2, 2), "mean")
    assert coarse.source.name == "raw/1"
    assert coarse.voxel_size == (40, 8, 8)


def test_a_level_as_a_container_of_its_own_is_read_itself(tmp_path):
    """Levels beside it lie in no container that is named."""
    with_level(tmp_path / "v.zarr", "raw", DATA, (0, 0, 0))
    array = open_array(tmp_path / "v.zarr" / "raw" / "0")
    coarse = at_scale(array, (1, 2, 2), "mean")
    expected = by_definition(DATA, (0, 0, 0), (1, 2, 2), "mean", coarse.roi)
    np.testing.assert_array_equal(coarse.read(coarse.roi), expected)


def test_an_array_whose_levels_cannot_be_read_is_read_itself(tmp_path):
    """As without a scale, where the config says all that the file should."""
    with_level(tmp_path / "v.zarr", "raw", DATA, (0, 0, 0))
    group = zarr.open_group(str(tmp_path / "v.zarr" / "raw"), mode="r+")
    group.attrs["multiscales"] = [{"datasets": []}]
    array = open_array(tmp_path / "v.zarr", "raw/0", voxel_size=SIZE, offset=(0, 0, 0), axes="zyx")
    assert not reads_level(array, (1, 2, 2))


class Pyramid(Format):
    """Arrays of one .npz file whose names end with how many voxels they join."""

    kind: Literal["pyramid_of_a_test"] = "pyramid_of_a_test"
    behaviour: ClassVar[str] = f"{__name__}:PyramidFormat"


class PyramidFormat(FileFormat[Pyramid]):
    reads = "pyramid"

    def claims(self, path: Path) -> bool:
        return path.name.endswith(".pyramid.npz")

    def names(self, path: Path) -> list[str]:
        with np.load(path) as file:
            return list(file.files)

    def levels(self, path: Path, name: str) -> list[str]:
        return [other for other in self.names(path) if other != name]

    def open(self, path: Path, name: str) -> FileArray:
        with np.load(path) as file:
            factor = [int(digit) for digit in name.split("_")[1]]
            attrs = {"resolution": (np.array(SIZE) * factor).tolist()}
            return FileArray(file[name], files=[path], attrs=attrs)


def test_levels_of_a_format_of_ones_own(tmp_path):
    path = tmp_path / "v.pyramid.npz"
    marked = np.full((5, 5, 6), 7, np.uint8)
    np.savez(path, raw_111=DATA, raw_122=marked)
    array = open_array(path, "raw_111")
    assert reads_level(array, (1, 2, 2))
    assert not reads_level(array, (1, 2, 3))
