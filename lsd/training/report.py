"""What of an update is shown in tensorboard."""

from __future__ import annotations

from lsd.training.learner import Learner
from lsd.training.pictures import Picture, channels, colours, grey, most_known
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
    """Raw, labels, and of each head the target and the prediction: the section of the batch of
    which most is known."""
    batch = update.batch
    sample, above = most_known(batch.weights.values())
    labels = colours(batch.labels[sample, 0], above=above)
    shown = {"1_raw": grey(batch.raw[sample], above=above), "2_labels": labels}
    for name, logits in update.logits.items():
        predicted = logits[sample].detach().float().sigmoid().cpu().numpy()
        shown[f"{name}/target"] = channels(batch.targets[name][sample], above=above)
        shown[f"{name}/prediction"] = channels(predicted, above=above)
    return shown
