"""All that a learner's network and losses hold, as one set of tensors: parameters, buffers, and
moving averages of both."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lsd.training.learner import Learner


def weights_of(learner: Learner) -> dict[str, Tensor]:
    """By name.  They are the learner's own, and change with it."""
    stage = learner.cascade.stage(learner.stage.name)
    parts: dict[str, Mapping[str, Tensor]] = {
        "network": stage.state_dict(),
        "losses": learner.losses.state_dict(),
        "ema": learner.average.weights if learner.average else {},
        "ema_of_losses": learner.average_of_losses.weights if learner.average_of_losses else {},
    }
    return {
        f"{part}.{name}": tensor
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }


def copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights that stay as they are."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


@torch.no_grad()
def set_weights(learner: Learner, weights: Mapping[str, Tensor]) -> None:
    """Copies weights into a learner; its optimiser is left alone."""
    for name, tensor in weights_of(learner).items():
        tensor.copy_(weights[name])
