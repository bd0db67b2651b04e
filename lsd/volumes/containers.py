"""Files and folders that hold arrays: which format reads one, which arrays it holds, and opening
them."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from lsd.spec.blame import KindError
from lsd.spec.formats import Format
from lsd.spec.kinds import behaviour
from lsd.spec.plurals import some
from lsd.volumes.formats.foreign import refusal
from lsd.volumes.formats.format import FileArray, FileFormat
from lsd.volumes.metadata_values import unreadable

_LISTED = 20


def format_of(path: Path) -> FileFormat[Any]:
    """The format of a container, by its content.  ValueError if there is none or it is none of
    those that are read."""
    try:
        if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "permission denied", str(path))
        if form := _claiming(path):
            return form
        if not path.exists():
            raise ValueError(f"there is no {path}{_neighbours(path)}")
        raise refusal(
            path,
            read=[form.reads for form in formats()],
            claimed=lambda inside: getattr(_claiming(inside), "reads", None),
        )
    except OSError as error:
        raise unreadable(path, error) from error


def _claiming(path: Path) -> FileFormat[Any] | None:
    """A format that was defined later may read what is special among the files of another."""
    return next((form for form in [*formats()][::-1] if form.claims(path)), None)


def formats() -> Iterator[FileFormat[Any]]:
    """The formats that are read, in the order in which they were defined."""
    return map(_made, Format.kinds())


@cache
def _made(name: str) -> FileFormat[Any]:
    form: FileFormat[Any] = behaviour(Format(kind=name))
    if not hasattr(form, "reads"):
        raise ValueError(
            f"format {name!r} does not say what its files are called: give its class reads, as in "
            f'reads = "{name} file"'
        )
    return form


def array_names(path: Path) -> list[str]:
    """Names of the arrays that a container holds, an image with its levels as one; "" is the
    container itself."""
    with _damage(path):
        return sorted(set(format_of(path).names(path)))


def find_array(path: Path, name: str) -> str | None:
    """The name of the array that `name` means, None if there is none: of a multiscale zarr group,
    its finest array."""
    with _damage(path):
        return format_of(path).find(path, name)


def no_such_array(path: Path, name: str) -> ValueError:
    """The error that says that `path` has no array `name`, and what it has instead."""
    names = array_names(path)
    if names == [""]:
        return ValueError(
            f"{path} holds a single array, without a name, not {name!r}; give it an empty name, as "
            f'in raw=""'
        )
    return ValueError(f"{path} holds no array {name!r}; it holds: {some(names, _LISTED) or 'none'}")


def open_file(path: Path, name: str, *, writable: bool = False) -> FileArray:
    """An array, open in this process.  ValueError if the file is damaged, or needs what is not
    installed."""
    form = format_of(path)
    try:
        return form.open_writable(path, name) if writable else form.open(path, name)
    except ValueError as error:
        raise ValueError(
            f"{path}:{name} cannot be opened: {error}"
            if name
            else f"{path} cannot be opened: {error}"
        ) from error
    except PermissionError as error:
        raise unreadable(path / name, error) from error
    except Exception as error:  # of whatever a format raises for a damaged header
        raise ValueError(
            f"{path}:{name} cannot be opened, it is damaged or no array that can be read: {error}"
        ) from error


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Formats raise what they like for a damaged file."""
    try:
        yield
    except KindError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{path} cannot be read, it is damaged: {error}") from error


def _neighbours(path: Path) -> str:
    """What there is instead; names that are almost so come first, of many in a folder too."""
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir():
        return f"; {folder} is a file"
    names = sorted(entry.name for entry in folder.iterdir())
    missing = path.relative_to(folder).parts[0]
    alike = difflib.get_close_matches(missing, names)
    names = [*alike, *(name for name in names if name not in alike)]
    shown = ", ".join(names[:_LISTED]) + (" ..." if len(names) > _LISTED else "")
    return f"; {folder.resolve()} holds: {shown or 'nothing'}"
