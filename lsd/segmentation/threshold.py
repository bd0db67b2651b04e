"""The threshold that was picked on validation data, and what its arrays are called."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from lsd.spec import Config
from lsd.spec.paths import evaluation_file, validation_file

log = logging.getLogger(__name__)


def array_name(threshold: float) -> str:
    """Of the segmentation at a threshold: the whole number is in it, so that 0.28 and 0.29 are two arrays."""
    return f"segmentation/{float(threshold)!r}"


def picked(config: Config) -> float | None:
    """The threshold for volumes without truth; None if none was picked yet.

    That of the evaluation, if it was picked on validation volumes segmented with the same settings, else that of the
    validation during training.
    """
    found = _read(evaluation_file(config))
    if found.get("threshold") is not None and found.get("segment") == scoring_settings(config):
        return float(found["threshold"])
    return validated(config)


def validated(config: Config) -> float | None:
    """The threshold that validation during training found best; None if there was none, or it was segmented otherwise."""
    found = _read(validation_file(config))
    if found.get("threshold") is None:
        return None
    if "segment" in found and _compared(found["segment"]) != _compared(scoring_settings(config)):
        log.warning("%s is of other settings of segmentation than the config's: not used", validation_file(config))
        return None
    return float(found["threshold"])


def _compared(settings: dict[str, Any]) -> dict[str, Any]:
    """Validation takes its volumes whole: blocks and contexts are nothing to it."""
    blocks = ("block", "context", "edge_context", "agglomeration")
    return {name: value for name, value in settings.items() if name not in blocks}


def scoring_settings(config: Config) -> dict[str, Any]:
    """What a threshold depends on, as JSON: settings of segmentation but thresholds, levels, workers, and what is not used."""
    settings = config.segment
    unused = {"edge_context"} if settings.grown == "whole" else set()
    found = settings.model_dump(mode="json", exclude={"thresholds", "workers", "levels", *unused})
    return {**found, "agglomeration": settings.grown}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}; delete it, or write it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds {type(content).__name__}, wanted: an object with a threshold; delete it")
    return content
