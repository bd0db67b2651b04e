"""What training changes, iteration by iteration, and how a checkpoint holds it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from lsd.network import randomness
from lsd.network.cascade import Cascade
from lsd.network.checkpoints.restore import config_hash, load_weights, until
from lsd.prediction.predictor import choose_device
from lsd.report.versions import versions
from lsd.spec import Config, Stage
from lsd.training.average import Average
from lsd.training.data import States
from lsd.training.optimiser import optimizer, scheduler


@dataclass
class Learner:
    """A stage in training; the stages before it are there, and frozen.

    run:       the cascade, compiled where that is asked for
    iteration: how many are done
    best:      what the best validation so far found; see lsd.training.validation
    voxel_size: of what it learns from, nm
    data:      state of what it learns from, see lsd.training.data
    """

    config: Config
    stage: Stage
    cascade: Cascade
    run: Callable[..., dict[str, Tensor]]
    device: torch.device
    optimizer: torch.optim.Optimizer
    scheduler: LambdaLR
    scaler: torch.amp.GradScaler
    average: Average | None
    iteration: int = 0
    best: dict[str, Any] | None = None
    voxel_size: tuple[float, ...] | None = None
    data: States | None = None

    def parameters(self) -> list[torch.nn.Parameter]:
        """Those that are trained."""
        return [parameter for parameter in self.cascade.parameters() if parameter.requires_grad]

    def restart_average(self) -> None:
        """The average begins with the weights that are there now."""
        if self.average:
            self.average.load(dict(self.cascade.named_parameters()))

    def content(self) -> dict[str, Any]:
        """All that a checkpoint holds: enough to go on as if nothing had happened."""
        return {
            "config": self.config.model_dump_json(),
            "config_hash": config_hash(self.config),
            "versions": dict(versions()),
            "stage": self.stage.name,
            "iteration": self.iteration,
            "model": dict(self.cascade.state_dict()),
            "ema": self.average.weights if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": randomness.capture(),
            "normalisation": normalisation(self.config),
            "voxel_size": self.voxel_size and list(self.voxel_size),
            "best": self.best,
            "data": self.data,
        }

    def restore(self, content: Mapping[str, Any], *, where: str) -> None:
        """Goes on from the content of a checkpoint.  Raises ValueError where its weights do not
        fit."""
        load_weights(self.cascade, content["model"], where=where)
        if self.average:
            self.average.load(content["ema"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.scheduler.load_state_dict(content["scheduler"])
        self.scaler.load_state_dict(content["scaler"])
        randomness.restore(content["random"])
        self.iteration, self.best = content["iteration"], content["best"]


def new(config: Config, stage: Stage) -> Learner:
    """A stage before its first iteration; weights follow from train.seed.  Raises ValueError if the
    device is not there."""
    train = config.train
    device = choose_device(train.device)
    _seed(train.seed)
    cascade = Cascade(until(config.variant, stage.name), config.network.trunk)
    if train.channels_last:
        layout = torch.channels_last_3d if config.network.dims == 3 else torch.channels_last
        cascade = cascade.to(memory_format=layout)  # type: ignore[call-overload]
    cascade = cascade.to(device).requires_grad_(False).train()
    cascade.stage(stage.name).requires_grad_(True)
    adam = optimizer(cascade.parameters(), train)
    return Learner(
        config=config,
        stage=stage,
        cascade=cascade,
        # static shapes: those of training never change, and validation runs the cascade as it is
        run=torch.compile(cascade, dynamic=False) if train.compile else cascade,
        device=device,
        optimizer=adam,
        scheduler=scheduler(adam, train),
        scaler=torch.amp.GradScaler(device.type, enabled=train.precision == "fp16"),
        average=Average(cascade, train.ema) if train.ema is not None else None,
    )


def normalisation(config: Config) -> dict[str, Any]:
    """How raw became what the network reads: each training volume's raw_range (None: that of its
    dtype) goes to [-1, 1]."""
    return {
        "to": [-1.0, 1.0],
        "raw_range": {
            name: volume.raw_range and list(volume.raw_range)
            for name, volume in config.dataset.part("train").items()
        },
    }


def _seed(seed: int) -> None:
    """Every generator that a checkpoint records, so that checkpoints of equal runs are equal."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (the global state, of which randomness.capture keeps a copy)
    torch.manual_seed(seed)
