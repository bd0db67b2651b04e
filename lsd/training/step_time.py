"""What an iteration takes, before a run: its time by passes on a smaller input, its memory on
paper; and as a run recorded it."""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lsd.batches.pipeline import Batch
from lsd.network import cost, sizes
from lsd.network.precision import autocast, choose
from lsd.network.threads import computing_with
from lsd.spec import Config, Stage
from lsd.targets.target import target_kind
from lsd.training.learner import Learner
from lsd.training.step import loss_sample

# the curve that training draws; readings that count
RATE, READINGS = "iterations_per_second", 20
# passes that are timed, after one that is not
_PASSES = 2
# multiplications of a timed pass forward, at most: some seconds of a slow core
_WORK = 2e10
# a pass back multiplies twice as much as the one forward
_TRAINED, _FROZEN = 3, 1
# bytes a weight takes in training: itself, its gradient, two averages of Adam
_A_WEIGHT = 16
# arrays of the largest size that are alive at once on the way back, beside those that were kept
_ON_THE_WAY_BACK = 3


def smaller_input(config: Config, stage: Stage) -> tuple[int, ...]:
    """The largest train_shape, up to the config's, of which a pass takes seconds at most."""
    trunk, shape = config.network.trunk, config.network.train_shape
    for parts in range(8, 0, -1):
        wanted = [n * parts // 8 for n in shape]
        fitting, _ = sizes.nearest_legal(trunk, wanted, training=True)
        if config.train.batch_size * work(config, stage, fitting) <= _TRAINED * _WORK:
            return tuple(fitting)
    return tuple(sizes.smallest_input(trunk, (1,) * trunk.dims, training=True))


def work(config: Config, stage: Stage, shape: Sequence[int]) -> int:
    """Multiplications of a pass of one sample there and back; shape: what enters the stage."""
    variant, trunk = config.variant, config.network.trunk
    shapes = sizes.stage_shapes(variant, trunk, shape, stage=stage.name)
    multiplied = 0
    for each in variant.stages:
        if each.name in shapes:
            read = cost.read_channels(variant, each, trunk.dims)
            passes = _TRAINED if each.name == stage.name else _FROZEN
            multiplied += passes * cost.walk(trunk, each, read, shapes[each.name]).macs
    return multiplied


def seconds_of_a_pass(learner: Learner) -> float:
    """Seconds of a batch of random raw forward and back, of the learner's own train_shape."""
    with computing_with(learner.config.train.threads):
        _pass(learner)
        begin = time.perf_counter()
        for _ in range(_PASSES):
            _pass(learner)
        return (time.perf_counter() - begin) / _PASSES


def memory_of_a_step(learner: Learner, shape: Sequence[int]) -> int:
    """Bytes that a step takes, about, beside the process itself: weights of all branches, what is
    kept for the way back, and what is alive on it.

    shape: what enters the stage.  Nothing is computed: torch's meta device has shapes alone.
    """
    config, stage = learner.config, learner.stage
    raw = sizes.raw_shape(config.variant, config.network.trunk, shape, stage=stage.name)
    cascade = copy.deepcopy(learner.cascade).to("meta")
    weights = {weight.untyped_storage()._cdata for weight in cascade.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes() // tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        entering = torch.empty(config.train.batch_size, 1, *raw, device="meta")
        logits = cascade(entering, stage=stage.name)  # noqa: F841  (holds what was kept)
    low = choose(config.train.precision, learner.device.type) in ("bf16", "fp16")
    values = sum(kept.values()) + _ON_THE_WAY_BACK * max(kept.values(), default=0)
    numbers = sum(parameter.numel() for parameter in cascade.parameters())
    each = _A_WEIGHT * (1 + len(learner.branches))
    if learner.losses.balancer.weighs_gradients:
        # a gradient of each task beside their sum
        each += 4 * len(stage.heads)
    return cost.START + numbers * each + values * (2 if low else 4)


def first_losses(learner: Learner, batch: Batch) -> dict[str, float]:
    """The loss of each head for a batch where the network says 0 everywhere.

    Raises ValueError for a loss that is no finite number.
    """
    targets = {name: target_kind(head.target) for name, head in learner.stage.heads.items()}
    dims = len(batch.voxel_size)
    logits = {
        name: torch.zeros(len(target), targets[name].logit_channels(dims), *target.shape[2:])
        for name, target in batch.targets.items()
    }
    on_device = {name: each.to(learner.device) for name, each in logits.items()}
    sample = loss_sample(learner, batch, on_device)
    losses = learner.losses(sample, learner.losses.totals(sample))
    values = {name: float(loss) for name, loss in losses.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"the loss of head {name} is {value} where the network says 0")
    return values


def recorded_rate(folder: Path) -> float | None:
    """Iterations per second of late, by the tensorboard events in a stage's folder; None if there
    are none."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    values: list[float] = []
    for file in sorted(folder.glob("events*")):
        events = EventAccumulator(str(file), size_guidance={"scalars": READINGS})
        events.Reload()
        if RATE in events.Tags()["scalars"]:
            values += [event.value for event in events.Scalars(RATE)]
    return statistics.median(values[-READINGS:]) if values else None


def _pass(learner: Learner) -> None:
    """A forward pass, and those backwards that the weighting of tasks wants; the time does not
    depend on which losses are minimised."""
    config, stage = learner.config, learner.stage
    raw_shape, _ = sizes.training_shapes(config.variant, config.network, stage=stage.name)
    raw = torch.rand(config.train.batch_size, 1, *raw_shape, device=learner.device) * 2 - 1
    learner.optimizer.zero_grad()
    with autocast(config.train.precision, learner.device):
        logits = learner.run(raw, stage=stage.name)
    losses = {name: head.float().square().mean() for name, head in logits.items()}
    balancer, parameters = learner.losses.balancer, learner.parameters()
    balancer.backward(balancer(losses), losses, parameters, scale=lambda loss: loss)
    balancer.complete(parameters, sum=learner.ranks.sum, rng=np.random.default_rng(0))
    if learner.device.type == "cuda":
        torch.cuda.synchronize(learner.device)
