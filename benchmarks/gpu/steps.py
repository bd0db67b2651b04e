"""Steps in every precision, compiled, and with gradients that overflow."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import torch

from benchmarks.gpu.line import Line, Setting, at_most, holds
from benchmarks.gpu.runs import SMALL, config_of, noise
from lsd.training.learner import Learner, new_learner
from lsd.training.step import step

# how far the loss of the first step may be from that of fp32, relative
ROUNDING = {"bf16": 3e-2, "fp16": 1e-2}
# steps in which a loss scale that is too high comes down to one that works
MOST_LEFT_OUT = 40


def precisions(setting: Setting) -> Iterator[Line]:
    """Three steps each: the first loss beside fp32's, and weights that are finite."""
    plain = _learner(setting)
    expected = step(plain, noise(plain.config)).loss
    for precision, rounding in ROUNDING.items():
        learner = _learner(setting, precision=precision, channels_last=True)
        batches = noise(learner.config)
        losses = [step(learner, batches).loss for _ in range(3)]
        difference = abs(losses[0] / expected - 1)
        yield at_most(f"{precision}, first loss beside fp32's", difference, rounding)
        yield holds(
            f"{precision}, three steps: losses",
            ", ".join(f"{loss:.4f}" for loss in losses),
            all(map(math.isfinite, losses)) and _are_finite(learner),
            "numbers, and weights that are",
        )


def overflow(setting: Setting) -> Iterator[Line]:
    """With a loss scale that is far too high, fp16 leaves steps out until it works."""
    learner = _learner(setting, precision="fp16")
    learner.scaler.load_state_dict({**learner.scaler.state_dict(), "scale": 2.0**30})
    before = [parameter.detach().clone() for parameter in learner.parameters()]
    batches = noise(learner.config)
    step(learner, batches)
    same = all(map(torch.equal, before, learner.parameters()))
    halved = learner.scaler.get_scale() == 2.0**29
    found = (
        f"scale 2^{math.log2(learner.scaler.get_scale()):g}, weights {'kept' if same else 'moved'}"
    )
    yield holds("an overflow", found, same and halved, "scale halved, weights kept")
    left_out, scale = 0, math.inf
    while learner.scaler.get_scale() < scale and left_out < MOST_LEFT_OUT:
        left_out, scale = left_out + 1, learner.scaler.get_scale()
        step(learner, batches)
    moved = not all(map(torch.equal, before, learner.parameters()))
    yield holds(
        "steps left out until the loss scale fits",
        left_out,
        moved and _are_finite(learner),
        f"at most {MOST_LEFT_OUT}, then weights move and are finite",
    )


def compiled(setting: Setting) -> Iterator[Line]:
    """The small network compiled: its losses beside those of the plain one, and what it gains.

    In a rehearsal it is captured as a graph, and no machine code is made of it.
    """
    plain = _learner(setting)
    expected = [step(plain, noise(plain.config)).loss for _ in range(2)]
    learner = _learner(setting)
    backend = "aot_eager" if setting.rehearsal else "inductor"
    learner.run = torch.compile(learner.cascade, dynamic=False, backend=backend)
    begin = time.perf_counter()
    losses = [step(learner, noise(learner.config)).loss for _ in range(2)]
    setting.wait()
    yield Line("compiled: two steps, with compilation", time.perf_counter() - begin, "s")
    for number, (loss, wanted) in enumerate(zip(losses, expected, strict=True), 1):
        yield at_most(f"compiled: loss {number} beside the plain one", abs(loss / wanted - 1), 1e-2)


def _learner(setting: Setting, **train: object) -> Learner:
    config = config_of(SMALL, setting, **train)
    return new_learner(config, config.variant.stages[0])


def _are_finite(learner: Learner) -> bool:
    return all(bool(parameter.isfinite().all()) for parameter in learner.parameters())
