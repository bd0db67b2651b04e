"""Chunks that are lost, cut or flipped: an error that names them, never other voxels."""

import gzip
import json
import resource
import struct

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from funlib.geometry import Roi
from numcodecs import Blosc, Zstd

from lsd.arrays.skeletons import Skeletons
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.skeletons import read_skeletons, write_skeletons

ROI = Roi((0, 0, 0), (16, 16, 16))
# what real arrays are like: labels compress well, raw hardly
ARRAYS = {
    "labels": np.repeat(
        np.random.default_rng(0).integers(0, 2**63, 64, dtype=np.uint64), 64
    ).reshape(16, 16, 16),
    "raw": np.random.default_rng(0).normal(128, 9, (16, 16, 16)).astype(np.uint8),
}


def flip(file, bit: int, good: bytes) -> None:
    bad = bytearray(good)
    bad[bit // 8] ^= 1 << bit % 8
    file.write_bytes(bad)


@pytest.mark.parametrize("again", [False, True], ids=["made", "opened again"])
@pytest.mark.parametrize("kind", ARRAYS)
def test_no_flipped_bit_is_silent(tmp_path, kind, again) -> None:
    """The checksum is in the frame, whatever the metadata say, and whoever writes."""
    data = ARRAYS[kind]
    array = create_array(tmp_path / "a.zarr", kind, roi=ROI, voxel_size=(1, 1, 1), dtype=data.dtype)
    array = open_array(tmp_path / "a.zarr", kind, writable=True) if again else array
    array.write(data, ROI)
    file = tmp_path / "a.zarr" / kind / "0" / "0" / "0" / "0"
    good = file.read_bytes()
    bits = np.unique(
        np.r_[
            :200,
            len(good) * 8 - 64 : len(good) * 8,
            np.random.default_rng(1).integers(0, len(good) * 8, 300),
        ]
    )
    refused = 0
    for bit in bits[bits < len(good) * 8]:
        flip(file, bit, good)
        try:
            np.testing.assert_array_equal(
                array.read(ROI), data
            )  # a bit of the frame header that nothing depends on
        except ValueError as error:
            refused += str(file) in str(error)
    assert refused > 0.97 * len(bits)


@pytest.mark.parametrize(
    "compressor", [Blosc(), Blosc("zstd", shuffle=Blosc.BITSHUFFLE), Zstd(), None], ids=str
)
def test_truncated_chunk_of_any_zarr(tmp_path, compressor) -> None:
    data = ARRAYS["raw"]
    stored = zarr.open_array(
        str(tmp_path / "a.zarr"),
        mode="w",
        shape=data.shape,
        chunks=(8, 8, 8),
        dtype="u1",
        compressor=compressor,
    )
    stored[...] = data
    file = tmp_path / "a.zarr" / "1.0.1"
    good = file.read_bytes()
    array = open_array(tmp_path / "a.zarr", voxel_size=(1, 1, 1))
    for size in (0, 1, 10, len(good) // 2, len(good) - 1):
        file.write_bytes(good[:size])
        with pytest.raises(ValueError, match=r"1\.0\.1"):
            array.read(ROI)
        np.testing.assert_array_equal(array.read(Roi((0, 0, 0), (8, 16, 16))), data[:8])


def test_damaged_hdf5_chunk(tmp_path) -> None:
    data = ARRAYS["raw"]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("raw", data=data, chunks=(8, 8, 8), compression="gzip")
        dataset.attrs["resolution"] = (1, 1, 1)
        place = next(
            dataset.id.get_chunk_info(i)
            for i in range(8)
            if dataset.id.get_chunk_info(i).chunk_offset == (8, 0, 8)
        )
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[place.byte_offset + place.size // 2] ^= 1
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(ValueError, match=r"chunk 1\.0\.1 of .*a\.h5:raw cannot be read"):
        open_array(tmp_path / "a.h5", "raw").read(ROI)
    (tmp_path / "a.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a\.h5.*damaged"):
        open_array(tmp_path / "a.h5", "raw")


def test_damaged_tiff(tmp_path) -> None:
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, ARRAYS["raw"], photometric="minisblack", compression="zlib")
    good = file.read_bytes()
    with tifffile.TiffFile(file) as opened:
        place = opened.pages[5].dataoffsets[0]
    flip(file, (place + 60) * 8, good)
    with pytest.raises(ValueError, match=r"chunk 5\.0\.0 of .*a\.tif cannot be read"):
        open_array(file, voxel_size=(1, 1, 1)).read(ROI)
    tifffile.imwrite(file, ARRAYS["raw"], photometric="minisblack", metadata=None)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"a\.tif"):
        open_array(file, voxel_size=(1, 1, 1)).read(ROI)


def test_full_disk_is_named_and_leaves_the_chunk(tmp_path) -> None:
    array = create_array(tmp_path / "a.zarr", "affs", roi=ROI, voxel_size=(1, 1, 1), dtype="u8")
    array.write(ARRAYS["labels"], ROI)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match=r"while writing .*a\.zarr:affs"):
            array.write(
                np.random.default_rng(2).integers(0, 2**63, ROI.shape, dtype=np.uint64), ROI
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    np.testing.assert_array_equal(array.read(ROI), ARRAYS["labels"])


def test_chunk_that_was_never_written(tmp_path) -> None:
    array = create_array(
        tmp_path / "a.zarr", "affs", roi=ROI, voxel_size=(1, 1, 1), dtype="u1", chunks=(8, 8, 8)
    )
    left = Roi((0, 0, 0), (8, 16, 16))
    array.write(np.zeros((8, 16, 16), np.uint8), left)
    assert not array.read(left).any()
    with pytest.raises(ValueError, match=r"affs/0/1/0/0 was never written"):
        array.read(ROI, beyond="zero")
    filled = create_array(
        tmp_path / "a.zarr", "sparse", roi=ROI, voxel_size=(1, 1, 1), dtype="u1", fill=7
    )
    assert (filled.read(ROI) == 7).all()


@pytest.mark.parametrize("cut", [-1, -9, 12])
def test_a_packed_skeleton_that_is_cut_is_named(tmp_path, cut) -> None:
    (tmp_path / "info").write_text(json.dumps({"@type": "neuroglancer_skeletons"}))
    content = struct.pack("<II6f2I", 2, 1, *range(6), 0, 1)
    (tmp_path / "71.gz").write_bytes(gzip.compress(content))
    assert len(read_skeletons(tmp_path)) == 2
    (tmp_path / "71.gz").write_bytes(gzip.compress(content)[:cut])
    with pytest.raises(ValueError, match="skeleton 71 is damaged"):
        read_skeletons(tmp_path)


def test_two_files_of_one_skeleton_are_told(tmp_path) -> None:
    """One of them may be of before; whoever writes the folder anew leaves none of them."""
    skeletons = Skeletons([1, 2], [71, 71], [[0, 0, 0], [4, 5, 6]], [[1, 2]])
    write_skeletons(skeletons, tmp_path / "a")
    (tmp_path / "a/71.gz").write_bytes(gzip.compress((tmp_path / "a/71").read_bytes()))
    with pytest.raises(ValueError, match="two files of skeleton 71"):
        read_skeletons(tmp_path / "a")
    write_skeletons(skeletons, tmp_path / "a")
    np.testing.assert_array_equal(read_skeletons(tmp_path / "a").positions, skeletons.positions)
