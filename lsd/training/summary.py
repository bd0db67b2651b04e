"""Curves and pictures of an update, as tensorboard shows them."""

from __future__ import annotations

from lsd.spec import Stage
from lsd.targets.target import target_kind
from lsd.training.learner import Learner
from lsd.training.pictures import (
    Picture,
    head_picture,
    labels_picture,
    most_known,
    raw_picture,
)
from lsd.training.step import Update


def update_curves(learner: Learner, update: Update) -> dict[str, float]:
    """Losses, learning rate of the next step, norm of the gradient, and what weighs the tasks."""
    weighting = learner.losses.balancer.curves()
    return {
        "loss/total": update.loss,
        **{f"loss/{name}": loss for name, loss in update.heads.items()},
        "learning_rate": learner.optimizer.param_groups[0]["lr"],
        "gradient_norm": update.gradient_norm,
        **{f"weighting/{name}": value for name, value in weighting.items()},
    }


def update_pictures(update: Update, stage: Stage) -> dict[str, Picture]:
    """A section of raw, of labels, and of each head's target and prediction.

    It is the section of the batch of which most is known.
    """
    batch = update.batch
    assert batch is not None, "the first process has a sample of every batch"
    sample, above = most_known(batch.weights.values())
    pictures = {
        "1_raw": raw_picture(batch.raw[sample], above=above),
        "2_labels": labels_picture(batch.labels[sample, 0], above=above),
    }
    for name, logits in update.logits.items():
        kind = target_kind(stage.heads[name].target)
        [predicted] = kind.activation(logits[sample : sample + 1].detach().float()).cpu().numpy()
        target = kind.storage.as_grey(batch.targets[name][sample])
        pictures[f"{name}/target"] = head_picture(target, above=above)
        predicted = kind.storage.as_grey(predicted)
        pictures[f"{name}/prediction"] = head_picture(predicted, above=above)
    return pictures
