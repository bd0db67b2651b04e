"""Files that hold arrays: zarr v2 folders, HDF5 files, TIFF files; which arrays they hold, and
handles to read them.

A handle has `shape`, `dtype`, `chunks`, `attrs` and is indexed with slices.  TIFF files are read
through the zarr v2 view that tifffile gives, so pages, strips and tiles are read only where they
are asked for.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any, Literal

import h5py

from lsd.volumes.attributes import completed, from_attributes
from lsd.volumes.checked import json_object, unreadable
from lsd.volumes.foreign import refusal
from lsd.volumes.hdf5 import files as hdf5_files
from lsd.volumes.hdf5 import groups, open_dataset, open_file
from lsd.volumes.hdf5 import stated as stated_hdf5
from lsd.volumes.metadata import Statement, joined
from lsd.volumes.ngff import around, finest, levels
from lsd.volumes.tiff import MAGIC, open_tiff
from lsd.volumes.zarr2 import groups as zarr_groups
from lsd.volumes.zarr2 import open_zarr

Kind = Literal["zarr", "hdf5", "tiff"]
SUFFIXES = (".zarr", ".h5", ".hdf", ".hdf5", ".tif", ".tiff")
_LISTED = 20
_LEVEL = re.compile(r"s?\d+")


def kind(path: Path) -> Kind:
    """The format of a container, by its content.  ValueError if there is none or it is none of
    those that are read."""
    try:
        found = _kind(path)
        if found is not None:
            return found
        if not path.exists():
            raise ValueError(f"there is no {path}{_neighbours(path)}")
        raise refusal(path)
    except OSError as error:
        raise unreadable(path, error) from error


def _kind(path: Path) -> Kind | None:
    if path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "permission denied", str(path))
        if any((path / marker).exists() for marker in (".zgroup", ".zarray")):
            return "zarr"
        if (path / "zarr.json").exists():
            raise ValueError(
                f"{path} is zarr v3; zarr v2 is read: convert it, or write it with zarr_format=2"
            )
    elif path.is_file():
        with path.open("rb") as file:
            begin = file.read(4)
        return "tiff" if begin in MAGIC else "hdf5" if h5py.is_hdf5(path) else None
    return None


def arrays(path: Path) -> list[str]:
    """Names of the arrays that a container holds, an image with its levels as one; "" is the
    container itself."""
    found: list[str] = []
    if kind(path) == "zarr":
        for folder, below, files in os.walk(path):
            if ".zarray" in files:
                found.append(_name(path, Path(folder)))
                below.clear()
    elif kind(path) == "hdf5":
        with open_file(path) as file:
            file.visititems(
                lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
            )
    else:
        found.append("")
    return sorted(set(found))


def find(path: Path, name: str) -> str | None:
    """The name of the array that `name` means, None if there is none: of a multiscale zarr group,
    its finest array."""
    name = name.strip("/")
    if kind(path) == "tiff":
        return "" if not name else None
    if kind(path) == "hdf5":
        with open_file(path) as file:
            return name if _is_dataset(file, name or "/", path) else None
    if ".." in Path(name).parts:
        return None
    if (path / name / ".zarray").exists():
        return name
    below = finest(path / name)
    if below:
        return find(path, "/".join(part for part in (name, below) if part))
    # where the group lost its metadata, those of the array may do
    return f"{name}/0" if name and (path / name / "0" / ".zarray").exists() else None


def _name(path: Path, array: Path) -> str:
    """What an array of a zarr folder is called: a level of an image by the image's name."""
    is_level = array != path and _LEVEL.fullmatch(array.name) and array.name in levels(array.parent)
    return (array.parent if is_level else array).relative_to(path).as_posix().removeprefix(".")


def _is_dataset(file: h5py.File, name: str, path: Path) -> bool:
    try:
        return isinstance(file.get(name), h5py.Dataset)
    except Exception as error:  # links to other files, types that h5py does not know
        raise ValueError(f"{path}:{name} cannot be opened: {error}") from error


def missing(path: Path, name: str) -> ValueError:
    """The error that says that `path` has no array `name`, and what it has instead."""
    names = arrays(path)
    if names == [""]:
        return ValueError(
            f"{path} holds a single array, without a name, not {name!r}; leave the name empty"
        )
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ValueError(
        f"{path} holds no array {name!r}; it holds: {', '.join(names[:_LISTED]) or 'none'}{more}"
    )


def handle(path: Path, name: str, *, writable: bool = False) -> Any:
    """An open array.  ValueError if the file is damaged, or needs what is not installed.  Handles
    must not cross a fork."""
    form = kind(path)
    try:
        if form == "zarr":
            return open_zarr(path / name, writable=writable)
        return open_dataset(path, name) if form == "hdf5" else open_tiff(path)
    except ValueError as error:
        raise ValueError(
            f"{path}:{name} cannot be opened: {error}"
            if name
            else f"{path} cannot be opened: {error}"
        ) from error
    except PermissionError as error:
        raise unreadable(path / name, error) from error
    except Exception as error:  # formats raise what they like for a damaged header
        raise ValueError(
            f"{path}:{name} cannot be opened, it is damaged or no array that can be read: {error}"
        ) from error


def files(path: Path, opened: Any) -> list[str]:
    """Those that the voxels of an open HDF5 or TIFF array lie in, which may be others than its
    container."""
    found: list[str] = hdf5_files(opened) if kind(path) == "hdf5" else opened.files
    return sorted({str(path), *found})


def statement(path: Path, name: str, opened: Any) -> Statement:
    """What the container says of an array."""
    form = kind(path)
    if form == "tiff":
        stated: Statement = opened.stated
        return stated
    if form == "hdf5":
        return completed(
            from_attributes(stated_hdf5(opened), len(opened.shape)),
            groups(opened),
            name,
            len(opened.shape),
        )
    array = path / name
    plain = joined(
        from_attributes(json_object(array / ".zattrs"), len(opened.shape)), around(array)
    )
    return completed(plain, zarr_groups(array), name, len(opened.shape))


def _neighbours(path: Path) -> str:
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir():
        return f"; {folder} is a file"
    names = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(names[:_LISTED]) + (" ..." if len(names) > _LISTED else "")
    return f"; {folder.resolve()} holds: {shown or 'nothing'}"
