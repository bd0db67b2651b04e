"""What of an update is shown in tensorboard."""

from __future__ import annotations

from lsd.spec import Stage
from lsd.targets.target import target_kind
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


def pictures(update: Update, stage: Stage) -> dict[str, Picture]:
    """Raw, labels, and of each head of the stage the target and the prediction: the section of the
    batch of which most is known."""
    batch = update.batch
    sample, above = most_known(batch.weights.values())
    labels = colours(batch.labels[sample, 0], above=above)
    shown = {"1_raw": grey(batch.raw[sample], above=above), "2_labels": labels}
    for name, logits in update.logits.items():
        kind = target_kind(stage.heads[name].target)
        [predicted] = kind.activation(logits[sample : sample + 1].detach().float()).cpu().numpy()
        for what, values in (("target", batch.targets[name][sample]), ("prediction", predicted)):
            shown[f"{name}/{what}"] = channels(kind.storage.as_grey(values), above=above)
    return shown
