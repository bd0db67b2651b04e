"""Metadata as nobody should write them: read, or refused in one sentence that names the file; never
another error."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from funlib.geometry import Roi
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lsd.spec import Volume
from lsd.volumes.array import open_array
from lsd.volumes.volume import open_volume

DATA = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
FILES = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ODD = [
    None, True, 0, -1, 1.5, 1e400, float("nan"), 10**400, "", "nm", "zyx", [], {}, [None], [[]],
    [{}], [""], {"a": 1}, [1, 2],
    [0, 0, 0], [1, 1, 1], [-4, 4, 4], ["4", 4, 4], [1e-300, 4, 4], [1e300, 4, 4], [None, 4, 4],
    [[4], [4], [4]], [True, 4, 4],
    ["z", "y", "x"], ["x", "y", "z"], ["z", "y", "y"], ["t", "c", "x"], ["nm", "um", "nm"],
    ["", "", ""], [1, 1, 1, 1],
    {"type": "scale"}, [{"type": "scale", "scale": [1, 1]}], [{"type": 3}], [{"scale": [1, 1, 1]}],
    {"dimensions": 3, "unit": 4}, {"axes": ["z"], "scale": 3},
]  # fmt: skip
ODD_VALUES = st.one_of(
    st.sampled_from(ODD),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-3, 10**9)
        | st.floats()
        | st.sampled_from(["nm", "z", "scale", "0", "space"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["type", "path", "axes"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)
KEYS = (
    "resolution", "voxel_size", "offset", "units", "axis_names", "_ARRAY_DIMENSIONS", "transform",
    "pixelResolution", "element_size_um",
)  # fmt: skip
STEPS = [
    {"type": "scale", "scale": [40, 4, 4]},
    {"type": "translation", "translation": [40, 8, 12]},
]
MULTISCALES = [
    {
        "version": "0.4",
        "axes": [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"],
        "datasets": [{"path": "raw", "coordinateTransformations": STEPS}],
        "coordinateTransformations": [{"type": "identity"}],
    }
]


def save(folder):
    path = folder / "a.zarr"
    if not path.exists():
        zarr.open_group(str(path), mode="w")
        zarr.open_array(str(path / "raw"), mode="w", shape=DATA.shape, dtype="u1")[...] = DATA
        (path / "whole.json").write_text((path / "raw" / ".zarray").read_text())
    (path / "raw" / ".zarray").write_text((path / "whole.json").read_text())
    for file in (path / ".zattrs", path / "raw" / ".zattrs"):
        file.write_text("{}")
    return path


def read_or_sentence(path, name="raw", **options) -> str | None:
    """None where it was read as it is; otherwise the message, which is a sentence with the file in
    it."""
    error = error_of(lambda: read(path, name, **options))
    if error is None:
        return None
    message = str(error)
    assert str(path) in message
    assert len(message.replace(str(path), "")) > 15, message
    assert "\n" not in message
    assert not message.startswith("[Errno")
    return message


def read(path, name, **options) -> None:
    array = open_array(path, name, **options)
    assert sorted(array.read(array.roi).ravel()) == sorted(DATA.ravel())
    assert all(size > 0 for size in array.voxel_size)


def error_of(action) -> Exception | None:
    """ValueError and OSError; any other is not caught."""
    try:
        action()
    except (ValueError, OSError) as error:
        return error
    return None


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_attributes(tmp_path, key, value) -> None:
    path = save(tmp_path)
    (path / "raw" / ".zattrs").write_text(json.dumps({key: value}))
    read_or_sentence(path)
    read_or_sentence(path, voxel_size=(40, 4, 4))


@FILES
@given(st.dictionaries(st.sampled_from(KEYS), ODD_VALUES, max_size=4), st.booleans())
def test_any_attributes(tmp_path, attributes, on_the_group) -> None:
    path = save(tmp_path)
    (path / ("" if on_the_group else "raw") / ".zattrs").write_text(json.dumps(attributes))
    read_or_sentence(path)


def places(value, so_far=()):
    """Every place in nested JSON."""
    yield so_far
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, below in items:
        yield from places(below, (*so_far, key))


def put(value, place, new):
    if not place:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[place[0]] = put(value[place[0]], place[1:], new)
    return changed


def without(value, place):
    if len(place) == 1:
        return (
            {k: v for k, v in value.items() if k != place[0]}
            if isinstance(value, dict)
            else value[:-1]
        )
    return put(value, place[:1], without(value[place[0]], place[1:]))


PLACES = list(places(MULTISCALES))


@pytest.mark.parametrize("name", ["raw", ""])
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_each_place_of_multiscales(tmp_path, name, place) -> None:
    path = save(tmp_path)
    changes = [put(MULTISCALES, place, value) for value in ODD] + (
        [without(MULTISCALES, place)] if place else []
    )
    for changed in changes:
        (path / ".zattrs").write_text(json.dumps({"multiscales": changed}))
        read_or_sentence(path, name)


@FILES
@given(st.sampled_from(PLACES), ODD_VALUES, st.sampled_from(["raw", ""]))
def test_any_multiscales(tmp_path, place, value, name) -> None:
    path = save(tmp_path)
    (path / ".zattrs").write_text(json.dumps({"multiscales": put(MULTISCALES, place, value)}))
    read_or_sentence(path, name)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ((), {"a": 1}, r"\.zattrs: multiscales is \{'a': 1\}; it must be a list of objects"),
        ((0, "datasets"), [], r"multiscales\[0\]\.datasets is \[\]; it must name an array"),
        (
            (0, "datasets", 0, "path"),
            3,
            r"multiscales\[0\]\.datasets\[0\]\.path is 3; it must be the name of an array",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 0, "type"),
            None,
            "has one of type None; identity, scale and",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 0, "scale"),
            [4, 4],
            "a scale of 2 numbers, its axes are 3",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 0, "scale"),
            [0, 4, 4],
            "voxel sizes are positive",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 0, "scale"),
            [-4, 4, 4],
            "voxel sizes are positive",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 1, "translation"),
            ["a", 4, 4],
            "must be finite numbers",
        ),
        ((0, "axes", 0), {"type": "space"}, "each must have a name"),
        ((0, "axes", 0, "name"), "", "each must be one of"),
        ((0, "axes", 0, "unit"), 3, "a unit is a word"),
    ],
)
def test_multiscales_are_told_by_field(tmp_path, place, value, says) -> None:
    path = save(tmp_path)
    (path / ".zattrs").write_text(json.dumps({"multiscales": put(MULTISCALES, place, value)}))
    with pytest.raises(ValueError, match=says):
        open_array(path, "raw")
    with pytest.raises(ValueError, match=rf"^volume 'one': .*a\.zarr.*{says}"):
        open_volume(Volume(path="a.zarr", raw="raw"), name="one", data_root=tmp_path)


def test_broken_multiscales_beside_whole_attributes(tmp_path) -> None:
    path = save(tmp_path)
    (path / ".zattrs").write_text(json.dumps({"multiscales": [{"axes": 3}]}))
    (path / "raw" / ".zattrs").write_text(
        json.dumps({"resolution": [40, 4, 4], "offset": [0, 0, 0], "axis_names": list("zyx")})
    )
    assert open_array(path, "raw").voxel_size == (40, 4, 4)


@pytest.mark.parametrize(
    "text", ["[]", "[1]", "3", "null", "{broken", "", '"a"', "\udcff", "[" * 100_000]
)
@pytest.mark.parametrize("file", [".zattrs", "raw/.zattrs", "raw/.zarray"])
def test_files_that_hold_something_else(tmp_path, file, text) -> None:
    path = save(tmp_path)
    (path / file).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=rf"{file.rpartition('/')[2]} is damaged"):
        open_array(path, "raw", voxel_size=(1, 1, 1))


ZARRAY = (
    "zarr_format",
    "shape",
    "chunks",
    "dtype",
    "compressor",
    "fill_value",
    "order",
    "filters",
    "dimension_separator",
)


@FILES
@given(
    st.sampled_from(ZARRAY),
    ODD_VALUES
    | st.sampled_from(
        ["|O", "<M8[ns]", "<U4", "<c8", [["a", "<u1"]], "<q", [3, 4, 0], [2**62] * 3]
    ),
)
@example("shape", [])
@example("shape", [3, 4, 0])
@example("dtype", "|O")
@example("chunks", [0, 0, 0])
@example("order", "K")
@example("dimension_separator", 3)
def test_any_zarray(tmp_path, key, value) -> None:
    path = save(tmp_path)
    fields = json.loads((path / "raw" / ".zarray").read_text())
    (path / "raw" / ".zarray").write_text(json.dumps({**fields, key: value}))
    error = error_of(lambda: read_corner(path))
    assert error is None or str(path) in str(error)


def read_corner(path) -> None:
    array = open_array(path, "raw", voxel_size=(40, 4, 4))
    array.read(Roi(array.offset, [min(n, 5) for n in array.roi.shape]))


@pytest.mark.parametrize("key", ZARRAY[:-1])
def test_zarray_without_a_field(tmp_path, key) -> None:
    path = save(tmp_path)
    fields = json.loads((path / "raw" / ".zarray").read_text())
    (path / "raw" / ".zarray").write_text(json.dumps({k: v for k, v in fields.items() if k != key}))
    with pytest.raises(ValueError, match=rf"\.zarray is damaged: it has no {key}"):
        open_array(path, "raw", voxel_size=(1, 1, 1))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (np.uint8(3), r"its shape is \(\); a volume has the axes"),
        (np.zeros(5, "u1"), r"its shape is \(5,\); a volume has"),
        (np.zeros((0, 4, 4), "u1"), r"its shape is \(0, 4, 4\): it holds no voxel"),
        (np.zeros((2, 2, 2), "S3"), "its dtype is .S3; numbers are needed"),
        (np.zeros((2, 2, 2), "c8"), "its dtype is complex64; numbers are needed"),
        (np.zeros((2, 2, 2), [("a", "u1")]), r"its dtype is .*; numbers are needed"),
        (np.zeros((2, 2, 2, 2, 2), "u1"), "nothing says what the axes"),
    ],
)
@pytest.mark.parametrize("form", ["zarr", "hdf5"])
def test_arrays_that_are_no_volumes(tmp_path, data, says, form) -> None:
    if form == "hdf5":
        with h5py.File(tmp_path / "a.zarr", "w") as file:
            file["raw"] = data
    else:
        zarr.open_group(str(tmp_path / "a.zarr"), mode="w").create_dataset("raw", data=data)
    with pytest.raises(ValueError, match=rf"a\.zarr:raw: {says}"):
        open_array(tmp_path / "a.zarr", "raw", voxel_size=(1, 1, 1))


def test_objects_and_empty_datasets(tmp_path) -> None:
    from numcodecs import JSON

    zarr.open_group(str(tmp_path / "a.zarr"), mode="w").create_dataset(
        "raw", shape=(2, 2, 2), dtype=object, object_codec=JSON()
    )
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["empty"] = h5py.Empty("u1")
        file.create_dataset("words", shape=(2, 2, 2), dtype=h5py.string_dtype())
        file.create_dataset("refs", shape=(2, 2, 2), dtype=h5py.ref_dtype)
    for path, name in (("a.zarr", "raw"), ("b.h5", "empty"), ("b.h5", "words"), ("b.h5", "refs")):
        with pytest.raises(ValueError, match=f"{path}:{name}.*numbers are needed"):
            open_array(tmp_path / path, name, voxel_size=(1, 1, 1))


@pytest.mark.parametrize("key", KEYS)
def test_attributes_of_hdf5(tmp_path, key) -> None:
    values = [
        np.float32(5.24), np.array(4), np.array([4, 4, 4]), np.array([[4, 4, 4]]),
        h5py.Empty("f4"), "nm", b"nm",
        np.array([b"z", b"y", b"x"]), np.array([np.nan] * 3), np.array([], "f4"),
        np.zeros(3, [("a", "u1")]),
        np.array([True, True, True]), np.array([1j] * 3),
    ]  # fmt: skip
    for i, value in enumerate(values):
        path = tmp_path / f"{i}.h5"
        with h5py.File(path, "w") as file:
            file["raw"] = DATA
            file["raw"].attrs[key] = value
        read_or_sentence(path)
        read_or_sentence(path, voxel_size=(40, 4, 4))


@pytest.mark.parametrize(
    "what",
    [
        "a.zarr",
        "a.zarr/raw",
        "a.zarr/raw/.zarray",
        "a.zarr/raw/.zattrs",
        "a.zarr/raw/0.0.0",
        "a.h5",
        "a.tif",
    ],
)
def test_what_must_not_be_read(tmp_path, what, monkeypatch) -> None:
    path = save(tmp_path)
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    (tmp_path / what).chmod(0)
    if os.access(tmp_path / what, os.R_OK):
        as_another_user(monkeypatch, tmp_path / what)
    container = tmp_path / what.partition("/")[0]
    name = "raw" if container == path else ""
    with pytest.raises(ValueError, match=r"cannot be read: [Pp]ermission denied"):
        open_and_read(Volume(path=str(container), raw=name or "volumes/raw", voxel_size=(1, 1, 1)))


def open_and_read(spec) -> None:
    volume = open_volume(spec, name="one", data_root=Path())
    volume.read_raw(volume.roi)


def as_another_user(monkeypatch, locked) -> None:
    """Root may read everything: what opening would say to others is said by what opens."""
    import builtins
    import io

    def refusing(real):
        def opened(file, *args, **options):
            if not isinstance(file, int) and (
                str(file) == str(locked) or str(file).startswith(f"{locked}/")
            ):
                raise PermissionError(13, "Permission denied", str(file))
            return real(file, *args, **options)

        return opened

    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda file, mode: str(file) != str(locked) and allowed(file, mode)
    )
    monkeypatch.setattr(builtins, "open", refusing(builtins.open))
    monkeypatch.setattr(io, "open", refusing(io.open))
