"""The threshold that was picked on validation data, and what its arrays are called."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lsd.blockwise.on_disk.step import differences
from lsd.spec import Config, Evaluate, Segment
from lsd.spec.effect import without_effect
from lsd.spec.paths import evaluation_file, validation_file

log = logging.getLogger(__name__)

# settings of segmentation that are nothing to who takes a volume whole
BLOCKS = ("block", "context", "edge_context", "agglomeration")
# of evaluation, that change no score
COUNTING = without_effect(Evaluate)


def array_name(threshold: float) -> str:
    """Of the segmentation at a threshold: the whole number is in it, so that 0.28 and 0.29 are two
    arrays."""
    return f"segmentation/{float(threshold)!r}"


def picked(config: Config) -> float | None:
    """The threshold for volumes without truth; None if none was picked yet.

    That of the evaluation, else that of the validation during training; each only if it was picked
    on what are validation volumes now, segmented and scored as the config says.
    """
    path = evaluation_file(config)
    noted = _read(path)
    if noted.get("threshold") is not None:
        other = [
            *_other(noted, config, blocks=True),
            *_other_volumes(noted.get("picked_on", {}), config),
        ]
        if not other:
            return float(noted["threshold"])
        _say_unused(path, other)
    return validated(config)


def validated(config: Config) -> float | None:
    """The threshold that validation during training found best; None if there was none, or it was
    picked otherwise."""
    path = validation_file(config)
    noted = _read(path)
    if noted.get("threshold") is None:
        return None
    # those of before noted the settings of segmentation alone
    yardstick = noted.get("yardstick", noted)
    volumes = {name: volume["spec"] for name, volume in yardstick.get("volumes", {}).items()}
    other = [*_other(yardstick, config, blocks=False), *_other_volumes(volumes, config)]
    if other:
        _say_unused(path, other)
        return None
    return float(noted["threshold"])


def _other(noted: Mapping[str, Any], config: Config, *, blocks: bool) -> list[str]:
    """What a threshold that was picked with the settings noted is not good for.

    blocks: whether volumes were taken in blocks; validation during training takes them whole
    """
    now = {
        "segment": scoring_settings(config.segment),
        "evaluate": config.evaluate.model_dump(mode="json"),
    }
    left_out = {"segment": () if blocks else BLOCKS, "evaluate": COUNTING}
    other = []
    for part in (part for part in now if part in noted):
        before, asked = (without(settings[part], left_out[part]) for settings in (noted, now))
        other += differences(before, asked, f"{part}.")
    return other


def _other_volumes(noted: Mapping[str, Any], config: Config) -> list[str]:
    now = {
        name: volume.model_dump(mode="json")
        for name, volume in config.dataset.part("validate").items()
    }
    return [
        f"volume {name!r} is no validation volume, or another one now"
        for name in noted
        if noted[name] != now.get(name)
    ]


def _say_unused(path: Path, other: Sequence[str]) -> None:
    log.warning(
        "the threshold in %s is not used, it was picked otherwise than the config says: %s; run "
        "evaluate.py on validation "
        "volumes to pick one",
        path,
        "; ".join(other),
    )


def scoring_settings(settings: Segment) -> dict[str, Any]:
    """What a threshold depends on, as JSON: settings of segmentation but thresholds, levels,
    workers, and what is not used."""
    unused = {"edge_context"} if settings.grown == "whole" else set()
    used = settings.model_dump(mode="json", exclude={"thresholds", "workers", "levels", *unused})
    return {**used, "agglomeration": settings.grown}


def without(settings: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Settings but those of these names."""
    return {name: value for name, value in settings.items() if name not in names}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}; delete it, or write it again") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} holds {type(content).__name__}, wanted: an object with a threshold; delete it"
        )
    return content
