"""One update of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsd.batches.pipeline import Batch
from lsd.losses.tasks import Total, total
from lsd.network.precision import autocast
from lsd.training import keeping
from lsd.training.faults import check_finite
from lsd.training.learner import Learner


@dataclass(frozen=True)
class Update:
    """What one update did.

    loss: what was minimised, heads: each head's own loss before its weight, means over the batches
    gradient_norm: before clipping
    batch, logits: the last one and what the network said
    """

    loss: float
    heads: Mapping[str, float]
    gradient_norm: float
    batch: Batch
    logits: Mapping[str, Tensor]


def step(learner: Learner, batches: Iterator[Batch]) -> Update:
    """Learns from the next train.accumulate batches.

    Raises NotFiniteError, before any weight is changed, where a loss or gradient is no number.
    """
    train = learner.config.train
    seen: list[Mapping[str, float]] = []
    learner.optimizer.zero_grad()
    for batch in islice(batches, train.accumulate):
        logits = forward(learner, batch)
        loss = losses(learner, logits, batch)
        seen.append(_values(loss))
        _check(learner, seen[-1])
        learner.scaler.scale(loss.value / train.accumulate).backward()  # type: ignore[no-untyped-call]
    norm = _gradient_norm(learner)
    _apply(learner)
    loss_, *heads = np.mean([list(values.values()) for values in seen], axis=0).tolist()
    shown = {name: head.detach() for name, head in logits.items()}
    return Update(loss_, dict(zip(learner.stage.heads, heads, strict=True)), norm, batch, shown)


def forward(learner: Learner, batch: Batch) -> dict[str, Tensor]:
    """Logits of the stage's heads for a batch."""
    with autocast(learner.config.train.precision, learner.device):
        return learner.run(_tensor(learner, batch.raw), stage=learner.stage.name)


def losses(learner: Learner, logits: Mapping[str, Tensor], batch: Batch) -> Total:
    """The loss of a batch."""
    return total(
        logits,
        {name: _tensor(learner, target) for name, target in batch.targets.items()},
        weights={name: _tensor(learner, weights) for name, weights in batch.weights.items()},
        losses={name: head.loss for name, head in learner.stage.heads.items()},
    )


def _gradient_norm(learner: Learner) -> float:
    learner.scaler.unscale_(learner.optimizer)
    parameters, clip = learner.parameters(), learner.config.train.clip
    norm = torch.nn.utils.get_total_norm(
        [parameter.grad for parameter in parameters if parameter.grad is not None]
    )
    # with a scaler, a step that overflows is left out and tried again at a lower scale
    if not learner.scaler.is_enabled():
        _check(learner, {"the gradient": norm.item()})
    if clip is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm)
    return norm.item()


def _apply(learner: Learner) -> None:
    scale = learner.scaler.get_scale()
    learner.scaler.step(learner.optimizer)
    learner.scaler.update()
    if learner.scaler.get_scale() >= scale:
        learner.scheduler.step()
    if learner.average:
        learner.average.update(learner.cascade, learner.iteration)
    learner.iteration += 1


def _check(learner: Learner, values: Mapping[str, float]) -> None:
    check_finite(
        values, iteration=learner.iteration, kept=keeping.latest(learner.config, learner.stage)
    )


def _values(loss: Total) -> dict[str, float]:
    # one copy from the device, not one a head
    names = ["the loss", *(f"the loss of {name}" for name in loss.heads)]
    return dict(
        zip(names, torch.stack([loss.value.detach(), *loss.heads.values()]).tolist(), strict=True)
    )


def _tensor(learner: Learner, array: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(array).to(learner.device, non_blocking=True)
