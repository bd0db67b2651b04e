"""zarr v3: what tensorstore writes is read exactly, whole and in parts; damage and what is not
known is told with its place."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from odd_files import FILES, MULTISCALES, ODD_VALUES, error_of
from written_by_tensorstore import any_parts, everything, numbers, write

from lsd.spec import Volume
from lsd.volumes import containers
from lsd.volumes.array import open_array
from lsd.volumes.formats.checksum import crc32c
from lsd.volumes.formats.zarr3 import Zarr3Array
from lsd.volumes.stored_chunks import stored
from lsd.volumes.volume import open_volume

SHAPE, FILE, CHUNK = (9, 20, 31), [8, 16, 16], [4, 8, 8]
SIZE = (40.0, 4.0, 4.0)
LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
CRC = {"name": "crc32c"}


def codec(name, **settings):
    return {"name": name, "configuration": settings}


def sharded(*codecs, chunk=CHUNK, **settings):
    settings = {"index_codecs": [LITTLE, CRC]} | settings
    return codec("sharding_indexed", chunk_shape=chunk, codecs=list(codecs), **settings)


def nothing(dtype):
    return False if dtype == "bool" else 0


def described(*codecs, dtype="uint8", shape=SHAPE, file=FILE, fill=0, **metadata):
    return {
        "driver": "zarr3",
        "metadata": {
            "shape": list(shape),
            "data_type": dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(file)}},
            "codecs": list(codecs) or [LITTLE],
            "fill_value": fill,
            **metadata,
        },
    }


BLOSC = [
    codec("blosc", cname=inner, clevel=5, shuffle=shuffle, typesize=1, blocksize=0)
    for inner, shuffle in (("lz4", "noshuffle"), ("zstd", "bitshuffle"), ("blosclz", "shuffle"))
]
TYPES = (
    "bool", "int8", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
)  # fmt: skip
SPECS = {
    "plain": described(),
    "gzip": described(LITTLE, codec("gzip", level=5)),
    "zstd_crc": described(LITTLE, codec("zstd", level=1), CRC),
    "checked_zstd": described(LITTLE, codec("zstd", level=1, checksum=True)),
    **{f"blosc{i}": described(LITTLE, blosc) for i, blosc in enumerate(BLOSC)},
    **{f"type_{dtype}": described(LITTLE, dtype=dtype, fill=nothing(dtype)) for dtype in TYPES},
    **{f"big_{dtype}": described(BIG, CRC, dtype=dtype, fill=nothing(dtype))
       for dtype in ("uint16", "uint64", "float32")},
    "turned": described(codec("transpose", order=[2, 0, 1]), LITTLE),
    "turned_twice": described(
        codec("transpose", order=[2, 0, 1]), codec("transpose", order=[1, 0, 2]), LITTLE
    ),
    **{f"key_{name}_{'slash' if separator == '/' else 'dot'}": described(
        chunk_key_encoding=codec(name, separator=separator))
       for name in ("default", "v2") for separator in ("/", ".")},
    "one_axis": described(shape=[50], file=[16]),
    "four_axes": described(shape=[3, 5, 6, 7], file=[1, 4, 4, 4]),
    "sharded": described(sharded(LITTLE, codec("zstd", level=1))),
    "sharded_16": described(sharded(BIG, codec("gzip", level=1), CRC), dtype="uint16"),
    "index_first": described(sharded(LITTLE, index_location="start")),
    "index_unchecked": described(sharded(LITTLE, index_codecs=[BIG])),
    "sharded_dots": described(
        sharded(LITTLE), chunk_key_encoding=codec("default", separator=".")
    ),
    "turned_inside": described(sharded(codec("transpose", order=[1, 2, 0]), LITTLE)),
    "turned_outside": described(
        codec("transpose", order=[2, 1, 0]), sharded(LITTLE, CRC, chunk=[8, 8, 4])
    ),
    "shards_in_shards": described(sharded(sharded(LITTLE, CRC, chunk=[2, 4, 8]))),
}  # fmt: skip
# begin and end along each axis; of what is not written the fill value is read
PARTS = [[[0, 4], [0, 8], [0, 8]], [[5, 9], [17, 20], [16, 31]]]
IN_PARTS = {
    "of_chunks": (described(LITTLE, dtype="uint16", fill=7), 7),
    "of_shards": (described(sharded(LITTLE), dtype="uint64", fill=2**64 - 1), 2**64 - 1),
    "of_nan": (described(sharded(LITTLE), dtype="float32", fill="NaN"), np.nan),
    "of_infinity": (described(LITTLE, dtype="float64", fill="-Infinity"), -np.inf),
    "of_bits": (described(LITTLE, dtype="float32", fill="0x3fc00000"), 1.5),
    "of_zeros": (described(sharded(LITTLE)), 0),
}


def shape_of(spec):
    return tuple(spec["metadata"]["shape"])


def values_of(spec):
    return numbers(shape_of(spec), spec["metadata"]["data_type"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zarr3")
    whole = {
        name: (spec, values_of(spec), everything(values_of(spec))) for name, spec in SPECS.items()
    }
    parts = {name: (spec, values_of(spec), PARTS) for name, (spec, _) in IN_PARTS.items()}
    write(folder, whole | parts)
    return folder


def is_read(path, expected) -> None:
    array = Zarr3Array(path, "")
    whole = array.read(tuple(slice(None) for _ in expected.shape))
    np.testing.assert_array_equal(whole, expected, strict=True)
    assert whole.dtype.isnative
    assert whole.flags.writeable
    for part in any_parts(expected.shape):
        np.testing.assert_array_equal(array.read(part), expected[part], strict=True)


@pytest.mark.parametrize("name", SPECS)
def test_zarr3_is_read_as_tensorstore_wrote_it(folder, name) -> None:
    is_read(folder / name, values_of(SPECS[name]))


@pytest.mark.parametrize("name", IN_PARTS)
def test_zarr3_has_its_fill_value_where_nothing_was_written(folder, name) -> None:
    spec, fill = IN_PARTS[name]
    expected = np.full(shape_of(spec), fill, spec["metadata"]["data_type"])
    for part in PARTS:
        at = tuple(slice(*bounds) for bounds in part)
        expected[at] = values_of(spec)[at]
    is_read(folder / name, expected)


def test_chunks_of_zarr3_that_are_on_disk(folder) -> None:
    """Those in which a part lies, of files and of shards."""
    written = {
        "of_chunks": {(0, 0, 0), (0, 1, 1), (1, 1, 1)},
        "of_zeros": {
            (0, 0, 0),
            *((z, 2, x) for z in (1, 2) for x in (2, 3)),
        },
    }
    for name, chunks in written.items():
        assert set(Zarr3Array(folder / name, "").stored_chunks()) == chunks
    places, shape = stored(open_array(folder / "of_zeros", voxel_size=SIZE))
    assert tuple(shape) == tuple(CHUNK)
    assert {tuple(place) for place in (places // CHUNK).tolist()} == written["of_zeros"]
    for name in ("key_default_dot", "key_v2_slash", "sharded_dots"):
        chunks = Zarr3Array(folder / name, "").chunks
        grid = [-(-n // size) for n, size in zip(SHAPE, chunks, strict=True)]
        assert set(Zarr3Array(folder / name, "").stored_chunks()) == set(np.ndindex(*grid))


def test_checksum_of_zarr3() -> None:
    """RFC 3720, B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes([255] * 32)) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize(
    ("name", "file"),
    [("plain", "c/0/0/0"), ("zstd_crc", "c/0/0/1"), ("gzip", "c/0/1/0"), ("blosc0", "c/0/0/0"),
     ("sharded", "c/0/0/0"), ("index_first", "c/0/0/0"), ("shards_in_shards", "c/1/1/1")],
)  # fmt: skip
def test_damaged_chunk_of_zarr3_is_named(folder, tmp_path, name, file) -> None:
    shutil.copytree(folder / name, tmp_path / "a.zarr")
    path = tmp_path / "a.zarr" / file
    path.write_bytes(path.read_bytes()[:-3])
    array = open_array(tmp_path / "a.zarr", voxel_size=SIZE)
    with pytest.raises(ValueError, match=f"{re.escape(file)}.*(damaged|truncated)"):
        array.read(array.roi)


@pytest.mark.parametrize("name", ["zstd_crc", "checked_zstd", "sharded_16"])
def test_flipped_byte_of_zarr3_is_noticed(folder, tmp_path, name) -> None:
    shutil.copytree(folder / name, tmp_path / "a.zarr")
    path = tmp_path / "a.zarr/c/0/0/0"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    array = open_array(tmp_path / "a.zarr", voxel_size=SIZE)
    with pytest.raises(ValueError, match=r"c/0/0/0.*damaged"):
        array.read(array.roi)


def test_damaged_index_of_zarr3_is_told(folder, tmp_path) -> None:
    """Also where only what is on disk is asked for; what no file holds is not waited for."""
    shutil.copytree(folder / "index_first", tmp_path / "a.zarr")
    path = tmp_path / "a.zarr/c/0/0/0"
    content = bytearray(path.read_bytes())
    content[13] ^= 4  # the size of the first chunk
    path.write_bytes(content)
    array = open_array(tmp_path / "a.zarr", voxel_size=SIZE)
    for ask in (lambda: stored(array), lambda: array.read(array.roi)):
        with pytest.raises(ValueError, match=r"a\.zarr.*c/0/0/0.*checksum is another one"):
            ask()
    content[128:132] = crc32c(bytes(content[:128])).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"c/0/0/0 cannot be read, it is damaged \(it is trunc"):
        array.read(array.roi)


def test_content_of_zarr3_is_its_files(folder, tmp_path) -> None:
    """A change of a shard counts for what lies in it, and one of zarr.json for all."""
    shutil.copytree(folder / "sharded", tmp_path / "a")
    array = Zarr3Array(tmp_path / "a", "")
    first, last = (slice(0, 4),) * 3, (slice(8, 9), slice(16, 20), slice(16, 31))
    before = [list(array.identity(part)) for part in (first, last)]
    os.utime(tmp_path / "a/c/1/1/1", ns=(1, 1))
    after = [list(array.identity(part)) for part in (first, last)]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)
    change(tmp_path / "a", attributes={"note": "a person's"}, dimension_names=["z", "y", "x"])
    assert list(array.identity(first)) == before[0]
    change(tmp_path / "a", fill_value=7)
    assert list(array.identity(first)) != before[0]


def change(path, **fields) -> None:
    file = path / "zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"zarr_format": 4}, "zarr_format 4; 3 is read"),
        ({"data_type": "complex64"}, "data_type is 'complex64'; these are read: bool, int8"),
        ({"data_type": {"name": "struct"}}, "data_type is"),
        ({"shape": [4, -1, 4]}, r"shape is \[4, -1, 4\]; it must be a whole number an axis"),
        ({"chunk_grid": "rectilinear"}, "chunk_grid is 'rectilinear'; regular is read"),
        ({"chunk_grid": codec("regular", chunk_shape=[4, 4])}, "chunk_shape is"),
        ({"chunk_key_encoding": "own"}, "chunk_key_encoding is 'own'; default and v2"),
        ({"chunk_key_encoding": codec("v2", separator=":")}, "separator is ':'"),
        ({"fill_value": 300}, "fill_value is 300; it must be a value of uint8"),
        ({"fill_value": True}, "fill_value is True"),
        ({"fill_value": None}, "fill_value is None"),
        ({"storage_transformers": [{"name": "x"}]}, "storage_transformers"),
        ({"codecs": []}, "one codec must make bytes"),
        ({"codecs": [codec("transpose", order=[0, 0, 1]), LITTLE]}, "order"),
        ({"codecs": [LITTLE, codec("lz77")]}, "has 'lz77'; blosc, zstd.* are read"),
        ({"codecs": [codec("zfp")]}, "begins with 'zfp'"),
        ({"codecs": [sharded(LITTLE, chunk=[3, 8, 8])]}, "which does not divide"),
        ({"codecs": [sharded(LITTLE, index_location="middle")]}, "index_location is 'middle'"),
        ({"codecs": [sharded(LITTLE, index_codecs=[LITTLE, codec("gzip")])]}, "known size"),
        ({"data_type": "uint16", "codecs": ["bytes"]}, "endian is None"),
    ],
)
def test_what_zarr3_is_not_read(folder, tmp_path, fields, says) -> None:
    shutil.copytree(folder / "plain", tmp_path / "a.zarr")
    change(tmp_path / "a.zarr", **fields)
    with pytest.raises(ValueError, match=rf"zarr\.json.*{says}"):
        open_array(tmp_path / "a.zarr", voxel_size=SIZE)


@FILES
@given(
    field=st.sampled_from(
        ["shape", "data_type", "chunk_grid", "chunk_key_encoding", "codecs", "fill_value",
         "attributes", "dimension_names", "node_type", "zarr_format", "storage_transformers"]
    ),
    value=ODD_VALUES,
)  # fmt: skip
def test_odd_zarr3_is_read_or_refused(folder, tmp_path, field, value) -> None:
    path = tmp_path / "a.zarr"
    shutil.copytree(folder / "plain", path, dirs_exist_ok=True)
    shutil.copy(folder / "plain/zarr.json", path)
    change(path, **{field: value})
    opened = []
    error = error_of(lambda: opened.append(open_array(path, voxel_size=SIZE)))
    if error is not None:
        assert "\n" not in str(error)
        assert "a.zarr" in str(error)
    elif field not in ("attributes", "dimension_names", "shape"):
        array = opened[0]
        np.testing.assert_array_equal(array.read(array.roi), values_of(SPECS["plain"]))


def test_ome_zarr_of_zarr3(folder, tmp_path) -> None:
    """Its axes, voxel size and place stand in a part of their own; levels are one image."""
    image = tmp_path / "a.zarr/volumes/raw"
    for name in ("s0", "s1"):
        shutil.copytree(folder / "sharded", image / name)
    datasets = [
        {"path": name, "coordinateTransformations": [
            {"type": "scale", "scale": [40, 4 * factor, 4 * factor]},
            {"type": "translation", "translation": [80, 8, 16]}]}
        for name, factor in (("s0", 1), ("s1", 2))
    ]  # fmt: skip
    ome = {"version": "0.5", "multiscales": [{**MULTISCALES[0], "datasets": datasets}]}
    group = {"zarr_format": 3, "node_type": "group"}
    for level, attributes in ((image, {"ome": ome}), (tmp_path / "a.zarr", {})):
        level.mkdir(exist_ok=True)
        (level / "zarr.json").write_text(json.dumps({**group, "attributes": attributes}))
    (tmp_path / "a.zarr/volumes/zarr.json").write_text(json.dumps(group))
    assert containers.array_names(tmp_path / "a.zarr") == ["volumes/raw"]
    array = open_array(tmp_path / "a.zarr", "volumes/raw")
    assert (array.voxel_size, tuple(array.offset)) == (SIZE, (2, 2, 4))
    coarse = open_array(tmp_path / "a.zarr", "volumes/raw/s1")
    assert coarse.voxel_size == (40.0, 8.0, 8.0)
    form = containers.format_of(tmp_path / "a.zarr")
    assert form.levels(tmp_path / "a.zarr", "volumes/raw/s0") == ["volumes/raw/s1"]
    volume = open_volume(
        Volume(path="a.zarr", raw="volumes/raw", labels=None), name="a", data_root=tmp_path
    )
    raw = volume.raw.without_channel()
    np.testing.assert_array_equal(raw.read(raw.roi), values_of(SPECS["sharded"]))


def test_names_of_the_axes_of_zarr3(folder, tmp_path) -> None:
    """dimension_names stand beside the attributes."""
    shutil.copytree(folder / "plain", tmp_path / "a.zarr")
    resolution = {"resolution": [4, 6, 40]}
    change(tmp_path / "a.zarr", dimension_names=["x", "y", "z"], attributes=resolution)
    array = open_array(tmp_path / "a.zarr")
    assert array.voxel_size == (40.0, 6.0, 4.0)
    expected = values_of(SPECS["plain"]).transpose(2, 1, 0)
    np.testing.assert_array_equal(array.read(array.roi), expected)


def test_a_folder_of_both_versions_is_read_as_before(folder, tmp_path) -> None:
    """As programs leave it that write what describes v3 beside that of v2."""
    raw = numbers((4, 5, 6), "uint16")
    array = zarr.open_array(str(tmp_path / "a"), mode="w", shape=raw.shape, dtype="u2")
    array[...] = raw
    array.attrs["resolution"] = [40, 4, 4]
    shutil.copy(folder / "plain/zarr.json", tmp_path / "a")
    found = open_array(tmp_path / "a")
    assert found.voxel_size == SIZE
    np.testing.assert_array_equal(found.read(found.roi), raw)
