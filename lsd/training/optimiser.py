"""Adam as in the paper, and the learning rate over a stage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, assert_never

import torch
from torch.optim.lr_scheduler import LambdaLR

from lsd.spec import Train


def optimizer(
    weights: Iterable[torch.nn.Parameter],
    train: Train,
    *,
    of_losses: Iterable[torch.nn.Parameter] = (),
) -> torch.optim.Optimizer:
    """Adam, or AdamW where weight decay is asked for, over the weights that are not frozen.

    of_losses: parameters that losses own.  They do not decay, since 0 is no neutral value for them,
               e.g. for a margin
    """
    kind = torch.optim.AdamW if train.weight_decay > 0 else torch.optim.Adam
    groups: list[dict[str, Any]] = [{"params": trained(weights)}]
    if loss_parameters := trained(of_losses):
        groups.append({"params": loss_parameters, "weight_decay": 0.0})
    # one pass over the weights instead of ten: a tenth of a step of the paper's network
    fused = all(
        parameter.device.type in ("cpu", "cuda")
        for group in groups
        for parameter in group["params"]
    )
    return kind(
        groups,
        lr=train.learning_rate,
        betas=train.betas,
        weight_decay=train.weight_decay,
        fused=fused,
    )


def trained(parameters: Iterable[torch.nn.Parameter]) -> list[torch.nn.Parameter]:
    """Those that are not frozen."""
    return [parameter for parameter in parameters if parameter.requires_grad]


def scheduler(optimizer: torch.optim.Optimizer, train: Train) -> LambdaLR:
    """Sets the learning rate of each step to train.learning_rate times `factor`."""
    return LambdaLR(optimizer, lambda iteration: factor(iteration, train))


def restore_scheduler(restored: LambdaLR, state: Mapping[str, Any], train: Train) -> None:
    """Goes on from a state; the next step has the rate that train gives it, also where that has
    another number of iterations than the state was made with."""
    restored.load_state_dict(dict(state))
    rates = [base * factor(restored.last_epoch, train) for base in restored.base_lrs]
    for group, rate in zip(restored.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    restored._last_lr = rates


def factor(iteration: int, train: Train) -> float:
    """Factor on the learning rate in this iteration (from 0), in [0, 1].

    Rises linearly over the warm-up; then stays at 1, or falls to `final` after the last iteration,
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
            remaining = 1 - done
        case "cosine":
            remaining = (1 + math.cos(math.pi * done)) / 2
        case _:
            assert_never(schedule.kind)
    return schedule.final + (1 - schedule.final) * remaining
