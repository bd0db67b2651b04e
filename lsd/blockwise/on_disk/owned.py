"""What in a container was written by this program: its steps, the arrays that these name, their
tables.

A step of other settings forgets the arrays of the one before, so the names of all there ever were
are kept in <container>/blocks/arrays.json.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from lsd.system.atomic import write_text

ARRAYS = "arrays.json"
_ZARR = (".zarray", ".zgroup", ".zattrs", ".zmetadata", "zarr.json")
# chunks, nested or not, of one or more levels
_CHUNK = re.compile(r"c|[0-9]+(\.[0-9]+)*|c(\.[0-9]+)+")
# zarr writes a chunk, or its metadata, under such a name first
_HALF = re.compile(r".+\.[0-9a-f]{32}\.partial")
# the parts of a container beside its arrays, and what stands in them
_BLOCKS, _TABLES = "blocks", "tables"
_NOTES = re.compile(rf"{re.escape(ARRAYS)}(\.partial)?|\.torn|\.replaced")
_STEP = re.compile(
    r"(step\.json|pending\.npy|whole|.+\.done)(\.partial)?|.+\.(rows|failed)|failures\.txt|jobs|logs"
)
# they are called after their thresholds
_TABLE = re.compile(r"((first|[0-9][0-9.e-]*)\.npy|tables\.json)(\.partial)?")


def is_torn(path: Path) -> bool:
    """Whether a file, by its place in a container, is what a killed writer of this program
    leaves."""
    return path.name.endswith(".partial") and (
        path.parts[0] in (_BLOCKS, _TABLES) or bool(_HALF.fullmatch(path.name))
    )


def remember_arrays(container: Path) -> None:
    """Notes the arrays of all steps in a container, before these are of other settings."""
    names, file = own_arrays(container), container / _BLOCKS / ARRAYS
    if names and names != _noted(file):
        write_text(file, json.dumps(sorted(names)), many_writers=False, durable=False)


def own_arrays(container: Path) -> set[str]:
    """Names of the arrays that steps in a container write, or wrote."""
    names = _noted(container / _BLOCKS / ARRAYS)
    for step in container.glob(f"{_BLOCKS}/*/step.json"):
        # one that cannot be read is said elsewhere; nothing is taken for its own then
        with suppress(OSError, ValueError, KeyError, TypeError):
            names |= {str(name) for name in json.loads(step.read_bytes())["arrays"]}
    return names


def foreign_arrays(container: Path, names: Iterable[str]) -> list[Path]:
    """Arrays of these names that hold voxels and are of no step that there is or was: another wrote
    them."""
    ours = own_arrays(container)
    return [
        container / name for name in names if name not in ours and _holds_voxels(container / name)
    ]


def _holds_voxels(array: Path) -> bool:
    """Whether there is more than what describes an array: a writer that was killed may have come so
    far before its step."""
    return any(
        name not in _ZARR and not name.endswith(".partial")
        for _, _, files in os.walk(array)
        for name in files
    )


def is_table(path: Path) -> bool:
    """Whether a file of a folder of tables is called as one."""
    return _TABLE.fullmatch(path.name) is not None


def _noted(file: Path) -> set[str]:
    with suppress(OSError, ValueError, TypeError):
        return {str(name) for name in json.loads(file.read_bytes())}
    return set()


def strangers(container: Path) -> list[Path]:
    """What there is in a container, or in its place, that this program did not write; links are
    among it, whole.

    An empty list if there is nothing.
    """
    if container.is_symlink() or (container.exists() and not container.is_dir()):
        return [container]
    known = {tuple(name.strip("/").split("/")) for name in own_arrays(container)}
    return list(_strangers(container, known)) if container.exists() else []


def _strangers(container: Path, known: set[tuple[str, ...]]) -> Iterator[Path]:
    pending: list[tuple[str, ...]] = [()]
    while pending:
        place = pending.pop()
        for entry in os.scandir(container.joinpath(*place)):
            parts = (*place, entry.name)
            folder = entry.is_dir(follow_symlinks=False)
            if entry.is_symlink() or not (
                _is_note(parts) if _is_beside(parts) else _is_array(parts, known, folder=folder)
            ):
                yield Path(entry.path)
            elif folder and not _is_closed(parts):
                pending.append(parts)


def _is_beside(parts: tuple[str, ...]) -> bool:
    return parts[0] in (_BLOCKS, _TABLES)


def _is_closed(parts: tuple[str, ...]) -> bool:
    """Whether a folder of our own is not looked into: logs, and what is being removed."""
    return _is_beside(parts) and (parts[1:] == (".replaced",) or parts[2:] == ("logs",))


def _is_note(parts: tuple[str, ...]) -> bool:
    """Whether what lies in blocks/ or tables/ is one of the files there."""
    if len(parts) == 1:
        return True
    if parts[0] == _TABLES:
        return len(parts) == 2 and _TABLE.fullmatch(parts[1]) is not None
    if len(parts) == 2:
        # steps have no dots in their names
        return (
            _NOTES.fullmatch(parts[1]) is not None
            or re.fullmatch(r"[A-Za-z_][\w-]*", parts[1]) is not None
        )
    return len(parts) == 3 and _STEP.fullmatch(parts[2]) is not None


def _is_array(parts: tuple[str, ...], known: set[tuple[str, ...]], *, folder: bool) -> bool:
    """Whether it is an array of ours, a part of one, or what describes the groups that hold it."""
    name, inside = parts[-1], any(parts[: len(array)] == array for array in known)
    if folder:
        leads = any(array[: len(parts)] == parts for array in known)
        return leads or (inside and _CHUNK.fullmatch(name) is not None)
    if inside and _CHUNK.fullmatch(name):
        return True
    group = (
        len(parts) == 1 or inside or any(array[: len(parts) - 1] == parts[:-1] for array in known)
    )
    return group and (name in _ZARR or _HALF.fullmatch(name) is not None)
