"""The weights that a stage begins with: those of train.init, and of the stages before it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.matching import load_matching
from lsd.network.checkpoints.restore import config_of, load_weights, stage_weights
from lsd.prediction.voxels import other_voxels
from lsd.spec import Config, Stage, Train
from lsd.spec.user_paths import expanded
from lsd.training.compatibility import differing_values
from lsd.training.finished import final_checkpoint

log = logging.getLogger(__name__)

# of a trunk: what is discarded, and what lies beyond a border, change nothing else
_BORDERS = ("context", "padding")


def check_init_files(train: Train) -> None:
    """Raises ValueError if train.init names a file that is not there."""
    for stage, path in train.init.items():
        if not expanded(path).is_file():
            raise ValueError(
                f"train.init names {path!r} for stage {stage!r}, which is no file; name a "
                f"checkpoint (.pt)"
            )


def initial_checkpoints(config: Config, stage: Stage) -> dict[str, Path]:
    """The checkpoint, by stage, of each stage before `stage`, and of `stage` itself if train.init
    names one."""
    paths: dict[str, Path] = {}
    for earlier in config.variant.stages:
        if earlier == stage:
            break
        path = final_checkpoint(config, earlier)
        paths[earlier.name] = path if path else expanded(config.train.init[earlier.name])
    if stage.name in config.train.init:
        paths[stage.name] = expanded(config.train.init[stage.name])
    return paths


def load_initial_weights(
    cascade: Cascade,
    paths: Mapping[str, Path],
    *,
    stage: str,
    voxel_size: Sequence[float] | None = None,
) -> None:
    """Copies the weights of each stage's checkpoint into `cascade`, averaged ones where it has
    them.

    A checkpoint that has no stage of that name gives its last one.  The stages before `stage` are
    used as they are, so all of their weights must fit, and mean what the cascade says.  Of `stage`,
    which is to be trained, the layers that match are loaded, and the rest is named.  Raises
    ValueError where weights do not fit.
    voxel_size: of the training data, nm; it is told where an earlier stage knows other voxels
    """
    for name, path in paths.items():
        content = checkpoint.load(path)
        has_stage = any(key.startswith(f"stage_{name}.") for key in content["model"])
        of = name if has_stage else content["stage"]
        weights = stage_weights(content, of, where=path)
        module, where = cascade.stage(name), f"{path} (for stage {name!r})"
        if name == stage:
            log.info("%s: from %s %s", name, path, load_matching(module, weights, where=where))
            _warn_of_other_trunk(content, cascade, where=where)
        else:
            load_weights(module, weights, where=where)
            _check_meaning(content, cascade, name, of=of, where=where)
            words = voxel_size and other_voxels(
                voxel_size, content.get("voxel_size"), dims=cascade.trunk.dims
            )
            if words:
                log.warning("%s is used as it is, and training volumes have %s", where, words)


def _warn_of_other_trunk(content: Mapping[str, Any], cascade: Cascade, *, where: str) -> None:
    if others := _other_trunk(_trained_with(content, where), cascade):
        log.warning(
            "%s was trained with another network.trunk, which shapes of weights need not show: %s; "
            "what is loaded begins as a part of another network",
            where,
            "; ".join(others),
        )


def _check_meaning(
    content: Mapping[str, Any], cascade: Cascade, name: str, *, of: str, where: str
) -> None:
    """Raises ValueError where a stage that is used as it is computes, or learned, something else
    than the cascade says."""
    config = _trained_with(content, where)
    others = _other_trunk(config, cascade)
    if config is not None:
        there, here = (
            _learned(next(stage for stage in stages if stage.name == stage_name))
            for stages, stage_name in ((config.variant.stages, of), (cascade.variant.stages, name))
        )
        others += _told(there, here)
    if others:
        raise ValueError(
            f"weights in {where} are used as they are, and were trained with other settings: "
            f"{'; '.join(others)}; give the config those of the checkpoint, or train the stage, "
            f"without train.frozen"
        )


def _trained_with(content: Mapping[str, Any], where: str) -> Config | None:
    """The config of a checkpoint; None where nobody can read it here, so that it is not looked
    at."""
    try:
        return config_of(content, where=where)
    except ValueError:
        return None


def _other_trunk(config: Config | None, cascade: Cascade) -> list[str]:
    if config is None:
        return []
    there, here = (
        trunk.model_dump(mode="json", exclude=set(_BORDERS))
        for trunk in (config.network.trunk, cascade.trunk)
    )
    return [f"trunk.{line}" for line in _told(there, here)]


def _learned(stage: Stage) -> dict[str, Any]:
    """What a stage reads, in the order of its channels, and what its heads learn."""
    heads = {name: head.target.model_dump(mode="json") for name, head in stage.heads.items()}
    return {"reads": list(stage.reads), "heads": heads}


def _told(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    return [
        f"{path} {old!r} there, {new!r} here"
        for path, old, new in differing_values(there, here, free=())
    ]
