"""One volume as files of many programs: each is read exactly, or refused in a sentence that names
what it is."""

import logging
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from numcodecs import Blosc, Zlib

from lsd.volumes import containers
from lsd.volumes.array import open_array

FORMATS = Path(__file__).parents[2] / ".." / "shared" / "data" / "formats"
SIZE = (50.0, 4.0, 4.0)
OFFSET = (2, 200, 160)
NOWHERE = (0, 0, 0)
# file, array, which of the two it holds ("uint16": raw in this type), offset in voxels; None: the
# file states no voxel size
READ = [
    ("zarrpy3_v2.zarr", "raw", "raw", OFFSET),
    ("zarrpy3_v2.zarr", "labels", "labels", OFFSET),
    ("omezarrpy_0.4.zarr", "", "raw", OFFSET),
    ("omezarrpy_0.4.zarr", "s0", "raw", OFFSET),
    ("omezarrpy_0.4.zarr", "labels/regions", "labels", OFFSET),
    ("omezarr_micrometer_tczyx_0.4.zarr", "", "raw", OFFSET),
    *((f"cremi_{codec}.hdf", name, what, OFFSET)
      for codec in ("gzip_shuffle", "lz4", "blosc_zstd", "zstd", "bitshuffle_lz4")
      for name, what in (("volumes/raw", "raw"), ("volumes/labels/neuron_ids", "labels"))),
    ("imagej_stack.tif", "", "raw", NOWHERE),
    ("imagej_stack_nm.tif", "", "raw", NOWHERE),
    ("ome.ome.tif", "", "raw", NOWHERE),
    ("ome_um.ome.tif", "", "raw", NOWHERE),
    ("bigtiff_labels_uint64.tif", "", "labels", None),
    ("tiled_deflate.tif", "", "raw", None),
    ("volume.nii.gz", "", "raw", NOWHERE),
    ("zarrpy3_v3.zarr", "raw", "raw", OFFSET),
    ("zarrpy3_v3.zarr", "labels", "labels", OFFSET),
    ("zarrpy3_v3_sharded.zarr", "raw", "raw", OFFSET),
    ("zarrpy3_v3_sharded.zarr", "labels", "labels", OFFSET),
    ("zarrpy3_v3_gzip_bigendian_F.zarr", "raw", "uint16", NOWHERE),
    ("omezarrpy_0.5.zarr", "", "raw", OFFSET),
    ("omezarrpy_0.5.zarr", "labels/regions", "labels", OFFSET),
    ("tensorstore_zarr3_sharded", "", "labels", None),
    ("tensorstore.n5", "raw", "raw", NOWHERE),
    ("tensorstore.n5", "labels", "labels", NOWHERE),
    ("precomputed_raw", "", "raw", OFFSET),
    *((name, "", "labels", OFFSET)
      for name in ("precomputed_cseg", "precomputed_cseg_sharded", "cloudvolume_gz")),
]  # fmt: skip
REFUSED = {
    "volume.mrc": "is an MRC file",
    "volume_int8.rec": "is an MRC file",
    "volume.nrrd": "is an NRRD file",
    "wkw": "is .*webKnossos",
    "skeletons": "is no zarr v2 folder",
}


def there(name):
    if not (FORMATS / name).exists():
        pytest.skip(f"{FORMATS / name} is not here")
    return FORMATS / name


@pytest.mark.faults
def test_every_file_is_in_one_of_the_lists() -> None:
    files = {entry.name for entry in there("expected.npz").parent.iterdir()} - {
        "expected.npz",
        "README.json",
    }
    assert files == {file for file, *_ in READ} | set(REFUSED)


@pytest.mark.faults
@pytest.mark.parametrize(("file", "name", "what", "offset"), READ, ids=lambda value: str(value))
def test_is_read_exactly(file, name, what, offset) -> None:
    pytest.importorskip("imagecodecs")
    pytest.importorskip("hdf5plugin")
    if offset is None:
        with pytest.raises(ValueError, match="states no voxel size"):
            open_array(there(file), name)
    array = open_array(there(file), name, voxel_size=None if offset else SIZE).without_channel()
    assert (array.voxel_size, tuple(array.offset)) == (SIZE, offset or NOWHERE)
    arrays = np.load(there("expected.npz"))
    expected = arrays["raw"].astype(what) if what == "uint16" else arrays[what]
    found = array.read(array.roi)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.faults
@pytest.mark.parametrize("file", REFUSED)
def test_is_called_what_it_is(file) -> None:
    with pytest.raises(ValueError, match=f"{file} {REFUSED[file]}"):
        open_array(there(file))


DATA = np.random.default_rng(0).integers(0, 255, (4, 32, 48), dtype=np.uint8)


@pytest.mark.parametrize(
    "compression", ["lzw", "zstd", "packbits", "lzma", "jpeg", "jpeg2000", "png"]
)
def test_compressed_tiff(tmp_path, compression) -> None:
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(
        tmp_path / "a.tif", DATA, photometric="minisblack", compression=compression, rowsperstrip=16
    )
    array = open_array(tmp_path / "a.tif", voxel_size=SIZE)
    error = np.abs(array.read(array.roi).astype(int) - DATA).max()
    assert error <= (80 if compression == "jpeg" else 0)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_predictors_of_tiff(tmp_path, dtype) -> None:
    pytest.importorskip("imagecodecs")
    tifffile.imwrite(
        tmp_path / "a.tif",
        DATA.astype(dtype),
        photometric="minisblack",
        compression="lzw",
        predictor=True,
    )
    array = open_array(tmp_path / "a.tif", voxel_size=SIZE)
    np.testing.assert_array_equal(array.read(array.roi), DATA)


def test_tiff_without_its_package_is_told_at_opening(tmp_path, monkeypatch) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "a.tif", DATA, photometric="minisblack", compression="lzw")
    monkeypatch.setattr(
        tifffile.tifffile, "imagecodecs", __import__("tifffile._imagecodecs")._imagecodecs
    )
    monkeypatch.setattr(tifffile.TIFF.DECOMPRESSORS, "_codecs", {1: bytes})
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "imagecodecs" else imagecodecs
    )
    with pytest.raises(
        ValueError,
        match=r"a\.tif cannot be opened: it is compressed by LZW.*pip install imagecodecs",
    ) as caught:
        open_array(tmp_path / "a.tif", voxel_size=SIZE)
    assert "damaged" not in str(caught.value)


def compressed_hdf5(path, code) -> None:
    """A dataset whose header names a filter; its chunks are never decoded here."""
    space, kind = h5py.h5s.create_simple((4, 8, 8)), h5py.h5t.NATIVE_UINT8
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((4, 8, 8))
    properties.set_filter(code, h5py.h5z.FLAG_OPTIONAL, ())
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"raw", kind, space, properties)


def test_hdf5_filter_that_nobody_has(tmp_path) -> None:
    compressed_hdf5(tmp_path / "a.h5", 32099)
    with pytest.raises(
        ValueError, match=r"a\.h5:raw cannot be opened: it is compressed by .*HDF5 filter 32099"
    ) as caught:
        open_array(tmp_path / "a.h5", "raw", voxel_size=SIZE)
    assert "damaged" not in str(caught.value)


def test_hdf5_without_its_package_is_told_at_opening(tmp_path, monkeypatch) -> None:
    compressed_hdf5(tmp_path / "a.h5", 32004)
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: False)
    with pytest.raises(
        ValueError, match=r"compressed by LZ4 \(HDF5 filter 32004\).*pip install hdf5plugin"
    ):
        open_array(tmp_path / "a.h5", "raw", voxel_size=SIZE)


@pytest.mark.parametrize(
    ("codec", "says"),
    [
        ({"id": "lerc"}, "compressed by 'lerc', which numcodecs lacks"),
        ({"id": "blosc", "cname": "snappy", "clevel": 5, "shuffle": 1}, "Blosc with 'snappy'"),
        (
            {"id": "zlib", "level": "high", "other": 3},
            "compressed by 'zlib', its settings are wrong",
        ),
        ({"level": 1}, "a codec has an id"),
        ("zlib", "must be an object"),
    ],
)
@pytest.mark.parametrize("field", ["compressor", "filters"])
def test_zarr_codec_that_is_not_there(tmp_path, codec, says, field) -> None:
    array = zarr.open_array(
        str(tmp_path / "a.zarr"), mode="w", shape=(4, 4, 4), dtype="u1", compressor=Zlib()
    )
    array[...] = 1
    change_json(
        tmp_path / "a.zarr" / ".zarray", **{field: codec if field == "compressor" else [codec]}
    )
    with pytest.raises(ValueError, match=rf"a\.zarr.*{says}") as caught:
        open_array(tmp_path / "a.zarr", voxel_size=SIZE)
    assert "is damaged" not in str(caught.value)


def test_zarr_with_codecs_of_imagecodecs(tmp_path) -> None:
    codecs = pytest.importorskip("imagecodecs.numcodecs")
    codecs.register_codecs(verbose=False)
    array = zarr.open_array(
        str(tmp_path / "a.zarr"),
        mode="w",
        shape=DATA.shape,
        chunks=(1, 32, 48),
        dtype="u1",
        compressor=codecs.Lzw(),
    )
    array[...] = DATA
    found = open_array(tmp_path / "a.zarr", voxel_size=SIZE)
    np.testing.assert_array_equal(found.read(found.roi), DATA)


def change_json(file, **fields) -> None:
    import json

    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.png", b"\x89PNG\r\n", "is a PNG image"),
        ("noname", b"PK\x03\x04abcd", "is a zip file"),
        ("a.swc", b"1 0 0 0 0 1 -1", "is a skeleton"),
        ("a.h5", b"", "is empty: it is still being written or copied"),
        ("a.txt", b"hello", "is no zarr v2 folder, zarr v3 folder, N5 folder, neuroglancer"),
        ("stack/001.png", b"\x89PNG", r"stack is a folder of images \(\.png\)"),
        ("stack/color/1/header.wkw", b"WKW", "stack is no zarr v2 folder"),
    ],
)
def test_what_else_people_have(tmp_path, name, content, says) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=says):
        containers.format_of(tmp_path / Path(name).parts[0])


def test_blosc_of_every_kind_is_no_warning(tmp_path, caplog) -> None:
    for inner in ("lz4", "lz4hc", "blosclz", "zlib", "zstd"):
        array = zarr.open_array(
            str(tmp_path / inner), mode="w", shape=DATA.shape, dtype="u1", compressor=Blosc(inner)
        )
        array[...] = DATA
        with caplog.at_level(logging.WARNING):
            found = open_array(tmp_path / inner, voxel_size=SIZE)
        np.testing.assert_array_equal(found.read(found.roi), DATA)
    assert not caplog.records
