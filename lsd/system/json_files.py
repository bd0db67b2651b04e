"""What a run notes of itself as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_object(path: Path) -> dict[str, Any]:
    """The object in a file; an empty one where there is no file.

    Raises ValueError where it holds something else.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}; delete it, or write it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds {type(content).__name__}, wanted: an object; delete it")
    return content


def line_of(text: str, place: Sequence[str | int]) -> int:
    """The line, from 1, that a value stands in; place: keys and numbers that lead to it in the JSON
    that the text is, as in ("joins", 3, 0)."""
    decoder, at = json.JSONDecoder(), _next(text, 0)
    for step in place:
        at, number = _next(text, at + 1), 0
        while True:
            key: str | int = number
            if isinstance(step, str):
                key, at = decoder.raw_decode(text, at)
                at = _next(text, _next(text, at) + 1)
            if key == step:
                break
            _, at = decoder.raw_decode(text, at)
            at, number = _next(text, _next(text, at) + 1), number + 1
    return text.count("\n", 0, at) + 1


def _next(text: str, at: int) -> int:
    """Where the next character is that is no space."""
    found = re.compile(r"\S").search(text, at)
    if found is None:
        raise ValueError("the text ends before the value")
    return found.start()
