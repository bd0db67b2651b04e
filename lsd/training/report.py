"""What of an update is shown in tensorboard."""

from __future__ import annotations

from lsd.training.learner import Learner
from lsd.training.pictures import Picture, channels, colours, grey
from lsd.training.step import Update


def scalars(learner: Learner, update: Update) -> dict[str, float]:
    """Losses, learning rate of the next step, norm of the gradient."""
    return {
        "loss/total": update.loss,
        **{f"loss/{name}": loss for name, loss in update.heads.items()},
        "learning_rate": learner.optimizer.param_groups[0]["lr"],
        "gradient_norm": update.gradient_norm,
    }


def pictures(update: Update) -> dict[str, Picture]:
    """Middle sections of the first sample: raw, labels, and of each head the target and the prediction."""
    batch = update.batch
    shown = {"1_raw": grey(batch.raw[0]), "2_labels": colours(batch.labels[0, 0])}
    for name, logits in update.logits.items():
        shown[f"{name}/target"] = channels(batch.targets[name][0])
        shown[f"{name}/prediction"] = channels(logits[0].detach().float().sigmoid().cpu().numpy())
    return shown
