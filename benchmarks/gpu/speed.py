"""Milliseconds of a step beside the time in which batches arrive: whether the device waits for
them, and how many processes have to make them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from statistics import median

import torch

from benchmarks.gpu.line import Line, Setting
from benchmarks.gpu.runs import PAPER, SMALL, config_of, noise
from lsd.batches.pipeline import Batch, Batches
from lsd.network.sizes import output_shape, raw_shape
from lsd.spec import Config
from lsd.training.learner import Learner, new_learner
from lsd.training.step import step

# precision, layout: what a run would choose on a GPU first
WAYS = (("fp32", False), ("bf16", True), ("fp16", True))
# steps that are timed, after some that are not; batches that are waited for
STEPS, WARM, BATCHES = 8, 3, 12
# a step may wait so much longer for its batch than it takes, before it is called starved
STARVED = 1.1


def small_network(setting: Setting) -> Iterator[Line]:
    """The small network, batches of one and of four."""
    yield from _network(SMALL, setting, sizes=(1,) if setting.rehearsal else (1, 4))


def paper_network(setting: Setting) -> Iterator[Line]:
    """The paper's network, batches of one."""
    yield from _network(PAPER, setting, sizes=(1,))


def _network(name: str, setting: Setting, *, sizes: tuple[int, ...]) -> Iterator[Line]:
    for size in sizes:
        seconds = {}
        for precision, channels_last in WAYS:
            config = config_of(
                name, setting, precision=precision, channels_last=channels_last, batch_size=size
            )
            seconds[precision], peak = _step(config, setting)
            what = f"{name}, {size} a batch, {precision}"
            yield Line(f"{what}: a step", 1000 * seconds[precision], "ms")
            if peak is not None:
                yield Line(f"{what}: peak memory of training", peak / 2**30, "GiB")
        yield from _batches(name, setting, size, step_seconds=seconds["bf16"])


def _step(config: Config, setting: Setting) -> tuple[float, int | None]:
    """Median seconds of a step from a batch that is there, and the peak of memory."""
    if setting.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(setting.device)
    learner = new_learner(config, config.variant.stages[0])
    batches, times = noise(config), []
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        warm, timed = (1, 2) if setting.rehearsal else (WARM, STEPS)
        for _ in range(warm + timed):
            begin = time.perf_counter()
            step(learner, batches)
            setting.wait()
            times.append(time.perf_counter() - begin)
    peak = None
    if setting.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(setting.device)
    return median(times[warm:]), peak


def _batches(name: str, setting: Setting, size: int, *, step_seconds: float) -> Iterator[Line]:
    """Batches of one process, and steps that take theirs from as many as there are cores for."""
    what = f"{name}, {size} a batch"
    one = config_of(name, setting, workers=1, batch_size=size)
    with _made(one) as batches:
        each = _interval(batches, 2 if setting.rehearsal else BATCHES)
    needed = math.ceil(each / step_seconds)
    yield Line(f"{what}: one process makes a batch in", 1000 * each, "ms")
    yield Line(f"{what}: processes that keep up with steps in bf16", needed)
    workers = 1 if setting.rehearsal else min(setting.workers, needed + 1)
    config = config_of(
        name, setting, workers=workers, batch_size=size, precision="bf16", channels_last=True
    )
    learner = new_learner(config, config.variant.stages[0])
    with _made(config) as batches:
        taking = _Steps(learner, batches, setting)
        together = _interval(taking, 2 if setting.rehearsal else BATCHES)
    processes = "1 process makes" if workers == 1 else f"{workers} processes make"
    yield Line(f"{what}: a bf16 step with its batch, {processes} them", 1000 * together, "ms")
    starved = together > STARVED * step_seconds
    yield Line(f"{what}: the device waits for batches", "yes" if starved else "no")


class _Steps:
    """Steps, one after another, as a run takes them."""

    def __init__(self, learner: Learner, batches: Iterator[Batch], setting: Setting) -> None:
        self._learner, self._batches, self._setting = learner, batches, setting

    def __iter__(self) -> Iterator[None]:
        return self

    def __next__(self) -> None:
        step(self._learner, self._batches)
        self._setting.wait()


def _made(config: Config) -> Batches:
    trunk, shape = config.network.trunk, config.network.train_shape
    raw = raw_shape(config.variant, trunk, shape)
    output = output_shape(trunk, shape, training=True)
    return Batches(config, config.variant.stages[0].name, raw, output)


def _interval(things: Iterator[object], count: int) -> float:
    """Seconds from one to the next, once what was made ahead is used up."""
    ahead = 4
    for _ in range(ahead):
        next(things)
    begin = time.perf_counter()
    for _ in range(count):
        next(things)
    return (time.perf_counter() - begin) / count
