"""The checkpoints of a stage in training: when they are written, which are kept, and which is the
best."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsd.network.checkpoints import checkpoint, files
from lsd.spec import Config, Stage
from lsd.spec.paths import validation_file
from lsd.system.atomic import write_text
from lsd.system.json_files import read_object
from lsd.training.finished import is_built_on, newest_checkpoint
from lsd.training.learner import Learner

log = logging.getLogger(__name__)


def save(learner: Learner) -> None:
    """Writes a checkpoint of this iteration if there is none, and deletes those that are too old.

    The best one stays.  While nothing has been validated, the latest counts as the best.
    """
    path = learner.checkpoint_path(learner.iteration)
    if not path.exists():
        checkpoint.save(path, learner.content())
    if learner.best is None:
        files.make_best(path)
    files.prune(path.parent, keep=learner.config.train.keep)


def save_best(learner: Learner) -> None:
    """Makes the checkpoint of this iteration the best, and writes down its validation."""
    save(learner)
    files.make_best(learner.checkpoint_path(learner.iteration))
    record_best(learner)


def record_best(learner: Learner) -> None:
    """Writes validation.json: scores and threshold of the best, and what they depend on; a score
    that is undefined is null there."""
    if learner.best:
        _record(learner.config, learner.best)


def _record(config: Config, best: Mapping[str, Any]) -> None:
    # a version that did not note what scores depend on wrote the file itself
    if "yardstick" in best:
        record = dict(best)
        if not math.isfinite(record["score"]):
            # infinity is no JSON
            record["score"] = None
        write_text(validation_file(config), json.dumps(record, indent=2) + "\n")


def restore_best_of_finished(config: Config, stage: Stage) -> None:
    """Makes best.pt and validation.json of a finished stage those that its last checkpoint says,
    where the run was killed between that and them.  Raises ValueError for a damaged one."""
    path = newest_checkpoint(config, stage)
    if path is None or is_built_on(config, stage):
        return
    content = checkpoint.load(path)
    best = content["best"]
    if best is not None and best["iteration"] != content["iteration"]:
        return
    if not _is_best(path, content["sha256"]):
        files.make_best(path)
    recorded = read_object(validation_file(config))
    if best is not None and any(recorded.get(key) != best[key] for key in ("stage", "iteration")):
        _record(config, best)


def _is_best(path: Path, sha256: str) -> bool:
    """Whether best.pt is this checkpoint, or a copy of it.  Raises Damaged for one that is not
    whole."""
    best = files.best_file(path.parent)
    return best is not None and (best.samefile(path) or checkpoint.verify(best) == sha256)


def restore_best(learner: Learner) -> None:
    """Makes best.pt and validation.json those of learner.best again, after a kill or damage.

    Where the checkpoint of the best is gone, learner.best becomes None.
    """
    if learner.best is None:
        return
    best, iteration = learner.checkpoints / files.BEST, learner.best["iteration"]
    checkpoint_of_best = learner.checkpoint_path(iteration)
    if iteration == learner.iteration:
        save_best(learner)
    elif not best.exists() and checkpoint_of_best.exists():
        files.make_best(checkpoint_of_best)
    elif not best.exists():
        log.warning(
            "%s is gone: the next validation begins anew, and the latest is the best until then",
            best,
        )
        learner.best = None
