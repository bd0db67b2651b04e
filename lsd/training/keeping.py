"""The checkpoints of a run: which are written, kept, and named best."""

from __future__ import annotations

import json
from pathlib import Path

from lsd.network import checkpoint
from lsd.segmentation.threshold import scoring_settings
from lsd.spec import Config, Stage
from lsd.spec.paths import checkpoints, validation_file
from lsd.training.learner import Learner
from lsd.training.record import write_text

BEST = "best.pt"


def save(learner: Learner) -> None:
    """Writes a checkpoint of this iteration if there is none, and deletes those that are too old; the best stays.

    While nothing has been validated, the latest counts as the best.
    """
    path = _path(learner)
    if not path.exists():
        checkpoint.save(path, learner.content())
    if learner.best is None:
        checkpoint.publish(path, path.with_name(BEST))
    checkpoint.prune(path.parent, keep=learner.config.train.keep)


def save_best(learner: Learner) -> None:
    """Names the checkpoint of this iteration the best, and records what its validation found."""
    save(learner)
    path = _path(learner)
    checkpoint.publish(path, path.with_name(BEST))
    record = {**(learner.best or {}), "segment": scoring_settings(learner.config)}
    write_text(validation_file(learner.config), json.dumps(record, indent=2) + "\n")


def latest(config: Config, stage: Stage) -> Path | None:
    """The checkpoint that the stage goes on from; None if there is none."""
    return checkpoint.newest(checkpoints(config, stage.name))


def _path(learner: Learner) -> Path:
    return checkpoints(learner.config, learner.stage.name) / checkpoint.file_name(learner.iteration)
