"""The best so far, scored again where validation is another one than it was found with."""

from __future__ import annotations

import logging
from typing import Any

import torch

from lsd.blockwise.on_disk.step import differences
from lsd.losses.stage import StageLosses
from lsd.network.checkpoints import checkpoint, files
from lsd.network.checkpoints.restore import from_checkpoint, load_weights
from lsd.spec import paths
from lsd.training import keeping
from lsd.training.learner import Learner
from lsd.training.validation import Validator

log = logging.getLogger(__name__)


def score_again(learner: Learner, validator: Validator) -> None:
    """Brings learner.best, best.pt and validation.json to the yardstick of `validator`, and says
    what differs.

    best.pt stays: it is the best that is known, and what comes is compared with its new score.
    Where it is gone, the comparison starts anew with the next validation.
    """
    best = learner.best
    if best is None or not validator or best.get("yardstick") == validator.yardstick:
        return
    log.warning(
        "%s: scores of validation cannot be compared with those so far: %s",
        learner.stage.name,
        _changed(best, validator),
    )
    path = files.best(paths.checkpoints(learner.config, learner.stage.name))
    if path is None or not checkpoint.is_whole(path):
        learner.best = None
        log.warning(
            "%s: there is no best checkpoint to score again: the next validation begins anew",
            learner.stage.name,
        )
        return
    # building a network draws weights from the generator that training goes on with
    with torch.random.fork_rng(devices=[]):
        restored = from_checkpoint(path)
        losses = StageLosses(learner.stage.heads)
    load_weights(losses, restored.losses, where=str(path), of="losses")
    again = validator(restored.cascade, losses)
    name, iteration = learner.stage.name, restored.iteration
    learner.note_best(again.record(), iteration=iteration, yardstick=validator.yardstick)
    keeping.record_best(learner)
    log.info(
        "%s: the best so far, of iteration %d, scored again: %s (it was %.3f)",
        name,
        iteration,
        again,
        best["score"],
    )


def _changed(best: dict[str, Any], validator: Validator) -> str:
    noted = best.get("yardstick")
    if noted is None:
        return "a version that did not note what they depend on found them"
    return "; ".join(differences(noted, validator.yardstick))
