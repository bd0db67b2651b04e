"""Names that become files, folders and arrays on disk, or keys of a network's weights."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

# a file system takes 255; names get endings such as .zarr.partial-<number>
MOST_BYTES = 200


def fault(name: str) -> str:
    """Why a name cannot be that of one file or folder; empty if it can.  Blanks and all letters of
    the world are fine."""
    if name in ("", ".", ".."):
        return "is not one"
    if set(name) & set("/\\"):
        return "has a separator"
    # Cc: control characters; Cs: halves of a letter, which no file system takes; Zl, Zp: ends of
    # lines and paragraphs
    forbidden = [
        letter for letter in name if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
    ]
    if forbidden:
        return f"has the character {forbidden[0]!r}"
    return f"takes more than {MOST_BYTES} bytes" if len(name.encode()) > MOST_BYTES else ""


def _word(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", name) or len(name) > MOST_BYTES:
        raise ValueError(
            f"a name that arrays get is of letters (a to z), digits and _, got {name!r}"
        )
    return name


def _hyphenated(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or len(name) > MOST_BYTES:
        raise ValueError(f"a stage's name is of letters (a to z), digits, _ and -, got {name!r}")
    return name


Word = Annotated[str, AfterValidator(_word)]
Hyphenated = Annotated[str, AfterValidator(_hyphenated)]
