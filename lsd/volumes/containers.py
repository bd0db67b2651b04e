"""Files that hold arrays: zarr v2 folders, HDF5 files, TIFF files; which arrays they hold, and handles to read them.

A handle has `shape`, `dtype`, `chunks`, `attrs` and is indexed with slices.  TIFF files are read through the zarr v2 view
that tifffile gives, so pages, strips and tiles are read only where they are asked for.
"""

from __future__ import annotations

import json
import logging
import os
import re
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import tifffile
import zarr

from lsd.volumes.codec import checked
from lsd.volumes.metadata import Statement, axis_names, from_attributes, from_multiscale, joined

Kind = Literal["zarr", "hdf5", "tiff"]
SUFFIXES = (".zarr", ".h5", ".hdf", ".hdf5", ".tif", ".tiff")
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LISTED = 20
_LEVEL = re.compile(r"s?\d+")


def kind(path: Path) -> Kind:
    """The format of a container, by its content.  ValueError if there is none or it is none of those that are read."""
    if path.is_dir():
        if (path / "zarr.json").exists():
            raise ValueError(f"{path} is zarr v3; zarr v2 is read: convert it, or write it with zarr_format=2")
        if any((path / marker).exists() for marker in (".zgroup", ".zarray")):
            return "zarr"
    elif path.is_file():
        if h5py.is_hdf5(path):
            return "hdf5"
        with path.open("rb") as file:
            if file.read(4) in TIFF_MAGIC:
                return "tiff"
    elif not path.exists():
        raise ValueError(f"there is no {path}{_neighbours(path)}")
    raise ValueError(f"{path} is no zarr v2 folder, HDF5 file or TIFF file; these are read")


def arrays(path: Path) -> list[str]:
    """Names of the arrays that a container holds, an image with its levels as one; "" is the container itself."""
    found: list[str] = []
    if kind(path) == "zarr":
        for folder, below, files in os.walk(path):
            if ".zarray" in files:
                found.append(_name(path, Path(folder)))
                below.clear()
    elif kind(path) == "hdf5":
        with _hdf5(path) as file:
            file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    else:
        found.append("")
    return sorted(set(found))


def find(path: Path, name: str) -> str | None:
    """The name of the array that `name` means, None if there is none: of a multiscale zarr group, its finest array."""
    name = name.strip("/")
    if kind(path) == "tiff":
        return "" if not name else None
    if kind(path) == "hdf5":
        with _hdf5(path) as file:
            return name if isinstance(file.get(name or "/"), h5py.Dataset) else None
    if ".." in Path(name).parts:
        return None
    if (path / name / ".zarray").exists():
        return name
    for multiscale in _json(path / name / ".zattrs").get("multiscales", []):
        return find(path, "/".join(part for part in (name, multiscale["datasets"][0]["path"]) if part))
    # where the group lost its metadata, those of the array may do
    return f"{name}/0" if name and (path / name / "0" / ".zarray").exists() else None


def _name(path: Path, array: Path) -> str:
    """What an array of a zarr folder is called: a level of an image by the image's name."""
    images = _json(array.parent / ".zattrs").get("multiscales", []) if array != path and _LEVEL.fullmatch(array.name) else []
    levels = {level.get("path") for image in images for level in image.get("datasets", [])}
    named = array.parent if len(images) == 1 and array.name in levels else array
    return named.relative_to(path).as_posix().removeprefix(".")


def made(path: Path, name: str) -> int:
    """When an array was made, or its file last written: nanoseconds since 1970."""
    return ((path / name / ".zarray") if kind(path) == "zarr" else path).stat().st_mtime_ns


def missing(path: Path, name: str) -> ValueError:
    """The error that says that `path` has no array `name`, and what it has instead."""
    names = arrays(path)
    if names == [""]:
        return ValueError(f"{path} holds a single array, without a name, not {name!r}; leave the name empty")
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ValueError(f"{path} holds no array {name!r}; it holds: {', '.join(names[:_LISTED]) or 'none'}{more}")


def handle(path: Path, name: str, *, writable: bool = False) -> Any:
    """An open array.  ValueError if the file is damaged.  Handles must not cross a fork."""
    form = kind(path)
    try:
        if form == "zarr":
            array = zarr.open_array(str(path / name), mode="r+" if writable else "r")
            return checked(array) if writable else array
        return _hdf5(path)[name] if form == "hdf5" else _tiff(path)
    except Exception as error:  # formats raise what they like for a damaged header
        raise ValueError(f"{path}:{name} cannot be opened, it is damaged or no array that can be read: {error}") from error


def statement(path: Path, name: str, opened: Any) -> Statement:
    """What the container says of an array."""
    form = kind(path)
    if form == "tiff":
        return _tiff_statement(opened)
    plain = from_attributes(dict(opened.attrs), len(opened.shape))
    return joined(plain, _ome(path / name)) if form == "zarr" else plain


def _ome(array: Path) -> Statement:
    """What OME-Zarr metadata of the groups around an array say of it."""
    for group in array.parents:
        if not (group / ".zgroup").exists():
            break
        for multiscale in _json(group / ".zattrs").get("multiscales", []):
            for dataset in multiscale.get("datasets", []):
                if dataset.get("path", "").strip("/") == array.relative_to(group).as_posix():
                    return from_multiscale(multiscale, dataset)
    return Statement()


def _json(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return content if isinstance(content, Mapping) else {}


def _hdf5(path: Path) -> Any:
    try:
        return h5py.File(path, "r", locking="best-effort")
    except OSError as error:
        raise ValueError(f"{path} cannot be opened, it is damaged: {error}") from error


def _tiff(path: Path) -> Any:
    with _tifffile_errors() as errors:
        file = tifffile.TiffFile(path)
        if len(file.series) != 1:
            errors.append(f"it holds {len(file.series)} images; a volume is one")
    if errors:
        file.close()
        raise ValueError("; ".join(errors))
    array = zarr.open(file.series[0].aszarr(level=0), mode="r")
    array.series_axes = file.series[0].axes
    weakref.finalize(array, file.close)
    return array


def _tiff_statement(opened: Any) -> Statement:
    """Axes only: voxel sizes in TIFF files are too often those of a printer.  Q and I are axes that nobody named."""
    named = not set(opened.series_axes) & {"Q", "I"}
    return Statement(axes=axis_names(list(opened.series_axes), len(opened.shape)) if named else None)


@contextmanager
def _tifffile_errors() -> Iterator[list[str]]:
    """Collects what tifffile logs as an error and passes over, such as the lost pages of a truncated file."""
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(record.getMessage())  # type: ignore[method-assign]
    logger = tifffile.logger()
    logger.addHandler(handler)
    try:
        yield errors
    finally:
        logger.removeHandler(handler)


def _neighbours(path: Path) -> str:
    folder = next(parent for parent in path.parents if parent.exists())
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    shown = ", ".join(names[:_LISTED]) + (" ..." if len(names) > _LISTED else "")
    return f"; {folder.resolve()} holds: {shown or 'nothing'}"
