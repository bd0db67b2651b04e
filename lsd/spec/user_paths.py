"""Paths as users write them: ~ is the home folder, $NAME and ${NAME} are variables of the
environment."""

from __future__ import annotations

import os
import re
from pathlib import Path


def with_variables(path: str | Path) -> str:
    """The path with what is known put in; what names no variable and no user stays as it is."""
    return os.path.expanduser(os.path.expandvars(str(path)))


def expanded(path: str | Path, *, root: Path = Path()) -> Path:
    """The path that is meant, below `root` unless it is absolute.

    Files may have a $ or ~ in their names: what names no variable and no user is such a file, if
    there is one.  Raises ValueError where there is none.
    """
    file = root / with_variables(path)
    unset = re.search(r"\$(\w+|\{[^}]*\})", with_variables(path))
    if unset and not os.path.lexists(file):
        raise ValueError(
            f"path {str(path)!r}: there is no variable {unset[0]} in the environment; set it, or "
            f"write the path out"
        )
    if with_variables(path).startswith("~") and not os.path.lexists(file):
        raise ValueError(
            f"path {str(path)!r}: there is no user {with_variables(path).split('/')[0]!r} here; "
            f"write the path out"
        )
    return file
