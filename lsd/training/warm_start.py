"""The weights that a stage begins with: those of train.init, and of the stages before it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.matching import load_matching
from lsd.network.checkpoints.restore import load_weights, stage_weights
from lsd.spec import Config, Stage, Train
from lsd.spec.user_paths import expanded
from lsd.training.finished import final_checkpoint

log = logging.getLogger(__name__)


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


def load_initial_weights(cascade: Cascade, paths: Mapping[str, Path], *, stage: str) -> None:
    """Copies the weights of each stage's checkpoint into `cascade`, averaged ones where it has
    them.

    A checkpoint that has no stage of that name gives its last one.  The stages before `stage` are
    used as they are, so all of their weights must fit.  Of `stage`, which is to be trained, the
    layers that match are loaded, and the rest is named.  Raises ValueError where weights do not
    fit.
    """
    for name, path in paths.items():
        content = checkpoint.load(path)
        has_stage = any(key.startswith(f"stage_{name}.") for key in content["model"])
        weights = stage_weights(content, name if has_stage else content["stage"], where=path)
        module, where = cascade.stage(name), f"{path} (for stage {name!r})"
        if name == stage:
            log.info("%s: from %s %s", name, path, load_matching(module, weights, where=where))
        else:
            load_weights(module, weights, where=where)
