"""Adam as in the paper, and the learning rate over a stage."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import assert_never

import torch
from torch.optim.lr_scheduler import LambdaLR

from lsd.spec import Train


def optimizer(parameters: Iterable[torch.nn.Parameter], train: Train) -> torch.optim.Optimizer:
    """Adam, or AdamW where weight decay is asked for, over the parameters that are not frozen."""
    kind = torch.optim.AdamW if train.weight_decay > 0 else torch.optim.Adam
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    # one pass over the weights instead of ten: a tenth of a step of the paper's network
    fused = all(parameter.device.type in ("cpu", "cuda") for parameter in trained)
    return kind(
        trained,
        lr=train.learning_rate,
        betas=train.betas,
        weight_decay=train.weight_decay,
        fused=fused,
    )


def scheduler(optimizer: torch.optim.Optimizer, train: Train) -> LambdaLR:
    """Sets the learning rate of `optimizer` to `train.learning_rate` times `factor`, step by
    step."""
    return LambdaLR(optimizer, lambda iteration: factor(iteration, train))


def factor(iteration: int, train: Train) -> float:
    """What the learning rate of this iteration (from 0) is multiplied by, in [0, 1].

    Rises linearly over the warm-up; then stays at 1, or falls to `final` at the last iteration,
    linearly or along half a cosine.
    """
    schedule = train.schedule
    if iteration < schedule.warmup:
        return (iteration + 1) / (schedule.warmup + 1)
    done = min(1.0, (iteration - schedule.warmup) / max(1, train.iterations - schedule.warmup))
    match schedule.kind:
        case "constant":
            return 1.0
        case "linear":
            left = 1 - done
        case "cosine":
            left = (1 + math.cos(math.pi * done)) / 2
        case _:
            assert_never(schedule.kind)
    return schedule.final + (1 - schedule.final) * left
