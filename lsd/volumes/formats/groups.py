"""What is said of a folder that holds arrays, wherever its format keeps that.

.zgroup, .zattrs    zarr v2
zarr.json           zarr v3, in which OME-Zarr has a part of its own
attributes.json     N5
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsd.volumes.attributes import KEYS
from lsd.volumes.metadata import SPACE
from lsd.volumes.metadata_values import json_object, mapping

ZARR3, N5 = "zarr.json", "attributes.json"
_ZARR2 = (".zgroup", ".zarray")
# attributes with an entry an axis, in the order of the axes on disk
_LISTS = set(KEYS) - {"transform", "pixelResolution"}
Json = Mapping[str, Any]


def is_zarr2(folder: Path) -> bool:
    """Whether a folder is a group or an array of zarr v2, whatever else it may be as well."""
    return any((folder / mark).exists() for mark in _ZARR2)


def is_group(folder: Path) -> bool:
    """Whether the folder says that it holds arrays."""
    return any((folder / mark).exists() for mark in (".zgroup", ZARR3, N5))


def attributes(folder: Path) -> Json:
    """The attributes of a group or an array, of axes as arrays are read.  ValueError for a file
    that is damaged."""
    file = _file(folder)
    if file.name == ZARR3:
        return mapping(json_object(file).get("attributes"), f"{file}: attributes")
    return turned_round(json_object(file)) if file.name == N5 else json_object(file)


def turned_round(attributes: Json) -> Json:
    """Attributes of N5, for axes in the order z y x.

    Lists, and `axes`, are in the order of N5, x y z.  Programs that know arrays of Python alone
    write them as they are there, with `axis_names` that say so or, as xarray does, with
    `_ARRAY_DIMENSIONS`.
    """
    names, axes = attributes.get("axis_names"), attributes.get("axes")
    said = [str(name).strip().lower() for name in names] if isinstance(names, list) else []
    space = [name for name in said if name in SPACE]
    in_order = len(space) > 1 and space == [name for name in SPACE if name in space]
    if in_order or "_ARRAY_DIMENSIONS" in attributes:
        return attributes
    named = {"axis_names": axes} if names is None and isinstance(axes, list) else {}
    return {
        key: value[::-1] if key in _LISTS and isinstance(value, list) else value
        for key, value in {**named, **attributes}.items()
    }


def multiscales(folder: Path) -> tuple[Any, str]:
    """What a folder says of its images, None where it says nothing; and where that stands."""
    file, of_folder = _file(folder), attributes(folder)
    where = f"{file}: "
    if file.name == ZARR3:
        where += "attributes."
        if "ome" in of_folder:
            where += "ome."
            of_folder = mapping(of_folder["ome"], where.rstrip("."))
    return of_folder.get("multiscales"), f"{where}multiscales"


def around(array: Path) -> list[Path]:
    """The groups around an array, the nearest first."""
    groups = []
    for folder in array.parents:
        if not is_group(folder):
            break
        groups.append(folder)
    return groups


def _file(folder: Path) -> Path:
    """Where the attributes of a folder stand."""
    others = () if is_zarr2(folder) else (ZARR3, N5)
    return next((folder / name for name in others if (folder / name).exists()), folder / ".zattrs")
