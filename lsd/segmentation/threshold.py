"""The threshold that was picked on validation data, and what its arrays are called."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lsd.blockwise.on_disk.step import differences
from lsd.segmentation.made_from import others
from lsd.spec import Config, Evaluate, Segment
from lsd.spec.base import Spec
from lsd.spec.effect import without_effect, written_out
from lsd.spec.paths import evaluation_file, validation_file
from lsd.system.commands import typed
from lsd.system.json_files import read_object

log = logging.getLogger(__name__)

# settings of segmentation that change nothing where a volume is segmented whole
BLOCKS = ("block", "context", "edge_context", "agglomeration")
# settings of evaluation that change no score
COUNTING = without_effect(Evaluate)


def beside(evaluate: Evaluate) -> frozenset[str]:
    """Settings of evaluation that change no choice of a threshold, which is picked on
    segmentations: what is told beside the scores (those follow from `skeletons` only where the
    metric is against these), and whether objects at located points are scored."""
    along = {"skeletons"} if evaluate.metric.against == "labels" else set()
    return COUNTING | {"heads", "of"} | along


def array_name(threshold: float) -> str:
    """Name of the array of the segmentation at a threshold.

    All digits are in it, so that 0.28 and 0.29 are two arrays.
    """
    return f"segmentation/{float(threshold)!r}"


def picked(config: Config) -> float | None:
    """The threshold for volumes without truth; None if none was picked yet.

    That of the evaluation of segmentations, else that of the validation during training; each only
    if it was picked on what are validation volumes now, segmented and scored as the config says,
    the former on the segmentations that there are.
    """
    path = evaluation_file(config, of="segmentation")
    evaluation = read_object(path)
    if evaluation.get("threshold") is not None:
        differences = [
            *_other_settings(evaluation, config.segment, config.evaluate, in_blocks=True),
            *_other_volumes(evaluation.get("picked_on", {}), config),
            *others(config, evaluation.get("made_from", {}), evaluation.get("picked_on", {})),
        ]
        if not differences:
            return float(evaluation["threshold"])
        instead, _ = _of_training(config)
        _warn_unused(path, differences, instead=instead)
    return validated(config)


def chosen(config: Config, asked: float | None, *, field: str) -> float:
    """The threshold that is asked for, else the one that validation picked, else the only one of
    segment.thresholds.  ValueError where there is none; field: of the config, that asks for it."""
    threshold = picked(config) if asked is None else asked
    if threshold is not None:
        return threshold
    thresholds = config.segment.thresholds
    if len({*thresholds}) == 1:
        log.info("none is picked, so %g is taken, of segment.thresholds", thresholds[0])
        return thresholds[0]
    raise ValueError(
        f"{field} is not set, none is picked, and segment.thresholds are "
        f"{', '.join(f'{each:g}' for each in thresholds)}; set one, or run {typed('evaluate')} on "
        f"validation volumes to pick one"
    )


def validated(config: Config) -> float | None:
    """The threshold that validation during training found best; None if there was none, or it was
    picked otherwise."""
    threshold, differences = _of_training(config)
    if differences:
        _warn_unused(validation_file(config), differences, instead=None)
    return threshold


def _of_training(config: Config) -> tuple[float | None, list[str]]:
    """The threshold of validation during training, or none, and in what it was picked otherwise."""
    validation = read_object(validation_file(config))
    if validation.get("threshold") is None:
        return None, []
    # earlier versions recorded the settings of segmentation alone
    yardstick = validation.get("yardstick", validation)
    # in a volume that is read there are none; those that scores are along are recorded beside it
    along = {
        name: {"skeletons": lines["source"]}
        for name, lines in yardstick.get("skeletons", {}).items()
    }
    volumes = {
        name: volume["spec"] | along.get(name, {})
        for name, volume in yardstick.get("volumes", {}).items()
    }
    differences = [
        *_other_settings(yardstick, config.segment, config.evaluate, in_blocks=False),
        *_other_volumes(volumes, config),
    ]
    return (None if differences else float(validation["threshold"])), differences


def _other_settings(
    recorded: Mapping[str, Any], segment: Segment, evaluate: Evaluate, *, in_blocks: bool
) -> list[str]:
    """The settings in which a recorded choice of a threshold differs from these, in words.

    in_blocks: whether volumes were segmented in blocks; validation during training takes them whole
    """
    left_out = {"segment": () if in_blocks else BLOCKS, "evaluate": beside(evaluate)}
    specs: dict[str, type[Spec]] = {"segment": Segment, "evaluate": Evaluate}
    wanted = {"segment": scoring_settings(segment), "evaluate": evaluate.model_dump(mode="json")}
    lines = []
    for section in [each for each in specs if each in recorded]:
        there, now = (
            without(written_out(each[section], specs[section]), left_out[section])
            for each in (recorded, wanted)
        )
        lines += differences(there, now, f"{section}.")
    return lines


def _other_volumes(recorded: Mapping[str, Any], config: Config) -> list[str]:
    """The recorded volumes that are no validation volumes now, or other ones, in words."""
    # along skeletons scores are told beside it, unless the metric is against them
    unused = () if config.evaluate.metric.against == "skeletons" else ("skeletons",)
    volumes = {
        name: without(volume.model_dump(mode="json"), unused)
        for name, volume in config.dataset.part("validate").items()
    }
    return [
        f"volume {name!r} is no validation volume, or another one now"
        for name in recorded
        if without(recorded[name], unused) != volumes.get(name)
    ]


def _warn_unused(path: Path, differences: Sequence[str], *, instead: float | None) -> None:
    """instead: the threshold that is taken; None: there is none that was picked."""
    taken = "" if instead is None else f"{instead:g}, of validation during training, is taken; "
    log.warning(
        "the threshold in %s is not used, it was picked otherwise than the config says: %s; %srun "
        "%s on validation volumes to pick one",
        path,
        "; ".join(differences),
        taken,
        typed("evaluate"),
    )


def scoring_settings(settings: Segment) -> dict[str, Any]:
    """The settings that the choice of a threshold depends on, as JSON.

    These are all settings of segmentation but thresholds, levels, workers, and what is not used.
    """
    unused = {"edge_context"} if settings.grown == "whole" else set()
    used = settings.model_dump(mode="json", exclude={"thresholds", "workers", "levels", *unused})
    return {**used, "agglomeration": settings.grown}


def without(settings: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Settings but those of these names."""
    return {name: value for name, value in settings.items() if name not in names}
