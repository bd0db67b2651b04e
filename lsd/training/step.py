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
from lsd.network.checkpoints import files
from lsd.network.precision import autocast
from lsd.training.faults import check_finite
from lsd.training.learner import Learner


@dataclass(frozen=True)
class Update:
    """One update of the weights.

    loss:   that was minimised: mean over the batches
    heads:  loss of each head before its weight: means over the batches
    gradient_norm: before clipping
    batch, logits: the last batch, and the logits of the network for it
    """

    loss: float
    heads: Mapping[str, float]
    gradient_norm: float
    batch: Batch
    logits: Mapping[str, Tensor]


def step(learner: Learner, batches: Iterator[Batch]) -> Update:
    """Updates the weights once, by the gradient of the next train.accumulate batches.

    Raises NotFiniteError, before any weight is changed, if a loss or gradient is NaN or infinite.
    """
    train = learner.config.train
    losses_of_batches: list[Mapping[str, float]] = []
    learner.optimizer.zero_grad()
    for batch in islice(batches, train.accumulate):
        logits = forward(learner, batch)
        sample = loss_sample(learner, batch, logits)
        losses_of_batches.append(_backward(learner, sample, accumulated=train.accumulate))
    norm = _gradient_norm(learner)
    _apply(learner)
    loss, *heads = np.mean([list(each.values()) for each in losses_of_batches], axis=0).tolist()
    detached = {name: head.detach() for name, head in logits.items()}
    by_head = dict(zip(learner.stage.heads, heads, strict=True))
    return Update(loss, by_head, norm, batch, detached)


def forward(learner: Learner, batch: Batch) -> dict[str, Tensor]:
    """Logits of the stage's heads for a batch."""
    with autocast(learner.config.train.precision, learner.device):
        return learner.run(_tensor(learner, batch.raw), stage=learner.stage.name)


def loss_sample(learner: Learner, batch: Batch, logits: Mapping[str, Tensor]) -> LossSample:
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


def _backward(learner: Learner, sample: LossSample, *, accumulated: int) -> dict[str, float]:
    """Adds the gradient of a sample; returns the loss that is minimised, and those of the heads."""
    # of the whole batch: processes that shared one would add these up here
    totals = learner.losses.totals(sample)
    losses = learner.losses(sample, totals)
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
    newest = files.newest_file(learner.checkpoints)
    check_finite(values, iteration=learner.iteration, checkpoint=newest)


def _values(value: Tensor, losses: Mapping[str, Tensor]) -> dict[str, float]:
    # one copy from the device, not one a head
    names = ["the loss", *(f"the loss of {name}" for name in losses)]
    every = torch.stack([value.detach(), *(loss.detach() for loss in losses.values())])
    return dict(zip(names, every.tolist(), strict=True))


def _tensor(learner: Learner, array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array).to(learner.device, non_blocking=True)
