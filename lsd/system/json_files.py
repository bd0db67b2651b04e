"""What a run notes of itself as JSON."""

from __future__ import annotations

import json
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
