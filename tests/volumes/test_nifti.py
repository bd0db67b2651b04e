"""NIfTI files and folders of them, written by hand as the format's header files say."""

import gzip
import json
import os
import struct

import numpy as np
import pytest
from format_writers import nifti

from lsd.spec import Volume
from lsd.volumes.array import open_array
from lsd.volumes.containers import format_of
from lsd.volumes.volume import open_volume

RNG = np.random.default_rng(0)
DATA = RNG.integers(0, 200, (5, 6, 7)).astype(np.uint8)
MICRONS = 3


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "f4", "u8"])
def test_voxels_are_z_y_x(tmp_path, name, order, version, dtype) -> None:
    data = DATA.astype(dtype)
    sizes = (0.016, 0.016, 0.04)
    nifti(tmp_path / name, data, sizes=sizes, unit=MICRONS, order=order, version=version)
    array = open_array(tmp_path / name)
    assert array.voxel_size == (40, 16, 16)
    found = array.read(array.roi)
    assert found.dtype == data.dtype
    np.testing.assert_array_equal(found, data)


def test_what_nobody_knew_is_not_stated(tmp_path) -> None:
    nifti(tmp_path / "a.nii", DATA, sizes=(1, 1, 1), unit=2)
    with pytest.raises(ValueError, match="states no voxel size"):
        open_array(tmp_path / "a.nii")
    nifti(tmp_path / "a.nii", DATA, sizes=(1, 1, 2), unit=2)
    assert open_array(tmp_path / "a.nii").voxel_size == (2e6, 1e6, 1e6)
    nifti(tmp_path / "a.nii", DATA, sizes=(4, 4, 40), unit=0)
    assert open_array(tmp_path / "a.nii", voxel_size=(3, 2, 1)).voxel_size == (3, 2, 1)


def test_values_are_scaled_as_the_file_says(tmp_path) -> None:
    nifti(tmp_path / "a.nii.gz", DATA.astype("i2"), scaling=(0.5, -3))
    array = open_array(tmp_path / "a.nii.gz", voxel_size=(1, 1, 1))
    found = array.read(array.roi)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 0.5 * DATA - 3.0)


def test_planes_and_axes_of_one(tmp_path) -> None:
    nifti(tmp_path / "a.nii", DATA[0])
    assert open_array(tmp_path / "a.nii", voxel_size=(4, 4)).roi.shape == (6, 7)
    nifti(tmp_path / "b.nii", DATA[None])
    assert open_array(tmp_path / "b.nii", voxel_size=(1, 1, 1)).roi.shape == (5, 6, 7)


def test_refuses_in_words(tmp_path) -> None:
    nifti(tmp_path / "times.nii", np.stack([DATA, DATA]))
    with pytest.raises(ValueError, match=r"shape, x first, is \(7, 6, 5, 2\)"):
        open_array(tmp_path / "times.nii", voxel_size=(1, 1, 1))
    nifti(tmp_path / "a.nii", DATA)
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[70] = 128  # colours
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ValueError, match="datatype 128"):
        open_array(tmp_path / "a.nii", voxel_size=(1, 1, 1))
    (tmp_path / "b.nii.gz").write_bytes(b"\x1f\x8b no")
    with pytest.raises(ValueError, match="damaged NIfTI file"):
        open_array(tmp_path / "b.nii.gz")
    # a header of gzip, and then what it cannot unzip
    zipped = gzip.compress(bytes(content))
    (tmp_path / "b.nii.gz").write_bytes(zipped[:10] + b"\xff" * 200)
    with pytest.raises(ValueError, match="damaged NIfTI file"):
        open_array(tmp_path / "b.nii.gz")
    nifti(tmp_path / "short.nii.gz", DATA)
    whole = gzip.decompress((tmp_path / "short.nii.gz").read_bytes())
    (tmp_path / "short.nii.gz").write_bytes(gzip.compress(whole[:-9]))
    array = open_array(tmp_path / "short.nii.gz", voxel_size=(1, 1, 1))
    with pytest.raises(Exception, match="cut off"):
        array.read(array.roi)


def test_voxels_that_begin_in_the_header_are_refused(tmp_path) -> None:
    """Else bytes of the header would be read as voxels."""
    nifti(tmp_path / "a.nii", DATA)
    content = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<f", content, 108, 0.0)
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ValueError, match="voxels begin at byte 0 by its header, which is 348"):
        open_array(tmp_path / "a.nii", voxel_size=(1, 1, 1))


def test_a_file_that_is_cut_off_while_it_is_open_is_told(tmp_path) -> None:
    nifti(tmp_path / "a.nii", np.zeros((100, 100, 100), np.uint8))
    array = open_array(tmp_path / "a.nii", voxel_size=(1, 1, 1))
    assert not array.read(array.roi).any()
    os.truncate(tmp_path / "a.nii", 4096)
    with pytest.raises(ValueError, match=r"a.nii cannot be read.* cut off"):
        array.read(array.roi)


def test_a_folder_of_them_is_a_volume(tmp_path) -> None:
    folder = tmp_path / "z-1_y-2_x-3_1"
    folder.mkdir()
    labels = (DATA > 100).astype(np.uint8)
    nifti(folder / "z-1_y-2_x-3_1_raw.nii.gz", DATA)
    nifti(folder / "z-1_y-2_x-3_1_mask.nii.gz", labels)
    volume = Volume(path=str(folder), raw="raw", labels="mask", voxel_size=(40, 16, 16))
    opened = open_volume(volume, name="a", data_root=tmp_path)
    np.testing.assert_array_equal(opened.read_labels(opened.roi), labels)
    np.testing.assert_array_equal(opened.raw.read(opened.roi), DATA)
    # two that end so: neither is meant
    nifti(folder / "other_mask.nii.gz", labels)
    with pytest.raises(ValueError, match="holds no array 'mask'; it holds: other_mask, z-1"):
        open_volume(volume, name="a", data_root=tmp_path)
    by_name = volume.derive(labels="other_mask")
    assert open_volume(by_name, name="a", data_root=tmp_path).labels.dtype == np.uint8


def test_two_files_of_one_name_are_told(tmp_path) -> None:
    """As gunzip -k leaves them; one of them may have been edited since."""
    nifti(tmp_path / "raw.nii.gz", DATA)
    nifti(tmp_path / "raw.nii", DATA)
    with pytest.raises(ValueError, match=r"holds raw\.nii and raw\.nii\.gz"):
        open_array(tmp_path, "raw", voxel_size=(40, 16, 16))


@pytest.mark.parametrize(
    ("file", "content"),
    [("zarr.json", {"node_type": "group"}), ("attributes.json", {"n5": "2.0.0"}),
     ("info", {"scales": [{"key": "4_4_40"}]}), (".zgroup", {"zarr_format": 2})],
)  # fmt: skip
def test_a_file_of_them_beside_arrays_of_others(tmp_path, file, content) -> None:
    """The folder stays what it is."""
    nifti(tmp_path / "label.nii.gz", DATA)
    assert format_of(tmp_path).reads == "folder of NIfTI files"
    (tmp_path / file).write_text(json.dumps(content))
    assert format_of(tmp_path).reads != "folder of NIfTI files"


def test_labels_in_a_file_of_their_own(tmp_path) -> None:
    nifti(tmp_path / "raw.nii.gz", DATA)
    nifti(tmp_path / "label.nii.gz", DATA)
    volume = Volume(path="raw.nii.gz", labels="label.nii.gz:", voxel_size=(40, 16, 16))
    opened = open_volume(volume, name="a", data_root=tmp_path)
    np.testing.assert_array_equal(opened.read_labels(opened.roi), DATA)
    (tmp_path / "label.nii.gz").unlink()
    with pytest.raises(ValueError, match=r"there is no .*label\.nii\.gz"):
        open_volume(volume, name="a", data_root=tmp_path)
