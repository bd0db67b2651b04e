"""N5: what tensorstore writes is read exactly; axes and what is said of them are turned round."""

import json
import os
import re
import shutil
import struct
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_files import FILES, ODD_VALUES, error_of
from written_by_tensorstore import any_parts, everything, numbers, write

from lsd.spec import Volume
from lsd.volumes import containers
from lsd.volumes.array import open_array
from lsd.volumes.formats.n5 import N5Array
from lsd.volumes.volume import open_volume

# as tensorstore has it, x y z
SHAPE, BLOCK = (31, 20, 9), [16, 8, 4]
SIZE = (40.0, 4.0, 6.0)
COMPRESSION = {
    "raw": {"type": "raw"},
    "gzip": {"type": "gzip", "level": 5},
    "zlib": {"type": "gzip", "useZlib": True},
    "bzip2": {"type": "bzip2"},
    "xz": {"type": "xz"},
    "blosc": {"type": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 1},
    "zstd": {"type": "zstd"},
}
TYPES = ("int8", "uint8", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")


def described(compression="raw", dtype="uint8", shape=SHAPE, block=BLOCK):
    return {
        "driver": "n5",
        "metadata": {
            "dimensions": list(shape),
            "blockSize": list(block),
            "dataType": dtype,
            "compression": COMPRESSION[compression],
        },
    }


SPECS = {
    **{name: described(name, "uint16") for name in COMPRESSION},
    **{f"type_{dtype}": described(dtype=dtype) for dtype in TYPES},
    "one_axis": described(shape=[50], block=[16]),
    "four_axes": described(shape=[7, 6, 5, 3], block=[4, 4, 4, 2]),
}


def values_of(spec):
    return numbers(tuple(spec["metadata"]["dimensions"]), spec["metadata"]["dataType"])


PART = [[[0, 16], [8, 16], [0, 4]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("n5")
    specs = {name: (spec, values_of(spec), everything(values_of(spec)))
             for name, spec in SPECS.items()}  # fmt: skip
    write(folder, specs | {"part": (SPECS["gzip"], values_of(SPECS["gzip"]), PART)})
    return folder


def change(path, **fields) -> None:
    file = path / "attributes.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


@pytest.mark.parametrize("name", SPECS)
def test_n5_is_read_as_tensorstore_wrote_it(folder, name) -> None:
    array, expected = N5Array(folder / name, ""), values_of(SPECS[name]).T
    whole = array.read(tuple(slice(None) for _ in expected.shape))
    np.testing.assert_array_equal(whole, expected, strict=True)
    for part in any_parts(expected.shape):
        np.testing.assert_array_equal(array.read(part), expected[part], strict=True)


def test_n5_is_0_where_nothing_was_written(folder) -> None:
    array, expected = N5Array(folder / "part", ""), np.zeros(SHAPE[::-1], np.uint16)
    written = (slice(0, 4), slice(8, 16), slice(0, 16))
    expected[written] = values_of(SPECS["gzip"]).T[written]
    np.testing.assert_array_equal(array.read((slice(None),) * 3), expected, strict=True)
    assert list(array.stored_chunks()) == [(0, 1, 0)]
    assert array.chunks == (4, 8, 16)
    before = [list(array.identity(part)) for part in (written, (slice(4, 9),) * 3)]
    os.utime(folder / "part/0/1/0", ns=(1, 1))
    after = [list(array.identity(part)) for part in (written, (slice(4, 9),) * 3)]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]
    change(folder / "part", note="a person's", resolution=[4, 4, 40])
    assert list(array.identity((slice(4, 9),) * 3)) == after[1]
    change(folder / "part", blockSize=[16, 8, 5])
    assert list(array.identity((slice(4, 9),) * 3)) != after[1]


def block(values, *, kind=0, counted=b"", content=None) -> bytes:
    """A block as N5 says: a header, and values from the highest byte on, x first."""
    sizes = values.shape[::-1]
    data = values.astype(values.dtype.newbyteorder(">")).tobytes()
    return struct.pack(f">HH{len(sizes)}I", kind, len(sizes), *sizes) + counted + (content or data)


def by_hand(folder, values, files, **attributes):
    """An array of one block after another, in a container."""
    array = folder / "a.n5/raw"
    array.mkdir(parents=True)
    (folder / "a.n5/attributes.json").write_text('{"n5": "2.0.0"}')
    fields = {"dimensions": values.shape[::-1], "blockSize": [4, 4, 4],
              "dataType": str(values.dtype), "compression": {"type": "raw"}}  # fmt: skip
    (array / "attributes.json").write_text(json.dumps(fields | attributes))
    for name, content in files.items():
        (array / name).parent.mkdir(parents=True, exist_ok=True)
        (array / name).write_bytes(content)
    return folder / "a.n5"


VALUES = numbers((4, 4, 6), "uint16")


def test_blocks_at_the_border_of_n5(tmp_path) -> None:
    """They may be stored as small as the array ends there; a block may count its values."""
    right = block(VALUES[..., 4:], kind=1, counted=struct.pack(">I", 32))
    path = by_hand(tmp_path, VALUES, {"0/0/0": block(VALUES[..., :4]), "1/0/0": right})
    array = open_array(path, "raw", voxel_size=SIZE)
    np.testing.assert_array_equal(array.read(array.roi), VALUES)
    assert containers.array_names(path) == ["raw"]


def test_zlib_of_n5_by_hand(tmp_path) -> None:
    content = block(VALUES, content=zlib.compress(VALUES.astype(">u2").tobytes()))
    settings = {"compression": {"type": "gzip", "useZlib": True}, "blockSize": [6, 4, 4]}
    array = open_array(by_hand(tmp_path, VALUES, {"0/0/0": content}, **settings), "raw",
                       voxel_size=SIZE)  # fmt: skip
    np.testing.assert_array_equal(array.read(array.roi), VALUES)


def test_zstd_of_n5_that_was_written_piece_by_piece(tmp_path, monkeypatch) -> None:
    """As programs of Java write it: the frame does not say how long its content is.  Here its only
    block is the content as it is."""
    content = VALUES.astype(">u2").tobytes()
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + (len(content) << 3 | 1).to_bytes(3, "little") + content
    settings = {"compression": {"type": "zstd"}, "blockSize": [6, 4, 4]}
    path = by_hand(tmp_path, VALUES, {"0/0/0": block(VALUES, content=frame)}, **settings)
    array = open_array(path, "raw", voxel_size=SIZE)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "imagecodecs", None)
        with pytest.raises(ValueError, match=r"0/0/0 cannot be decoded here.*install imagecodecs"):
            array.read(array.roi)
    pytest.importorskip("imagecodecs")
    np.testing.assert_array_equal(array.read(array.roi), VALUES)


IN_NM = {"resolution": [6, 4, 40], "offset": [60, 0, 80]}
TURNED = (SIZE, (2, 0, 10))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (IN_NM, TURNED),
        ({**IN_NM, "axes": ["x", "y", "z"], "units": ["nm", "nm", "nm"]}, TURNED),
        ({"resolution": [0.006, 0.004, 0.04], "units": ["um"] * 3}, (SIZE, (0, 0, 0))),
        ({"pixelResolution": {"dimensions": [6, 4, 40], "unit": "nm"}}, (SIZE, (0, 0, 0))),
        # programs of Python write what they see
        ({"axis_names": ["z", "y", "x"], "resolution": [40, 4, 6], "offset": [80, 0, 60]}, TURNED),
        ({"transform": {"axes": ["z", "y", "x"], "scale": [40, 4, 6], "translate": [80, 0, 60],
                        "units": ["nm"] * 3}}, TURNED),
        ({"pixelResolution": {"dimensions": [6, 4, 40], "unit": "nm"},
          "downsamplingFactors": [1, 1, 1]}, (SIZE, (0, 0, 0))),
    ],
)  # fmt: skip
def test_voxel_size_and_place_of_n5(tmp_path, attributes, expected) -> None:
    path = by_hand(tmp_path, VALUES, {}, **attributes)
    array = open_array(path, "raw")
    assert (array.voxel_size, tuple(array.offset)) == expected


def test_a_group_of_n5_says_it_in_the_order_of_n5(tmp_path) -> None:
    """As Paintera does, whose groups state what holds for their finest level."""
    path = by_hand(tmp_path, VALUES, {}, downsamplingFactors=[1, 1, 1])
    (path / "raw").rename(tmp_path / "s0")
    (path / "raw").mkdir()
    (tmp_path / "s0").rename(path / "raw/s0")
    for attributes in (IN_NM, {**IN_NM, "axes": ["x", "y", "z"]}):
        (path / "raw/attributes.json").write_text(json.dumps({"multiScale": True, **attributes}))
        array = open_array(path, "raw")
        assert (array.voxel_size, tuple(array.offset)) == TURNED
    in_order = {"axis_names": ["z", "y", "x"], "resolution": SIZE, "offset": [80, 0, 60]}
    (path / "raw/attributes.json").write_text(json.dumps(in_order))
    array = open_array(path, "raw")
    assert (array.voxel_size, tuple(array.offset)) == TURNED


def test_axes_of_n5_are_in_its_order(tmp_path) -> None:
    """As tensorstore writes an array of numpy, z y x, whose z is the fastest in the file then; and
    xarray, which knows nothing of that order."""
    spec = described(shape=VALUES.shape, block=[4, 4, 4], dtype="uint16")
    spec["metadata"] |= {"axes": ["z", "y", "x"], "units": ["nm"] * 3, "resolution": list(SIZE)}
    write(tmp_path, {"a": (spec, VALUES, everything(VALUES))})
    files = {"0/0/0": block(VALUES[..., :4]), "1/0/0": block(VALUES[..., 4:])}
    names = {"_ARRAY_DIMENSIONS": ["z", "y", "x"], "resolution": SIZE}
    plane = {"axis_names": ["Y", "X"], "resolution": SIZE[1:], "blockSize": [6, 4]}
    (tmp_path / "plane").mkdir()
    for array, expected in (
        (open_array(tmp_path / "a"), VALUES),
        (open_array(by_hand(tmp_path, VALUES, files, **names), "raw"), VALUES),
        (open_array(by_hand(tmp_path / "plane", VALUES[0], {"0/0": block(VALUES[0])}, **plane),
                    "raw"), VALUES[0]),
    ):  # fmt: skip
        assert array.voxel_size == SIZE[-expected.ndim :]
        np.testing.assert_array_equal(array.read(array.roi), expected)


def test_voxel_size_of_n5_that_may_be_that_of_another_level(tmp_path) -> None:
    resolution = {"dimensions": [6, 4, 40], "unit": "nm"}
    path = by_hand(tmp_path, VALUES, {}, pixelResolution=resolution, downsamplingFactors=[2, 2, 1])
    with pytest.raises(ValueError, match=r"pixelResolution stands beside downsamplingFactors"):
        open_array(path, "raw")
    assert open_array(path, "raw", voxel_size=SIZE).voxel_size == SIZE


def test_levels_of_n5_without_metadata(folder, tmp_path) -> None:
    """As BigDataViewer writes them: s0, s1; the group stands for the finest."""
    for level in ("s0", "s1"):
        shutil.copytree(folder / "gzip", tmp_path / "a.n5/raw" / level)
    (tmp_path / "a.n5/attributes.json").write_text('{"n5": "2.0.0"}')
    change(tmp_path / "a.n5/raw/s0", **IN_NM)
    volume = open_volume(
        Volume(path="a.n5", raw="raw", labels=None, raw_range=(0, 65535)),
        name="a",
        data_root=tmp_path,
    )
    raw = volume.raw.without_channel()
    assert raw.voxel_size == SIZE
    np.testing.assert_array_equal(raw.read(raw.roi), values_of(SPECS["gzip"]).T)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"dimensions": [4, -1]}, r"dimensions is \[4, -1\]; it must be a whole number an axis"),
        ({"blockSize": [4, 4]}, "blockSize is"),
        ({"dataType": "object"}, "dataType is 'object'; these are read: int8"),
        ({"compression": {"type": "lz4"}}, "compression is 'lz4'; raw, blosc.* are read"),
        ({"compression": {"type": "crc32c"}}, "compression is 'crc32c'"),
        ({"isLabelMultiset": True}, "label multiset"),
    ],
)
def test_what_of_n5_is_not_read(folder, tmp_path, fields, says) -> None:
    shutil.copytree(folder / "raw", tmp_path / "a.n5")
    change(tmp_path / "a.n5", **fields)
    with pytest.raises(ValueError, match=rf"attributes\.json.*{says}"):
        open_array(tmp_path / "a.n5", voxel_size=SIZE)


@pytest.mark.parametrize("name", ["raw", "volumes/raw"])
def test_a_folder_around_an_array_of_n5_that_says_nothing(folder, tmp_path, name) -> None:
    """As tensorstore leaves it, which writes arrays and no groups."""
    shutil.copytree(folder / "raw", tmp_path / "a.n5" / name)
    with pytest.raises(ValueError, match=rf"a\.n5 does not say.*in it lies \S*a\.n5/{name} \(N5 f"):
        open_array(tmp_path / "a.n5", name, voxel_size=SIZE)
    volume = Volume(path=f"a.n5/{name}", raw="", labels=None, voxel_size=SIZE, raw_range=(0, 9))
    raw = open_volume(volume, name="a", data_root=tmp_path).raw
    np.testing.assert_array_equal(raw.read(raw.roi), values_of(SPECS["raw"]).T)


@pytest.mark.parametrize("name", ["raw", "gzip", "xz", "blosc", "zstd"])
def test_damaged_block_of_n5_is_named(folder, tmp_path, name) -> None:
    for cut in (3, -9):
        shutil.rmtree(tmp_path / "a.n5", ignore_errors=True)
        shutil.copytree(folder / name, tmp_path / "a.n5")
        file = tmp_path / "a.n5/1/0/1"
        file.write_bytes(file.read_bytes()[:cut])
        array = open_array(tmp_path / "a.n5", voxel_size=SIZE)
        with pytest.raises(ValueError, match=rf"{re.escape('1/0/1')}.*damaged"):
            array.read(array.roi)


@FILES
@given(
    field=st.sampled_from(["dimensions", "blockSize", "dataType", "compression", "n5", "axes",
                           "resolution", "downsamplingFactors", "axis_names"]),
    value=ODD_VALUES,
)  # fmt: skip
def test_odd_n5_is_read_or_refused(folder, tmp_path, field, value) -> None:
    path = tmp_path / "a.n5"
    shutil.copytree(folder / "raw", path, dirs_exist_ok=True)
    shutil.copy(folder / "raw/attributes.json", path)
    change(path, **{field: value})
    opened = []
    error = error_of(lambda: opened.append(open_array(path, voxel_size=SIZE)))
    if error is not None:
        assert "\n" not in str(error)
        assert "a.n5" in str(error)
    elif field in ("dataType", "compression", "n5", "downsamplingFactors"):
        found = opened[0].read(opened[0].roi)
        np.testing.assert_array_equal(found, values_of(SPECS["raw"]).T)
