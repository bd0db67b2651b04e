"""How far the training of a stage is, by the checkpoints that lie in the run's folder."""

from __future__ import annotations

from pathlib import Path

from lsd.network.checkpoints import files
from lsd.spec import Config, Stage
from lsd.spec.paths import checkpoints


def newest_checkpoint(config: Config, stage: Stage) -> Path | None:
    """The checkpoint that a stage would go on from; None if it has not begun."""
    return files.newest_file(checkpoints(config, stage.name))


def iterations_done(config: Config, stage: Stage) -> int:
    """How many iterations of a stage are done, by the name of its newest checkpoint."""
    path = newest_checkpoint(config, stage)
    return (files.iteration(path) if path else None) or 0


def final_checkpoint(config: Config, stage: Stage) -> Path | None:
    """The best checkpoint of a stage that is finished; None while it is still to be trained.

    A stage is finished with its last iteration, or once a later stage has been trained on it.
    """
    newest = newest_checkpoint(config, stage)
    is_done = iterations_done(config, stage) >= config.train.iterations
    if newest is None or not (is_done or is_built_on(config, stage)):
        return None
    return files.best_file(newest.parent) or newest


def is_built_on(config: Config, stage: Stage) -> bool:
    """Whether a later stage has a checkpoint, which was trained on that of this one."""
    stages = config.variant.stages
    names = [each.name for each in stages]
    return any(newest_checkpoint(config, later) for later in stages[names.index(stage.name) + 1 :])
