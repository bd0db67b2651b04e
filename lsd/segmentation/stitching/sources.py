"""Which arrays are blocks: files of a folder, arrays of one file, or the entries of a list."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from lsd.segmentation.stitching.named import Names, Offset
from lsd.spec.plurals import are, counted, some
from lsd.volumes import containers
from lsd.volumes.metadata import SPACE
from lsd.volumes.metadata_values import unreadable

log = logging.getLogger(__name__)

LISTS = (".csv", ".json")
# files that are passed over, and arrays to choose from, that a message names
_NAMED = 5


@dataclass(frozen=True)
class Entry:
    """An array that is a block.

    path:   of its file, from `folder`; array: its name in the file
    name:   that may say where it lies
    offset: by a list, z y x
    """

    folder: Path
    path: str
    array: str
    name: str
    offset: Offset | None = None

    @property
    def title(self) -> str:
        """What messages call it."""
        path = self.folder / self.path
        return f"{path}:{self.array}" if self.array else str(path)


def entries(path: Path, *, array: str = "", names: Names | None = None) -> list[Entry]:
    """The blocks at a path, at least one.

    array: name of the array in each file, or of the group of all in one file; "": the only one
    names: what others are called is passed over
    Raises ValueError where there is none, or it is not clear which.
    """
    if not path.exists():
        raise ValueError(f"there is no {path}; name the folder that holds the blocks, or a list")
    if path.is_file() and path.suffix.lower() in LISTS:
        return _listed(path, array)
    if _is_container(path):
        candidates = [
            Entry(path.parent, path.name, name, name.rpartition("/")[2])
            for name in _below(containers.array_names(path), array)
        ]
    elif path.is_dir():
        candidates = [
            Entry(path, file.name, _only(file, array), file.name) for file in _files(path, names)
        ]
    else:
        raise ValueError(f"{path} is no folder, no file of arrays and no list (.csv, .json)")
    kept = [entry for entry in candidates if names is None or names.offset(entry.name) is not None]
    if not kept:
        called = "" if names is None else f" called as {names.pattern!r}"
        raise ValueError(
            f"{path} holds no block{called}; blocks are zarr or N5 folders, HDF5, TIFF or numpy "
            f"files"
        )
    return kept


def _files(folder: Path, names: Names | None) -> list[Path]:
    """Files of arrays in a folder, in the order of their names."""
    visible = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    if names is not None:
        return [file for file in visible if names.offset(file.name) is not None]
    kept = [file for file in visible if _is_container(file)]
    others = sorted({file.name for file in visible} - {file.name for file in kept})
    if others and kept:
        log.info(
            "%s in %s %s no block: %s",
            counted(len(others), "file"),
            folder,
            are(len(others)),
            some(others, _NAMED),
        )
    return kept


def _below(names: Sequence[str], group: str) -> list[str]:
    """The arrays of a group of a file."""
    inside = group.strip("/")
    return [name for name in names if not inside or f"{name}/".startswith(f"{inside}/")]


def _only(file: Path, array: str) -> str:
    """The array of a file that is meant."""
    if array:
        return "" if containers.format_of(file).is_single else array
    names = containers.array_names(file)
    if len(names) != 1:
        raise ValueError(
            f"{file} holds {counted(len(names), 'array')}: {some(names, _NAMED) or 'none'}; say "
            f"which one is labels with --array"
        )
    return names[0]


def _is_container(path: Path) -> bool:
    try:
        containers.format_of(path)
    except ValueError:
        return False
    return True


def _listed(path: Path, array: str) -> list[Entry]:
    try:
        rows = list(_rows(path))
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8") from error
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV: {error}") from error
    if not rows:
        raise ValueError(f"{path} lists no block")
    return [_entry(path, number, row, array) for number, row in enumerate(rows, start=1)]


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a list: path, offset, and array where there is one."""
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file, skipinitialspace=True):
                offset = [row[axis] for axis in SPACE if row.get(axis) not in (None, "")]
                yield {"path": row.get("path"), "array": row.get("array"), "offset": offset}
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if isinstance(content, dict):
        content = [{"path": name, "offset": offset} for name, offset in content.items()]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError(
            f'{path} is no list of blocks; wanted: [{{"path": "a.tif", "offset": [0, 0, 64]}}, ...]'
        )
    yield from content


def _entry(path: Path, number: int, row: Mapping[str, Any], array: str) -> Entry:
    file = row.get("path")
    if not isinstance(file, str) or not file.strip():
        raise ValueError(
            f"{path}: block {number} has no path; a CSV file needs the columns path, z, y, x (in "
            f"2D y, x), a JSON file entries with path and offset"
        )
    offset = _offset(row.get("offset"), f"{path}: block {number} ({file})")
    block = path.parent / file.strip()
    if not block.exists():
        raise ValueError(f"{path}: block {number}: there is no {block}")
    name = str(row.get("array") or "") or _only(block, array)
    return Entry(path.parent, file.strip(), name, block.name, offset)


def _offset(values: Any, title: str) -> Offset | None:
    """What a list says of where a block lies; None where it says nothing."""
    try:
        # the letters of a text are no numbers, though they may be digits
        numbers = tuple(values or ()) if not isinstance(values, str) else (values,)
        return tuple(Fraction(str(number)) for number in numbers) or None
    except (TypeError, ValueError, ZeroDivisionError):
        raise ValueError(
            f"{title} has the offset {values!r}; give a number for each axis, z y x"
        ) from None
