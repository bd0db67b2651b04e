"""Prediction: voxels a second, and the peak of memory beside what was estimated for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import prod

import numpy as np
import torch
from funlib.geometry import Roi

from benchmarks.gpu.line import Line, Setting, at_most
from benchmarks.gpu.runs import PAPER, SMALL, config_of
from lsd.network.cascade import Cascade
from lsd.prediction import plan as plans
from lsd.prediction.predictor import Predictor
from lsd.spec import Predict

BLOCKS = 3


def prediction(setting: Setting) -> Iterator[Line]:
    """Blocks of both networks, in fp32, bf16 and fp16."""
    for name in (SMALL, PAPER):
        config = config_of(name, setting)
        network, variant = config.network, config.variant
        for precision in ("fp32", "bf16", "fp16"):
            settings = Predict(
                device=str(setting.device), precision=precision, channels_last=True, memory=16
            )
            cascade = Cascade(variant, network.trunk)
            predictor = Predictor(cascade, network, settings=settings)
            side = 48 if setting.rehearsal else 512
            plan = predictor.plan(Roi((0,) * 3, (side,) * 3), voxel_size=(10,) * 3)
            shape = plan.grid.block(0).read.shape
            raw = np.random.default_rng(0).random(shape, np.float32) * 2 - 1
            predictor.block(raw, plan, dtype="uint8")
            _reset(setting)
            begin = time.perf_counter()
            for _ in range(BLOCKS):
                heads = predictor.block(raw, plan, dtype="uint8")
            seconds = (time.perf_counter() - begin) / BLOCKS
            voxels = prod(next(iter(heads.values())).shape[1:])
            what = f"{name}, prediction in {precision}, raw {'x'.join(map(str, shape))}"
            yield Line(f"{what}: output", voxels / seconds / 1e6, "Mvoxel/s")
            estimated = plans.block_memory(plan, network, variant, settings=settings)
            yield Line(f"{what}: estimated memory", estimated / 2**30, "GiB")
            if setting.device.type == "cuda":
                peak = torch.cuda.max_memory_allocated(setting.device)
                yield Line(f"{what}: peak memory", peak / 2**30, "GiB")
                yield at_most(f"{what}: peak over estimate", peak / estimated, 1.0)


def _reset(setting: Setting) -> None:
    if setting.device.type == "cuda":
        torch.cuda.synchronize(setting.device)
        torch.cuda.reset_peak_memory_stats(setting.device)
