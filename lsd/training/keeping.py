"""The checkpoints of a run: which are written, kept, and named best."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from lsd.network.checkpoints import checkpoint, files
from lsd.spec import Config, Stage
from lsd.spec.paths import checkpoints, validation_file
from lsd.system.atomic import write_text
from lsd.training.learner import Learner

log = logging.getLogger(__name__)


def save(learner: Learner) -> None:
    """Writes a checkpoint of this iteration if there is none, and deletes those that are too old;
    the best stays.

    While nothing has been validated, the latest counts as the best.
    """
    path = _path(learner)
    if not path.exists():
        checkpoint.save(path, learner.content())
    if learner.best is None:
        files.make_best(path)
    files.prune(path.parent, keep=learner.config.train.keep)


def save_best(learner: Learner) -> None:
    """Names the checkpoint of this iteration the best, and records what its validation found."""
    save(learner)
    path = _path(learner)
    files.make_best(path)
    record_best(learner)


def record_best(learner: Learner) -> None:
    """Writes down what the validation of the best found, and what its score and threshold depend
    on."""
    # a version that did not note it wrote the file itself
    if learner.best and "yardstick" in learner.best:
        write_text(validation_file(learner.config), json.dumps(learner.best, indent=2) + "\n")


def mend_best(learner: Learner) -> None:
    """What a kill or a damaged file left undone: best.pt and the record are those of the best that
    the learner knows.

    Where its checkpoint is gone, there is no best any more.
    """
    if learner.best is None:
        return
    best = _path(learner).with_name(files.BEST)
    kept = best.with_name(files.file_name(learner.best["iteration"]))
    if learner.best["iteration"] == learner.iteration:
        save_best(learner)
    elif not best.exists() and kept.exists():
        files.make_best(kept)
    elif not best.exists():
        log.warning(
            "%s is gone: the next validation begins anew, and the latest is the best until then",
            best,
        )
        learner.best = None


def latest(config: Config, stage: Stage) -> Path | None:
    """The checkpoint that the stage goes on from; None if there is none."""
    return files.newest(checkpoints(config, stage.name))


def _path(learner: Learner) -> Path:
    return checkpoints(learner.config, learner.stage.name) / files.file_name(learner.iteration)
