"""One update of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsd.batches.pipeline import Batch
from lsd.losses.loss import LossSample
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
        given = sample(learner, batch, logits)
        seen.append(_backward(learner, given, accumulated=train.accumulate))
    norm = _gradient_norm(learner)
    _apply(learner)
    loss, *heads = np.mean([list(values.values()) for values in seen], axis=0).tolist()
    shown = {name: head.detach() for name, head in logits.items()}
    return Update(loss, dict(zip(learner.stage.heads, heads, strict=True)), norm, batch, shown)


def forward(learner: Learner, batch: Batch) -> dict[str, Tensor]:
    """Logits of the stage's heads for a batch."""
    with autocast(learner.config.train.precision, learner.device):
        return learner.run(_tensor(learner, batch.raw), stage=learner.stage.name)


def sample(learner: Learner, batch: Batch, logits: Mapping[str, Tensor]) -> LossSample:
    """A batch on the learner's device, as losses see it."""
    return LossSample(
        logits=logits,
        targets={name: _tensor(learner, target) for name, target in batch.targets.items()},
        weights={name: _tensor(learner, weights) for name, weights in batch.weights.items()},
        # torch computes little with uint64; ids stay what they are, bit by bit
        labels=_tensor(learner, batch.labels.view(np.int64)),
        known=_tensor(learner, batch.known),
        voxel_size=batch.voxel_size,
        activations=learner.losses.activations,
        neighborhoods=learner.losses.neighborhoods(len(batch.voxel_size)),
    )


def _backward(learner: Learner, given: LossSample, *, accumulated: int) -> dict[str, float]:
    """Adds the gradient of a sample; gives the loss that is minimised, and each head's own."""
    # of the whole batch: processes that shared one would add these up here
    totals = learner.losses.totals(given)
    losses = learner.losses(given, totals)
    balancer = learner.losses.balancer
    value = balancer(losses)
    values = _values(value, losses)
    _check(learner, values)
    balancer.backward(
        value,
        losses,
        learner.parameters(),
        scale=lambda loss: learner.scaler.scale(loss / accumulated),
    )
    return values


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
    learner.update_averages()
    learner.iteration += 1


def _check(learner: Learner, values: Mapping[str, float]) -> None:
    check_finite(
        values, iteration=learner.iteration, kept=keeping.latest(learner.config, learner.stage)
    )


def _values(value: Tensor, losses: Mapping[str, Tensor]) -> dict[str, float]:
    # one copy from the device, not one a head
    names = ["the loss", *(f"the loss of {name}" for name in losses)]
    every = torch.stack([value.detach(), *(loss.detach() for loss in losses.values())])
    return dict(zip(names, every.tolist(), strict=True))


def _tensor(learner: Learner, array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array).to(learner.device, non_blocking=True)
