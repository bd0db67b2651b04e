"""lsd.open_volume: files of every kind by their path, with or without labels."""

import h5py
import numpy as np
import pytest
import tifffile
import zarr

import lsd

RAW = np.random.default_rng(0).integers(0, 256, (6, 20, 24), np.uint8)
LABELS = (1 + np.arange(24) // 6 + np.zeros((6, 20, 1))).astype(np.uint64)


def write_zarr(folder):
    group = zarr.open_group(str(folder / "v.zarr"), mode="w")
    for name, data in {"raw": RAW, "labels": LABELS}.items():
        group.create_dataset(name, data=data).attrs["resolution"] = [40, 4, 4]
    return folder / "v.zarr", {}


def write_hdf5(folder):
    with h5py.File(folder / "v.h5", "w") as file:
        for name, data in {"raw": RAW, "labels": LABELS}.items():
            file.create_dataset(name, data=data).attrs["resolution"] = [40, 4, 4]
    return folder / "v.h5", {}


def write_tiff(folder):
    tifffile.imwrite(folder / "raw.tif", RAW)
    tifffile.imwrite(folder / "labels.tif", LABELS.astype(np.uint16))
    return folder / "raw.tif", {
        "raw": lsd.spec.Volume.model_fields["raw"].default,
        "labels": f"{folder}/labels.tif:",
        "voxel_size": (40, 4, 4),
    }


@pytest.mark.parametrize("write", [write_zarr, write_hdf5, write_tiff])
def test_each_format(tmp_path, write) -> None:
    path, given = write(tmp_path)
    volume = lsd.open_volume(path, **({"raw": "raw", "labels": "labels"} | given))
    assert (volume.shape, volume.voxel_size, volume.offset) == (RAW.shape, (40, 4, 4), (0, 0, 0))
    np.testing.assert_array_equal(volume.raw[...], RAW)
    np.testing.assert_array_equal(volume.labels[2:4, :, 5], LABELS[2:4, :, 5])
    assert volume.labels_mask is None
    assert volume.known().all()
    assert "(6, 20, 24) uint8, voxels of 40 x 4 x 4 nm, labels" in repr(volume)


def test_a_part_of_a_volume(tmp_path, monkeypatch) -> None:
    """Raw and labels are of the same voxels; relative paths are those of the working folder."""
    write_zarr(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LSD_DATA", "/nowhere")
    volume = lsd.open_volume("v.zarr", "raw", "labels", region="1:4, :, 5:", unknown=2)
    np.testing.assert_array_equal(volume.raw[...], RAW[1:4, :, 5:])
    np.testing.assert_array_equal(volume.labels[...], LABELS[1:4, :, 5:])
    np.testing.assert_array_equal(volume.known(), LABELS[1:4, :, 5:] != 2)
    assert volume.offset == (1, 0, 5)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"raw": "nothing"}, "labels.*raw|raw.*labels"),
        ({"raw": "raw", "region": "5"}, "is no slice"),
        ({"raw": "raw", "voxel_sise": (1, 1, 1)}, "did you mean 'voxel_size'"),
        ({"raw": "raw", "sharpn": {}}, "no argument 'sharpn'; did you mean 'sharpen'"),
        ({"raw": "raw", "voxel_size": "10"}, "voxel_size"),
        ({"raw": "raw", "raw_range": 5}, "raw_range"),
        ({"raw": "raw", "labels": "raw", "labels_mask": "mask"}, "mask"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, given, says) -> None:
    path, _ = write_zarr(tmp_path)
    with pytest.raises(ValueError, match=says) as error:
        lsd.open_volume(path, **given)
    assert "\n" not in str(error.value)


def test_one_number_is_the_voxel_size_of_all_axes(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "raw.tif", RAW)
    assert lsd.open_volume(tmp_path / "raw.tif", voxel_size=8).voxel_size == (8, 8, 8)
    with pytest.raises(ValueError, match=r"nope\.tif"):
        lsd.open_volume(tmp_path / "nope.tif", voxel_size=8)
    with pytest.raises(ValueError, match="path is that of a zarr, N5, HDF5 or TIFF file, got 3"):
        lsd.open_volume(3)


def test_other_raw_wants_its_range(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "raw.tif", RAW.astype(np.uint16))
    with pytest.raises(ValueError, match=r"raw is uint16; .*raw_range=\(0, 65535\)"):
        lsd.open_volume(tmp_path / "raw.tif", voxel_size=(40, 4, 4))
    volume = lsd.open_volume(tmp_path / "raw.tif", voxel_size=(40, 4, 4), raw_range=(0, 255))
    assert volume.raw.dtype == np.uint16
