"""Earlier scores of a run: kept beside the new ones, never replaced without a word."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lsd.blockwise.on_disk.step import differences
from lsd.segmentation.threshold import COUNTING
from lsd.spec import Evaluate, Segment
from lsd.spec.base import Spec
from lsd.spec.effect import written_out
from lsd.spec.paths import report_beside

# sections of settings, and what in them changes no score
_SETTINGS = {"segment": (), "evaluate": COUNTING}
# what follows from what is scored, or tells where it lies; evaluations of before told little of it
_ALONG = ("sites", "dataset", "picked_on", "made_from", "apart", "skeletons_apart")
# of figures and tables that belong to an evaluation
_BESIDE = (".png", ".pdf", ".svg", ".csv")
_SPECS: dict[str, type[Spec]] = {"segment": Segment, "evaluate": Evaluate}


def keep_earlier(path: Path, new: Mapping[str, Any]) -> str:
    """Moves the evaluation at `path`, and its figures and tables beside it, out of the way of a new
    one that says something else.

    evaluation.json and evaluation_* become evaluation-1.json and evaluation-1_*, or the next number
    that is free; so does report.html.  Returns a sentence about it; "" where there was none, or it
    says the same.
    """
    if not path.exists():
        return ""
    earlier = _read(path)
    changes = [] if earlier is None else _changes(earlier, json.loads(json.dumps(new)))
    if earlier is not None and not changes:
        return ""
    new_path = path.with_name(f"{path.stem}-{_next(path)}{path.suffix}")
    others = [other for other in path.parent.glob(f"{path.stem}_*") if other.suffix in _BESIDE]
    # these first: a number is taken by the scores, so who is killed here goes on with the same
    # number
    for other in sorted(others):
        os.replace(other, other.with_name(other.name.replace(path.stem, new_path.stem, 1)))
    with suppress(FileNotFoundError):
        os.replace(report_beside(path), report_beside(new_path))
    os.replace(path, new_path)
    has_figures = any(other.suffix == ".png" for other in others)
    beside = ", its figures beside it" if has_figures else ""
    return (
        f"the earlier evaluation is kept as {new_path}{beside}: "
        f"{'; '.join(changes) or 'it cannot be read'}"
    )


def _next(path: Path) -> int:
    numbers = (
        re.fullmatch(rf"{path.stem}-(\d+)", path_of_earlier.stem)
        for path_of_earlier in path.parent.glob(f"{path.stem}-*{path.suffix}")
    )
    return max((int(number[1]) for number in numbers if number), default=0) + 1


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _changes(earlier: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What two evaluations differ in, in words: settings, volumes, thresholds, or the scores
    alone."""
    changes = [
        line
        for name in _SETTINGS
        for line in differences(_settings(earlier, name), _settings(new, name), f"{name}.")
    ]
    for noun, names_in in (("volumes", _volumes), ("thresholds", _thresholds)):
        if names_in(earlier) != names_in(new):
            recorded, wanted = (
                ", ".join(names_in(content)) or "none" for content in (earlier, new)
            )
            changes.append(f"{noun}: {recorded} there, {wanted} asked for")
    if changes:
        return changes
    if _scores(earlier) != _scores(new):
        return ["the same settings gave other scores"]
    # figures, tables and sites beside it name the segments of the one that was scored
    noted = earlier.get("made_from")
    return [] if noted in (None, new.get("made_from")) else ["it is of another segmentation"]


def _settings(content: Mapping[str, Any], section: str) -> dict[str, Any]:
    settings = content.get(section)
    if not isinstance(settings, dict):
        return {}
    whole = written_out(settings, _SPECS[section])
    return {key: value for key, value in whole.items() if key not in _SETTINGS[section]}


def _scores(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in (*_SETTINGS, *_ALONG)}


def _volumes(content: Mapping[str, Any]) -> list[str]:
    volumes = content.get("volumes")
    return sorted(volumes) if isinstance(volumes, dict) else []


def _thresholds(content: Mapping[str, Any]) -> list[str]:
    volumes = content.get("volumes")
    scored = volumes.values() if isinstance(volumes, dict) else ()
    sweeps = [volume.get("sweep") or {} for volume in scored if isinstance(volume, dict)]
    return sorted({threshold for sweep in sweeps for threshold in sweep})
