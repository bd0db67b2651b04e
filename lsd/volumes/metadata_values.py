"""What files say of themselves, checked before it is used: a wrong type is an error that names the
field.

title: of the field, as messages begin, such as "its resolution"
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from lsd.volumes.units import exact

_SHOWN = 80


def json_object(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file, empty without a file.  ValueError naming the file if it cannot be
    read, or is none."""
    try:
        if not path.is_file():
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{path} is damaged: it holds {shown(content)}; it must be an object, {{...}}"
        )
    return content


def unreadable(path: Path, error: OSError) -> ValueError:
    """The error that says why a file or folder cannot be read."""
    return ValueError(f"{error.filename or path} cannot be read: {error.strerror or error}")


def shown(value: Any) -> str:
    """`value` as messages print it, not longer than a line."""
    text = repr(plain(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def plain(value: Any) -> Any:
    """Numbers and words without the names of their types, which numpy prints, as JSON and
    checkpoints have them; lists for tuples and arrays, within mappings, too."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def as_tuple(value: Any) -> tuple[Any, ...]:
    """The entries of a list, tuple or array; anything else is one entry."""
    if isinstance(value, np.ndarray):
        return tuple(value) if value.ndim else (value[()],)
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def numbers(value: Any, title: str, *, positive: bool = False) -> tuple[Fraction, ...]:
    """The numbers of a list, exactly as they are written."""
    try:
        exact_numbers = tuple(exact(entry) for entry in as_tuple(value))
    except ValueError:
        raise ValueError(
            f"{title} is {shown(as_tuple(value))}; it must be finite numbers, one an axis"
        ) from None
    if positive and min(exact_numbers, default=Fraction(1)) <= 0:
        raise ValueError(f"{title} is {shown(as_tuple(value))}; voxel sizes are positive")
    return exact_numbers


def texts(value: Any, title: str) -> list[str]:
    """The words of a list; None in it becomes ""."""
    words = [
        entry.decode("utf-8", "replace") if isinstance(entry, bytes) else entry
        for entry in as_tuple(value)
    ]
    if not all(isinstance(entry, str | None) for entry in words):
        raise ValueError(f"{title} is {shown(value)}; it must be a list of words")
    return [str(entry or "") for entry in words]


def mapping(value: Any, title: str) -> Mapping[str, Any]:
    """An object with fields; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{title} is {shown(value)}; it must be an object, {{...}}")
    return value


def mappings(value: Any, title: str) -> list[Mapping[str, Any]]:
    """A list of objects; None is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise ValueError(f"{title} is {shown(value)}; it must be a list of objects, [{{...}}, ...]")
    return value
