"""Files of numpy: read in place, in any order of memory and bytes."""

import os

import numpy as np
import pytest

from lsd.volumes.array import open_array
from lsd.volumes.state import content

DATA = np.random.default_rng(0).integers(0, 2**64 - 1, (3, 4, 5), np.uint64)


@pytest.mark.parametrize("dtype", ["<u8", ">u8", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_parts_are_read(tmp_path, dtype, order) -> None:
    data = np.asarray(DATA.astype(dtype), order=order)
    np.save(tmp_path / "a.npy", data)
    array = open_array(tmp_path / "a.npy", voxel_size=(40, 4, 4), offset=(80, 0, -4))
    assert array.offset == (2, 0, -1)
    assert array.name == str(tmp_path / "a.npy")
    found = array.read(array.roi)
    np.testing.assert_array_equal(found, data)
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    part = array.roi.intersect(array.roi + array.roi.shape // 2)
    np.testing.assert_array_equal(array.read(part), data[1:, 2:, 2:])


def test_a_change_in_place_is_noticed(tmp_path) -> None:
    np.save(tmp_path / "a.npy", DATA)
    array = open_array(tmp_path / "a.npy", voxel_size=(1, 1, 1))
    before = content(array.source, array.layout.slices(array.roi))
    np.save(tmp_path / "a.npy", DATA[:, :, :4])
    again = open_array(tmp_path / "a.npy", voxel_size=(1, 1, 1))
    assert content(again.source, again.layout.slices(again.roi)) != before


def test_a_file_that_is_cut_off_while_it_is_open_is_told(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((100, 100, 100), np.uint8))
    array = open_array(tmp_path / "a.npy", voxel_size=(1, 1, 1))
    assert not array.read(array.roi).any()
    os.truncate(tmp_path / "a.npy", 4096)
    with pytest.raises(ValueError, match=r"a.npy cannot be read.* cut off"):
        array.read(array.roi)


def test_what_cannot_be_read_is_said(tmp_path) -> None:
    np.save(tmp_path / "a.npy", DATA)
    with pytest.raises(ValueError, match="states no voxel size"):
        open_array(tmp_path / "a.npy")
    with pytest.raises(ValueError, match="holds a single array, without a name, not 'raw'"):
        open_array(tmp_path / "a.npy", "raw", voxel_size=(1, 1, 1))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-9])
    with pytest.raises(ValueError, match=r"a.npy cannot be opened"):
        open_array(tmp_path / "a.npy", voxel_size=(1, 1, 1))
    np.save(tmp_path / "b.npy", np.array([[{}, 1]], object))
    with pytest.raises(ValueError, match=r"b.npy cannot be opened"):
        open_array(tmp_path / "b.npy", voxel_size=(1, 1))
