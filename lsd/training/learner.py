"""What training changes, iteration by iteration, and how a checkpoint holds it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from lsd.losses.stage import StageLosses
from lsd.network import randomness
from lsd.network.cascade import Cascade
from lsd.network.checkpoints.files import file_name
from lsd.network.checkpoints.restore import config_hash, load_weights, until
from lsd.prediction.predictor import choose_device
from lsd.spec import Config, Stage, Volume, paths
from lsd.spec.code import code_digests
from lsd.system.versions import versions
from lsd.training.average import Average, averaged
from lsd.training.data_state import States
from lsd.training.devices.ranks import ALONE, Ranks
from lsd.training.optimiser import optimizer, restore_scheduler, scheduler, trained


@dataclass
class Learner:
    """A stage in training; the stages before it are there, and frozen.

    run:       the cascade, compiled where that is asked for
    losses:    of the stage's heads, with the parameters that they own
    average, average_of_losses: moving averages of weights, and of these parameters (train.ema)
    iteration: how many are done
    best:      scores of the best validation so far, and their yardstick; see `note_best`
    voxel_size: of the training data, nm; None where nobody knows it
    data:      state of the training data; see lsd.training.data_state
    ranks:     the processes that share its batches, each with a learner equal to this one
    learned:   the heads that it learns, and a factor of the loss of each; all but in branches
    branches:  learners of the same stage that go on beside this one, from the same batches
    merges:    what is known of when branches became one; see lsd.training.modes
    """

    config: Config
    stage: Stage
    cascade: Cascade
    run: Callable[..., dict[str, Tensor]]
    losses: StageLosses
    device: torch.device
    optimizer: torch.optim.Optimizer
    scheduler: LambdaLR
    scaler: torch.amp.GradScaler
    average: Average | None
    average_of_losses: Average | None
    iteration: int = 0
    best: dict[str, Any] | None = None
    voxel_size: tuple[float, ...] | None = None
    data: States | None = None
    ranks: Ranks = ALONE
    learned: Mapping[str, float] = field(default_factory=dict)
    branches: list[Learner] = field(default_factory=list)
    merges: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.learned = self.learned or dict.fromkeys(self.stage.heads, 1.0)

    @property
    def checkpoints(self) -> Path:
        """Folder of the stage's checkpoints."""
        return paths.checkpoints(self.config, self.stage.name)

    def checkpoint_path(self, iteration: int) -> Path:
        """Where the checkpoint after that many iterations is."""
        return self.checkpoints / file_name(iteration)

    def parameters(self) -> list[torch.nn.Parameter]:
        """Those that are trained: weights of the stage, then what its losses own."""
        return [*trained(self.cascade.parameters()), *trained(self.losses.parameters())]

    def restart_average(self) -> None:
        """Begins the moving average anew, with the weights as they are now."""
        if self.average:
            self.average.load(dict(self.cascade.named_parameters()))

    def update_averages(self) -> None:
        """Adds the weights after a step to the moving averages."""
        if self.average and self.average_of_losses:
            self.average.update(self.cascade, self.iteration)
            self.average_of_losses.update(self.losses, self.iteration)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, weights and losses are the averaged ones; without an average, as they are."""
        with (
            averaged(self.cascade, self.average),
            averaged(self.losses, self.average_of_losses),
        ):
            yield

    def note_best(
        self, record: Mapping[str, Any], *, iteration: int, yardstick: Mapping[str, Any]
    ) -> None:
        """Makes the validation of the weights after `iteration` the best so far.

        record:    of a Validation, with its "score"
        yardstick: record of the Yardstick, which the score depends on
        """
        best = {"stage": self.stage.name, "iteration": iteration, **record}
        self.best = {**best, "yardstick": dict(yardstick)}

    def content(self) -> dict[str, Any]:
        """All that a checkpoint holds: enough to go on as if nothing had happened."""
        return {
            "config": self.config.model_dump_json(),
            "config_hash": config_hash(self.config),
            "versions": dict(versions()),
            "stage": self.stage.name,
            "iteration": self.iteration,
            **self._state(),
            "branches": [branch._state() for branch in self.branches],
            "merges": self.merges,
            "random": randomness.capture(),
            "normalisation": raw_normalisation(self.config.dataset.part("train")),
            "voxel_size": self.voxel_size and list(self.voxel_size),
            "best": self.best,
            "data": self.data,
            "code": code_digests(self.config),
        }

    def restore(self, content: Mapping[str, Any], *, where: str) -> None:
        """Goes on from the content of a checkpoint.  Raises ValueError where its weights do not
        fit."""
        self._restore(content, where=where)
        # versions before had no branches
        for branch, state in zip(self.branches, content.get("branches", []), strict=True):
            branch._restore({**state, "iteration": content["iteration"]}, where=where)
        self.merges = content.get("merges", [])
        randomness.restore(content["random"])
        self.best = content["best"]

    def _state(self) -> dict[str, Any]:
        """What a step changes."""
        return {
            "model": dict(self.cascade.state_dict()),
            "ema": self.average.weights if self.average else None,
            "losses": dict(self.losses.state_dict()),
            "ema_of_losses": self.average_of_losses.weights if self.average_of_losses else None,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def _restore(self, state: Mapping[str, Any], *, where: str) -> None:
        load_weights(self.cascade, state["model"], where=where)
        # versions before had no losses with parameters
        load_weights(self.losses, state.get("losses", {}), where=where, of="losses")
        if self.average and self.average_of_losses:
            self.average.load(state["ema"])
            self.average_of_losses.load(state.get("ema_of_losses", {}))
        self.optimizer.load_state_dict(state["optimizer"])
        restore_scheduler(self.scheduler, state["scheduler"], self.config.train)
        self.scaler.load_state_dict(state["scaler"])
        self.iteration = state["iteration"]


def new_learner(config: Config, stage: Stage) -> Learner:
    """A stage before its first iteration; its weights follow from train.seed.

    Raises ValueError if the device is not there.
    """
    train = config.train
    device = choose_device(train.device)
    _seed(train.seed)
    cascade = Cascade(until(config.variant, stage.name), config.network.trunk)
    if train.channels_last:
        layout = torch.channels_last_3d if config.network.dims == 3 else torch.channels_last
        cascade = cascade.to(memory_format=layout)  # type: ignore[call-overload]
    cascade = cascade.to(device).requires_grad_(False).train()
    cascade.stage(stage.name).requires_grad_(True)
    losses = StageLosses(stage.heads, weighting=stage.weighting).to(device).train()
    adam = optimizer(cascade.parameters(), train, of_losses=losses.parameters())
    return Learner(
        config=config,
        stage=stage,
        cascade=cascade,
        run=_compiled(cascade, stage, losses) if train.compile else cascade,
        losses=losses,
        device=device,
        optimizer=adam,
        scheduler=scheduler(adam, train),
        scaler=torch.amp.GradScaler(device.type, enabled=train.precision == "fp16"),
        average=None if train.ema is None else Average(cascade, train.ema),
        average_of_losses=None if train.ema is None else Average(losses, train.ema),
    )


def _compiled(
    cascade: Cascade, stage: Stage, losses: StageLosses
) -> Callable[..., dict[str, Tensor]]:
    if losses.balancer.weighs_gradients:
        # compiled as a whole, the layer of each head would seem to be reached by all tasks
        network = cascade.stage(stage.name)
        network.logits = torch.compiler.disable(network.logits)  # type: ignore[method-assign,no-untyped-call]
        # the first pass over a graph may not hand its buffers on where others follow
        torch._functorch.config.donated_buffer = False
    # static shapes: those of training never change, and validation runs the cascade as it is
    compiled: Callable[..., dict[str, Tensor]] = torch.compile(cascade, dynamic=False)
    return compiled


def raw_normalisation(volumes: Mapping[str, Volume]) -> dict[str, Any]:
    """How raw was scaled for training: the raw_range of each volume (None: that of its dtype) to
    [-1, 1]."""
    return {
        "to": [-1.0, 1.0],
        "raw_range": {
            name: volume.raw_range and list(volume.raw_range) for name, volume in volumes.items()
        },
    }


def _seed(seed: int) -> None:
    """Every generator that a checkpoint records, so that checkpoints of equal runs are equal."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (the global state, of which randomness.capture keeps a copy)
    torch.manual_seed(seed)
