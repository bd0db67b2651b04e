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
from lsd.losses.samples import LogitsNotFinite
from lsd.network.checkpoints import files
from lsd.network.precision import autocast
from lsd.training.devices.whole import whole_losses
from lsd.training.faults import check_finite, not_finite_error
from lsd.training.learner import Learner

# of gradients in fp16, which begins at 2^16 and is halved at each that overflows: below it, what is
# not finite is not for the scale
LOWEST_SCALE = 2.0**-16


@dataclass(frozen=True)
class Update:
    """One update of the weights.

    loss:   that was minimised: mean over the batches
    heads:  loss of each head that is learned, before its weight: means over the batches
    gradient_norm: before clipping
    batch, logits: this process's share of the last batch, and the logits of the network for it;
            None and empty where it has no sample of a batch
    """

    loss: float
    heads: Mapping[str, float]
    gradient_norm: float
    batch: Batch | None
    logits: Mapping[str, Tensor]


def step(learner: Learner, batches: Iterator[Batch | None]) -> Update:
    """Updates the weights once, by the gradient of the next train.accumulate batches.

    batches: of each batch the samples that are this process's share; None: it has none
    Raises NotFiniteError, before any weight is changed, if a loss or gradient is NaN or infinite.
    """
    train = learner.config.train
    losses_of_batches: list[Mapping[str, float]] = []
    learner.optimizer.zero_grad()
    for batch in islice(batches, train.accumulate):
        share = None if batch is None else loss_sample(learner, batch, forward(learner, batch))
        losses_of_batches.append(_backward(learner, share, accumulated=train.accumulate))
    learner.losses.balancer.complete(
        learner.parameters(), sum=learner.ranks.sum, rng=_generator(train.seed, learner.iteration)
    )
    norm = _gradient_norm(learner)
    _apply(learner)
    loss, *heads = np.mean([list(each.values()) for each in losses_of_batches], axis=0).tolist()
    detached = {name: head.detach() for name, head in (share.logits if share else {}).items()}
    by_head = dict(zip(learner.learned, heads, strict=True))
    return Update(loss, by_head, norm, batch, detached)


def forward(learner: Learner, batch: Batch) -> dict[str, Tensor]:
    """Logits of the stage's heads for a batch."""
    with autocast(learner.config.train.precision, learner.device):
        return learner.run(_tensor(learner, batch.raw), stage=learner.stage.name)


def loss_sample(learner: Learner, batch: Batch, logits: Mapping[str, Tensor]) -> LossSample:
    """A batch, or the share of it that this process has, on the learner's device."""
    size = learner.config.train.batch_size
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
        share=len(learner.ranks.share(size)) / size,
    )


def _backward(learner: Learner, share: LossSample | None, *, accumulated: int) -> dict[str, float]:
    """Adds the gradient of the share of a batch; returns the loss of the whole batch that is
    minimised, and those of the heads."""
    losses = _losses(learner, share)
    balancer = learner.losses.balancer
    weighted = learner.losses.weighted(losses, factors=learner.learned)
    value = balancer(weighted)
    values = _values(value, losses)
    _check(learner, values)
    balancer.backward(
        value,
        weighted,
        learner.parameters(),
        scale=lambda loss: learner.scaler.scale(loss / accumulated),
    )
    return values


def _losses(learner: Learner, share: LossSample | None) -> dict[str, Tensor]:
    """Loss of each head that is learned, of the whole batch."""
    try:
        return whole_losses(
            learner.losses,
            share,
            learner.ranks,
            heads=tuple(learner.learned),
            samples=learner.config.train.batch_size,
            device=learner.device,
        )
    except LogitsNotFinite as error:
        newest = files.newest_file(learner.checkpoints)
        raise not_finite_error(
            str(error), iteration=learner.iteration, checkpoint=newest
        ) from error


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
    if learner.scaler.is_enabled() and learner.scaler.get_scale() < LOWEST_SCALE:
        raise not_finite_error(
            "the gradient is not finite at any scale, last",
            iteration=learner.iteration,
            checkpoint=files.newest_file(learner.checkpoints),
        )
    if learner.scaler.get_scale() >= scale:
        learner.scheduler.step()
    learner.update_averages()
    learner.iteration += 1


def _check(learner: Learner, values: Mapping[str, float]) -> None:
    newest = files.newest_file(learner.checkpoints)
    check_finite(values, iteration=learner.iteration, checkpoint=newest)


def _generator(seed: int, iteration: int) -> np.random.Generator:
    """Of what is random in a step, the same in all processes and in a run that was resumed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(iteration,)))


def _values(value: Tensor, losses: Mapping[str, Tensor]) -> dict[str, float]:
    # one copy from the device, not one a head
    names = ["the loss", *(f"the loss of {name}" for name in losses)]
    every = torch.stack([value.detach(), *(loss.detach() for loss in losses.values())])
    return dict(zip(names, every.tolist(), strict=True))


def _tensor(learner: Learner, array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array).to(learner.device, non_blocking=True)
