"""The file of a checkpoint that a person names."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from lsd.spec.mistakes import brief
from lsd.spec.plurals import some
from lsd.spec.user_paths import expanded

# where checkpoints lie, from a folder on
_PATTERNS = (
    "*.pt",
    "checkpoints/*.pt",
    "*/checkpoints/best.pt",
    "*/*/checkpoints/best.pt",
    "runs/*/*/checkpoints/best.pt",
    "pretrained/*.pt",
)
_MOST = 4


def checkpoint_file(checkpoint: Any) -> Path:
    """The file that is meant.  Raises ValueError where it is none, naming checkpoints nearby."""
    if not isinstance(checkpoint, str | os.PathLike):
        raise ValueError(f"checkpoint is the path of a .pt file, got {brief(checkpoint)}")
    path = expanded(Path(checkpoint))
    if path.is_file():
        return path
    what = "is a folder" if path.is_dir() else "is not there"
    raise ValueError(f"checkpoint {str(checkpoint)!r} {what}; {_nearby(path)}")


def _nearby(path: Path) -> str:
    """What checkpoints lie in the folder, or in the nearest one that there is."""
    folder = next(place for place in (path, *path.parents) if place.is_dir())
    files = {str(file) for pattern in _PATTERNS for file in folder.glob(pattern)}
    if not files:
        return (
            f"no checkpoint (.pt) lies in {folder.resolve()} or the runs in it; training writes "
            f"runs/<name>/<stage>/checkpoints/best.pt"
        )
    alike = sorted(files, key=lambda file: (-_likeness(file, path), file))
    return f"checkpoints nearby: {some(alike, _MOST)}"


def _likeness(file: str, path: Path) -> float:
    return difflib.SequenceMatcher(None, file, str(path)).ratio()
