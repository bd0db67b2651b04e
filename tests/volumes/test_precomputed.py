"""Neuroglancer's precomputed volumes: what tensorstore writes is read exactly; axes are turned
round, chunks are found in files and in shards."""

import gzip
import json
import os
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_files import FILES, ODD_VALUES, error_of
from written_by_tensorstore import any_parts, everything, numbers, write

from lsd.volumes import containers
from lsd.volumes.array import open_array
from lsd.volumes.formats.precomputed import PrecomputedArray
from lsd.volumes.shards import murmurhash
from lsd.volumes.stored_chunks import stored

# as tensorstore has it, x y z and channels
SIZE, CHUNK, BEGIN = [45, 20, 9], [16, 8, 4], [-3, 100, 7]
VOXEL = (40.0, 4.0, 6.0)


def sharding(**settings):
    usual = {"hash": "identity", "preshift_bits": 0, "minishard_bits": 1, "shard_bits": 2,
             "minishard_index_encoding": "gzip", "data_encoding": "raw"}  # fmt: skip
    return {"@type": "neuroglancer_uint64_sharded_v1", **usual, **settings}


def described(encoding="raw", dtype="uint8", channels=1, size=SIZE, **scale):
    is_ids = encoding == "compressed_segmentation"
    block = {"compressed_segmentation_block_size": [4, 8, 2]} if is_ids else {}
    return {
        "driver": "neuroglancer_precomputed",
        "multiscale_metadata": {
            "data_type": dtype,
            "num_channels": channels,
            "type": "segmentation" if is_ids else "image",
        },
        "scale_metadata": {
            "key": "fine",
            "size": size,
            "chunk_size": CHUNK,
            "voxel_offset": BEGIN,
            "resolution": [6, 4, 40],
            "encoding": encoding,
            **block,
            **scale,
        },
    }


IDS = "compressed_segmentation"
SPECS = {
    **{f"raw_{dtype}": described(dtype=dtype)
       for dtype in ("int8", "uint8", "uint16", "uint32", "uint64", "float32")},
    "channels": described(dtype="uint16", channels=3),
    "png": described("png"),
    "png_16": described("png", dtype="uint16"),
    "png_colours": described("png", channels=3),
    "ids_32": described(IDS, "uint32"),
    "ids_64": described(IDS, "uint64"),
    "ids_channels": described(IDS, "uint64", channels=2),
    "shards": described(sharding=sharding()),
    "shards_hashed": described(
        IDS, "uint64",
        sharding=sharding(hash="murmurhash3_x86_128", preshift_bits=1, data_encoding="gzip")),
    "shards_flat": described(size=[70, 5, 33], sharding=sharding(minishard_bits=3, shard_bits=0)),
    "one_shard": described(
        sharding=sharding(minishard_bits=0, shard_bits=0, minishard_index_encoding="raw")),
}  # fmt: skip


def values_of(spec):
    """x y z c; ids in large pieces, as those of segments are, and up to the last."""
    of_all, of_scale = spec["multiscale_metadata"], spec["scale_metadata"]
    shape, dtype = (*of_scale["size"], of_all["num_channels"]), of_all["data_type"]
    if of_scale["encoding"] != IDS:
        return numbers(shape, dtype)
    some = numbers((40,), dtype)
    some[0], some[1] = 0, np.iinfo(dtype).max
    coarse = np.random.default_rng(0).integers(0, 40, shape)
    ids = some[coarse[np.ix_(*(np.arange(n) // 3 for n in shape))]]
    # a block of one id, and one in which all are others
    ids[:8] = some[1]
    return ids


def expected_of(spec):
    """c z y x, or z y x."""
    values = values_of(spec).T
    return values if len(values) > 1 else values[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("precomputed")
    specs = {name: (spec, values_of(spec), everything(values_of(spec)))
             for name, spec in SPECS.items()}  # fmt: skip
    part = [[[0, 16], [8, 16], [4, 8], [0, 1]]]
    for name in ("raw_uint16", "shards"):
        specs[f"part_{name}"] = (SPECS[name], values_of(SPECS[name]), part)
    write(folder, specs)
    return folder


def change(path, *, scale=None, **fields) -> None:
    info = json.loads((path / "info").read_text()) | fields
    if scale is not None:
        info["scales"][0] |= scale
    (path / "info").write_text(json.dumps(info))


@pytest.mark.parametrize("name", SPECS)
def test_precomputed_is_read_as_tensorstore_wrote_it(folder, name) -> None:
    if name.startswith("png"):
        pytest.importorskip("imagecodecs")
    array, expected = PrecomputedArray(folder / name, "fine"), expected_of(SPECS[name])
    whole = array.read(tuple(slice(None) for _ in expected.shape))
    np.testing.assert_array_equal(whole, expected, strict=True)
    for part in any_parts(expected.shape):
        np.testing.assert_array_equal(array.read(part), expected[part], strict=True)
    grid = [-(-n // size) for n, size in zip(expected.shape, array.chunks, strict=True)]
    assert set(array.stored_chunks()) == set(np.ndindex(*grid))
    opened = open_array(folder / name)
    assert opened.voxel_size == VOXEL
    assert tuple(opened.offset) == tuple(BEGIN[::-1])


@pytest.mark.parametrize("name", ["raw_uint16", "shards"])
def test_precomputed_is_0_where_nothing_was_written(folder, tmp_path, name) -> None:
    array = PrecomputedArray(folder / f"part_{name}", "fine")
    expected = np.zeros_like(expected_of(SPECS[name]))
    written = (slice(4, 8), slice(8, 16), slice(0, 16))
    expected[written] = expected_of(SPECS[name])[written]
    np.testing.assert_array_equal(array.read((slice(None),) * 3), expected, strict=True)
    assert list(array.stored_chunks()) == [(1, 1, 0)]
    # where another program packed the chunk, it is not taken for not there
    if name == "raw_uint16":
        shutil.copytree(folder / f"part_{name}", tmp_path / "a")
        [file] = (tmp_path / "a/fine").iterdir()
        file.rename(f"{file}.br")
        opened = open_array(tmp_path / "a")
        with pytest.raises(ValueError, match=r"\.br is compressed as no file that is read"):
            opened.read(opened.roi)
        # whoever reads but what is on disk reads it, too
        assert len(stored(opened)[0]) == 1


def test_jpeg_of_precomputed(folder, tmp_path) -> None:
    """Pixels are x, y, z in a row, whatever the width of the picture."""
    codecs = pytest.importorskip("imagecodecs")
    values = np.ascontiguousarray(np.broadcast_to(np.arange(45, dtype=np.uint8) * 5, (9, 20, 45)))
    (tmp_path / "fine").mkdir()
    shutil.copy(folder / "raw_uint8/info", tmp_path / "info")
    change(tmp_path, scale={"encoding": "jpeg", "chunk_sizes": [[45, 20, 9]]})
    content = codecs.jpeg_encode(values.reshape(180, 45), level=95)
    (tmp_path / "fine/-3-42_100-120_7-16").write_bytes(content)
    array = open_array(tmp_path).without_channel()
    found = array.read(array.roi)
    assert np.abs(found.astype(int) - values).max() <= 6
    change(tmp_path, data_type="uint16")
    array = open_array(tmp_path)
    with pytest.raises(ValueError, match=r"damaged \(its picture is \(180, 45\) uint8"):
        array.read(array.roi)


@pytest.mark.parametrize("name", ["raw_uint16", "ids_64"])
def test_gzipped_chunks_of_precomputed(folder, tmp_path, name) -> None:
    """As cloud-volume writes them, with .gz, and as a bucket that was copied has them, without."""
    for suffix in ("", ".gz"):
        path = tmp_path / f"a{suffix}"
        shutil.copytree(folder / name, path)
        for file in list((path / "fine").iterdir()):
            content = gzip.compress(file.read_bytes())
            file.unlink()
            file.with_name(file.name + suffix).write_bytes(content)
        array = PrecomputedArray(path, "fine")
        found = array.read((slice(None),) * 3)
        np.testing.assert_array_equal(found, expected_of(SPECS[name]), strict=True)
        assert len(list(array.stored_chunks())) == 27


def test_scales_of_precomputed_are_levels(folder, tmp_path) -> None:
    shutil.copytree(folder / "raw_uint8", tmp_path / "a")
    shutil.copytree(folder / "raw_uint8/fine", tmp_path / "a/coarse")
    info = json.loads((tmp_path / "a/info").read_text())
    coarse = {**info["scales"][0], "key": "coarse", "resolution": [12, 8, 40]}
    change(tmp_path / "a", scales=[*info["scales"], coarse])
    form = containers.format_of(tmp_path / "a")
    assert containers.array_names(tmp_path / "a") == [""]
    assert form.levels(tmp_path / "a", "fine") == ["coarse"]
    assert str(open_array(tmp_path / "a").source) == str(tmp_path / "a")
    array = open_array(tmp_path / "a", "coarse")
    assert (array.voxel_size, str(array.source)) == ((40, 8, 12), f"{tmp_path}/a:coarse")
    with pytest.raises(ValueError, match="holds a single array, without a name, not 'medium'"):
        open_array(tmp_path / "a", "medium")


def test_precomputed_begins_at_a_whole_voxel_of_any_size(folder, tmp_path) -> None:
    """Also where the product of size and place is no float."""
    shutil.copytree(folder / "raw_uint8", tmp_path / "a")
    change(tmp_path / "a", scale={"resolution": [33.333, 5.24, 0.1], "voxel_offset": [44, 17, 3]})
    array = open_array(tmp_path / "a")
    assert (tuple(array.offset), array.remainder) == ((3, 17, 44), (0, 0, 0))


def test_content_of_precomputed_is_its_files(folder, tmp_path) -> None:
    for name in ("raw_uint16", "shards"):
        shutil.copytree(folder / name, tmp_path / name)
        array, part = PrecomputedArray(tmp_path / name, "fine"), (slice(4, 8),) * 3
        file = array.file_of((1, 0, 0))
        before = list(array.identity(part))
        change(tmp_path / name, mesh="mesh")
        assert list(array.identity(part)) == before
        os.utime(file, ns=(1, 1))
        assert list(array.identity(part)) != before


def test_murmurhash() -> None:
    """By another program, mmh3 5.3.1: hash64(n.to_bytes(8, "little"), 0, x64arch=False)."""
    known = {0: 0x4772B084E028AE41, 1: 0xE8BD67D616D4CE9A, 2**63 + 12345: 0xBC910A42B6499A75}
    assert {number: murmurhash(number) for number in known} == known


@pytest.mark.parametrize(
    ("fields", "scale", "says"),
    [
        ({"data_type": "int64"}, {}, "data_type is 'int64'; these are read: int8"),
        ({"num_channels": 0}, {}, "num_channels is 0; allowed"),
        ({}, {"size": [4, 5]}, r"scale fine: size is \[4, 5\]; it must be whole numbers"),
        ({}, {"chunk_sizes": []}, "chunk_sizes is None"),
        ({}, {"voxel_offset": [0, 0, 0.5]}, "voxel_offset is"),
        ({}, {"encoding": "compresso"}, "encoding is 'compresso'; raw, compressed_seg.* are read"),
        ({}, {"encoding": IDS}, "is of uint32 or uint64, not uint8"),
        ({}, {"sharding": []}, r"sharding is \[\]; it must be an object"),
    ],
)
def test_what_of_precomputed_is_not_read(folder, tmp_path, fields, scale, says) -> None:
    shutil.copytree(folder / "raw_uint8", tmp_path / "a")
    change(tmp_path / "a", scale=scale, **fields)
    with pytest.raises(ValueError, match=rf"info.*{says}"):
        open_array(tmp_path / "a", voxel_size=VOXEL)


@pytest.mark.parametrize("name", ["raw_uint8", "ids_64", "ids_32", "shards", "shards_hashed"])
def test_damaged_chunk_of_precomputed_is_named(folder, tmp_path, name) -> None:
    """Cut off in a header, at the end, or by a word."""
    for cut in (3, 24, -4):
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        shutil.copytree(folder / name, tmp_path / "a")
        array = PrecomputedArray(tmp_path / "a", "fine")
        file = array.file_of((0, 0, 0))
        file.write_bytes(file.read_bytes()[:cut])
        opened = open_array(tmp_path / "a")
        with pytest.raises(ValueError, match=rf"{re.escape(str(file))}.*damaged"):
            opened.read(opened.roi)


@pytest.mark.parametrize("name", ["shards", "shards_hashed", "one_shard"])
def test_damaged_shard_of_precomputed_is_told(folder, tmp_path, name) -> None:
    """Any flipped bit that is noticed, also where only what is on disk is asked for."""
    shutil.copytree(folder / name, tmp_path / "a")
    file = next(iter((tmp_path / "a/fine").iterdir()))
    content, rng = file.read_bytes(), np.random.default_rng(0)
    opened, noticed = open_array(tmp_path / "a"), 0
    for place in rng.integers(0, 300, 60).tolist():
        damaged = bytearray(content)
        damaged[place % len(content)] ^= 1 << place % 8
        file.write_bytes(damaged)
        for ask in (lambda: stored(opened), lambda: opened.read(opened.roi)):
            error = error_of(ask)
            assert error is None or (
                str(tmp_path / "a") in str(error) and "memory" not in str(error)
            )
            noticed += error is not None
    assert noticed > 10


@FILES
@given(
    field=st.sampled_from(["scales", "data_type", "num_channels", "@type", "scales.key",
                           "scales.size", "scales.chunk_sizes", "scales.resolution",
                           "scales.voxel_offset", "scales.encoding", "scales.sharding"]),
    value=ODD_VALUES,
)  # fmt: skip
def test_odd_precomputed_is_read_or_refused(folder, tmp_path, field, value) -> None:
    path = tmp_path / "a"
    shutil.copytree(folder / "raw_uint8", path, dirs_exist_ok=True)
    shutil.copy(folder / "raw_uint8/info", path)
    of_all, _, of_scale = field.partition(".")
    change(path, **({"scale": {of_scale: value}} if of_scale else {of_all: value}))
    opened = []
    error = error_of(lambda: opened.append(open_array(path, voxel_size=VOXEL)))
    if error is not None:
        assert "\n" not in str(error)
        assert str(path) in str(error)
    elif field in ("data_type", "@type", "scales.encoding"):
        found = opened[0].without_channel().read(opened[0].roi)
        np.testing.assert_array_equal(found, expected_of(SPECS["raw_uint8"]))
