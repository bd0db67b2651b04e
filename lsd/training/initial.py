"""Where a stage begins: at its newest checkpoint, else with the weights of train.init and of the
stages before it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsd.losses.stage import StageLosses
from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint, files
from lsd.network.checkpoints.matching import load_matching
from lsd.network.checkpoints.repair import way_back
from lsd.network.checkpoints.restore import config_of, load_weights, stage_weights
from lsd.network.precision import choose
from lsd.network.trunks.trunk import architecture
from lsd.prediction.predictor import choose_device
from lsd.spec import Config, Stage
from lsd.spec.code import digests
from lsd.spec.paths import checkpoints
from lsd.spec.written import expanded
from lsd.training import keeping
from lsd.training.data import check_data
from lsd.training.learner import Learner, new
from lsd.training.resume import check_same

log = logging.getLogger(__name__)


def check(config: Config) -> None:
    """Raises ValueError for what would only be found late: no such device or checkpoint, nothing to
    train, another config."""
    train, last = config.train, config.variant.stages[-1].name
    device = choose_device(train.device).type
    if device == "cpu" and choose(train.precision, device) == "bf16":
        architecture(config.network.trunk).check_bf16(config.network.train_shape)
    # once the last stage has begun, its checkpoint holds all of them
    needed = {} if keeping.latest(config, config.variant.stages[-1]) else train.init
    for stage, path in needed.items():
        if not expanded(path).is_file():
            raise ValueError(
                f"train.init names {path!r} for stage {stage!r}, which is no file; name a "
                f"checkpoint (.pt)"
            )
    for one in config.variant.stages:
        # raises ValueError where a head cannot be learned by its loss
        StageLosses(one.heads)
    if last in train.frozen:
        raise ValueError(
            f"train.frozen names the last stage, {last!r}, so nothing is left to train; predict "
            f"with it at once"
        )
    begun = [stage for stage in config.variant.stages if keeping.latest(config, stage)]
    if begun:
        there, content = newest(config, begun[-1])
        check_same(config_of(content, where=there), config, where=str(there))
        check_data(content.get("data"), config, where=there)
        _tell_edited(content.get("code", {}), config, where=there)


def _tell_edited(noted: Mapping[str, str], config: Config, *, where: Path) -> None:
    """Weights follow from the code of targets and losses, too; a comment that was added is no
    reason to refuse."""
    now = digests(config)
    for module in [name for name in noted if now.get(name, noted[name]) != noted[name]]:
        said = "module %s was edited since %s was trained: the run goes on with it as it is now"
        log.warning(said, module, where)


def begin(config: Config, stage: Stage) -> Learner:
    """A learner that goes on from the newest checkpoint of its stage, or starts.

    Raises ValueError where a checkpoint is damaged, with the way back to the one before, or does
    not fit.
    """
    learner = new(config, stage)
    if keeping.latest(config, stage) is None:
        load(learner.cascade, sources(config, stage), stage=stage.name)
        learner.restart_average()
        return learner
    path, content = newest(config, stage)
    learner.restore(content, where=str(path))
    keeping.mend_best(learner)
    return learner


def newest(config: Config, stage: Stage) -> tuple[Path, dict[str, Any]]:
    """The newest checkpoint of a stage that has one.  Raises ValueError where it is damaged, with
    the way back."""
    path = keeping.latest(config, stage)
    assert path is not None
    try:
        return path, checkpoint.load(path)
    except checkpoint.Damaged as error:
        raise ValueError(f"{error.what}; {way_back(path)}") from error


def done(config: Config, stage: Stage) -> int:
    """Iterations of a stage that are done, by the name of its newest checkpoint."""
    path = keeping.latest(config, stage)
    return (files.iteration(path) if path else None) or 0


def finished(config: Config, stage: Stage) -> Path | None:
    """The checkpoint that a stage ended with, the best if there is one; None while it is still to
    be trained.

    It is finished with its last iteration, or once a later stage has been trained on it.
    """
    newest = keeping.latest(config, stage)
    if newest is None or (
        done(config, stage) < config.train.iterations and not _is_built_on(config, stage)
    ):
        return None
    return files.best(checkpoints(config, stage.name)) or newest


def sources(config: Config, stage: Stage) -> dict[str, Path]:
    """{stage: checkpoint} for each stage before `stage`, and for itself where train.init names
    one."""
    checkpoint_of: dict[str, Path] = {}
    for earlier in config.variant.stages:
        if earlier == stage:
            break
        path = finished(config, earlier)
        checkpoint_of[earlier.name] = path if path else expanded(config.train.init[earlier.name])
    if stage.name in config.train.init:
        checkpoint_of[stage.name] = expanded(config.train.init[stage.name])
    return checkpoint_of


def load(cascade: Cascade, paths: Mapping[str, Path], *, stage: str) -> None:
    """Puts the weights of each stage's checkpoint in place, averaged ones where it has them.

    A checkpoint that has no stage of that name gives its last one.  The stages before `stage` are
    used as they are, so theirs must fit; of the one that is to be trained, what matches is loaded,
    and the rest is named.  Raises ValueError where weights do not fit.
    """
    for name, path in paths.items():
        content = checkpoint.load(path)
        there = any(key.startswith(f"stage_{name}.") for key in content["model"])
        weights = stage_weights(content, name if there else content["stage"], where=path)
        where = f"{path} (for stage {name!r})"
        if name == stage:
            log.info(
                "%s: from %s %s",
                name,
                path,
                load_matching(cascade.stage(name), weights, where=where),
            )
        else:
            load_weights(cascade.stage(name), weights, where=where)


def _is_built_on(config: Config, stage: Stage) -> bool:
    names = [s.name for s in config.variant.stages]
    return any(
        files.newest(checkpoints(config, later)) for later in names[names.index(stage.name) + 1 :]
    )
