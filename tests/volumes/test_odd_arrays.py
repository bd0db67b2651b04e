"""Arrays as nobody should write them: read, or refused in one sentence that names the file."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from funlib.geometry import Roi
from hypothesis import example, given
from hypothesis import strategies as st
from odd_files import (
    DATA,
    FILES,
    KEYS,
    ODD_VALUES,
    error_of,
    read_or_sentence,
    save,
)

from lsd.spec import Volume
from lsd.volumes.array import open_array
from lsd.volumes.volume import open_volume

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
