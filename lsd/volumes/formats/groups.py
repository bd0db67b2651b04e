"""What is said of a folder that holds arrays, wherever its format keeps that.

.zgroup, .zattrs    zarr v2
zarr.json           zarr v3, in which OME-Zarr has a part of its own
attributes.json     N5
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsd.volumes.metadata_values import json_object, mapping

ZARR3, N5 = "zarr.json", "attributes.json"
_ZARR2 = (".zgroup", ".zarray")
Json = Mapping[str, Any]


def is_zarr2(folder: Path) -> bool:
    """Whether a folder is a group or an array of zarr v2, whatever else it may be as well."""
    return any((folder / mark).exists() for mark in _ZARR2)


def is_group(folder: Path) -> bool:
    """Whether the folder says that it holds arrays."""
    return any((folder / mark).exists() for mark in (".zgroup", ZARR3, N5))


def attributes(folder: Path) -> Json:
    """The attributes of a group or an array.  ValueError for a file that is damaged."""
    file = _file(folder)
    if file.name == ZARR3:
        return mapping(json_object(file).get("attributes"), f"{file}: attributes")
    return json_object(file)


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
