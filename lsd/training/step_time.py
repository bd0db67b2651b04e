"""How long an iteration takes: measured on this machine, or as a run recorded it."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lsd.network import sizes
from lsd.network.precision import autocast
from lsd.spec import Config, Stage
from lsd.training.learner import Learner, new_learner
from lsd.training.modes.mode import training_mode

# the curve that training draws; readings that count
RATE, READINGS = "iterations_per_second", 20
# passes that are timed, after one that is not
_PASSES = 2


@dataclass(frozen=True)
class StepTime:
    """An iteration on random raw.

    seconds: without the making of batches
    memory:  bytes at the peak, on the device; on a CPU, of the whole process
    """

    seconds: float
    memory: int
    device: str


def measure_step(config: Config, stage: Stage) -> StepTime:
    """Times forward and backward passes through an untrained network, as training does them.

    Raises ValueError if the device is not there.
    """
    train, learner = config.train, new_learner(config, stage)
    training_mode(train.mode).prepare(learner)
    # branches take their steps one after another
    times = train.accumulate * (1 + len(learner.branches))
    threads = torch.get_num_threads()
    torch.set_num_threads(train.threads or threads)
    try:
        _pass(learner)
        begin = time.perf_counter()
        for _ in range(_PASSES):
            _pass(learner)
        seconds = (time.perf_counter() - begin) / _PASSES * times
    finally:
        torch.set_num_threads(threads)
    return StepTime(seconds, _peak(learner.device), str(learner.device))


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
    trunk, shape = config.network.trunk, config.network.train_shape
    raw_shape = sizes.raw_shape(config.variant, trunk, shape, stage=stage.name)
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


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
