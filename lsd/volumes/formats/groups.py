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
_MARKS = (".zgroup", ZARR3, N5)
Json = Mapping[str, Any]


def is_group(folder: Path) -> bool:
    """Whether the folder says that it holds arrays."""
    return any((folder / mark).exists() for mark in _MARKS)


def attributes(folder: Path) -> Json:
    """The attributes of a group or an array.  ValueError for a file that is damaged."""
    if (folder / ZARR3).exists():
        file = folder / ZARR3
        return mapping(json_object(file).get("attributes"), f"{file}: attributes")
    return json_object(folder / (N5 if (folder / N5).exists() else ".zattrs"))


def multiscales(folder: Path) -> tuple[Any, str]:
    """What a folder says of its images, None where it says nothing; and where that stands."""
    if (folder / ZARR3).exists():
        where = f"{folder / ZARR3}: attributes.ome"
        of_image = mapping(attributes(folder).get("ome"), where)
        return of_image.get("multiscales"), f"{where}.multiscales"
    file = folder / (N5 if (folder / N5).exists() else ".zattrs")
    return json_object(file).get("multiscales"), f"{file}: multiscales"


def around(array: Path) -> list[Path]:
    """The groups around an array, the nearest first."""
    groups = []
    for folder in array.parents:
        if not is_group(folder):
            break
        groups.append(folder)
    return groups
