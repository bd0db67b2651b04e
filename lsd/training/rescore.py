"""Scores the best checkpoint again, where validation is no longer what it was scored with."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch

from lsd.blockwise.on_disk.step import differences
from lsd.losses.stage import StageLosses
from lsd.network.checkpoints import checkpoint, files
from lsd.network.checkpoints.restore import from_checkpoint, load_weights
from lsd.spec import Config
from lsd.spec.effect import written_out
from lsd.training.checkpointing import record_best
from lsd.training.learner import Learner
from lsd.training.validation import Validator

log = logging.getLogger(__name__)


def needs_rescoring(learner: Learner, validator: Validator) -> bool:
    """Whether the best score so far cannot be compared with what `validator` will find."""
    best = learner.best
    return bool(validator) and best is not None and best.get("yardstick") != validator.yardstick


def rescore_best(learner: Learner, validator: Validator) -> None:
    """Scores the best checkpoint with `validator`, and says why its old score does not count.

    learner.best and validation.json then hold the new score; best.pt stays, and later validations
    are compared with it.  Where best.pt is gone, the comparison starts with the next validation.
    """
    best, stage = learner.best, learner.stage.name
    assert best is not None, "there is nothing to score again"
    log.warning(
        "%s: scores of validation cannot be compared with those so far: %s",
        stage,
        _reason(best, validator.yardstick),
    )
    path = files.best_file(learner.checkpoints)
    if path is None or not checkpoint.is_whole(path):
        learner.best = None
        log.warning(
            "%s: there is no best checkpoint to score again: the next validation begins anew", stage
        )
        return
    # building a network draws weights from the generator that training goes on with
    with torch.random.fork_rng(devices=[]):
        restored = from_checkpoint(path)
        losses = StageLosses(learner.stage.heads, weighting=learner.stage.weighting)
    load_weights(losses, restored.losses, where=str(path), of="losses")
    validation = validator(restored.cascade, losses)
    learner.note_best(
        validation.record(), iteration=restored.iteration, yardstick=validator.yardstick
    )
    record_best(learner)
    log.info(
        "%s: the best so far, of iteration %d, scored again: %s (it was %.3f)",
        stage,
        restored.iteration,
        validation,
        best["score"],
    )


def _reason(best: Mapping[str, Any], yardstick: Mapping[str, Any]) -> str:
    recorded = best.get("yardstick")
    if recorded is None:
        return "a version that did not note what they depend on found them"
    return "; ".join(differences(written_out(recorded, Config), written_out(yardstick, Config)))
