"""Earlier scores of a run: kept beside the new ones, never replaced without a word."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsd.blockwise.on_disk.step import differences
from lsd.segmentation.threshold import COUNTING

# sections of settings, and what in them changes no score
_SETTINGS = {"segment": (), "evaluate": COUNTING}


def keep(path: Path, new: Mapping[str, Any]) -> str:
    """Moves the evaluation at `path`, and the figures beside it, out of the way of a new one that
    says something else.

    evaluation.json and evaluation_*.png become evaluation-1.json and evaluation-1_*.png, or the
    next number that is free.  Returns a sentence about it; "" where there was none, or it says the
    same.
    """
    if not path.exists():
        return ""
    there = _read(path)
    found = [] if there is None else _said(there, json.loads(json.dumps(new)))
    if there is not None and not found:
        return ""
    kept = path.with_name(f"{path.stem}-{_next(path)}{path.suffix}")
    figures = sorted(path.parent.glob(f"{path.stem}_*.png"))
    # figures first: a number is taken by the scores, so who is killed here goes on with the same
    # number
    for figure in figures:
        os.replace(figure, figure.with_name(figure.name.replace(path.stem, kept.stem, 1)))
    os.replace(path, kept)
    beside = ", its figures beside it" if figures else ""
    return (
        f"the earlier evaluation is kept as {kept}{beside}: "
        f"{'; '.join(found) or 'it cannot be read'}"
    )


def _next(path: Path) -> int:
    numbers = (
        re.fullmatch(rf"{path.stem}-(\d+)", other.stem)
        for other in path.parent.glob(f"{path.stem}-*{path.suffix}")
    )
    return max((int(found[1]) for found in numbers if found), default=0) + 1


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _said(there: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What two evaluations differ in, in words: settings, volumes, thresholds, or the scores
    alone."""
    found = [
        line
        for name in _SETTINGS
        for line in differences(_settings(there, name), _settings(new, name), f"{name}.")
    ]
    for what, of in (("volumes", _volumes), ("thresholds", _thresholds)):
        if of(there) != of(new):
            found.append(
                f"{what}: {', '.join(of(there)) or 'none'} there, {', '.join(of(new)) or 'none'} "
                f"asked for"
            )
    return found or (
        [] if _scores(there) == _scores(new) else ["the same settings gave other scores"]
    )


def _settings(content: Mapping[str, Any], section: str) -> dict[str, Any]:
    found = content.get(section)
    return (
        {key: value for key, value in found.items() if key not in _SETTINGS[section]}
        if isinstance(found, dict)
        else {}
    )


def _scores(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in _SETTINGS}


def _volumes(content: Mapping[str, Any]) -> list[str]:
    found = content.get("volumes")
    return sorted(found) if isinstance(found, dict) else []


def _thresholds(content: Mapping[str, Any]) -> list[str]:
    found = content.get("volumes")
    volumes = (
        [volume for volume in found.values() if isinstance(volume, dict)]
        if isinstance(found, dict)
        else []
    )
    return sorted({threshold for volume in volumes for threshold in volume.get("sweep") or {}})
