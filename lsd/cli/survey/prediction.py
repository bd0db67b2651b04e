"""What prediction would do."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from funlib.geometry import Roi

from lsd.blockwise.on_disk.container import beside
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import load_step, step_folder
from lsd.cli.survey.volumes import Surveyed, listed, surveyed
from lsd.cli.survey.words import amount, duration, times
from lsd.network import cost
from lsd.network.cascade import Cascade
from lsd.network.checkpoints.restore import from_checkpoint, resolve
from lsd.prediction import plan as planning
from lsd.prediction.plan import Plan
from lsd.prediction.predictor import Predictor
from lsd.prediction.run import STEP, crowd
from lsd.spec import Config, Network, Predict, Variant
from lsd.spec.paths import prediction
from lsd.volumes.find import expand
from lsd.volumes.volume import within


@dataclass(frozen=True)
class Net:
    """What predicts: of a checkpoint, or as it would be trained."""

    cascade: Cascade
    network: Network
    sha256: str

    @property
    def variant(self) -> Variant:
        """Up to the stage of the checkpoint."""
        return self.cascade.variant


@dataclass(frozen=True)
class Done:
    """Blocks of a prediction on disk.  seconds: that one took, None where none is done"""

    blocks: int
    seconds: float | None
    same: bool


def survey(config: Config, shared: bool) -> Iterator[str]:
    """Volumes, the network, and of each volume its blocks, their memory, and how many are left."""
    config = expand(config)
    volumes = surveyed(config, config.predict.volumes)
    yield from listed(volumes)
    try:
        path = resolve(config.predict.checkpoint, config)
        restored = from_checkpoint(path)
        net = Net(restored.cascade, restored.config.network, restored.sha256)
        yield f"checkpoint: {path}, stage {restored.stage}, iteration {restored.iteration}"
    except ValueError as error:
        yield f"checkpoint: {error}; what follows is of the config's network, untrained"
        net = Net(Cascade(config.variant, config.network.trunk), config.network, "")
    count = cost.parameters(net.network.trunk, net.variant)
    predictor = Predictor(net.cascade, net.network, settings=config.predict)
    heads = ", ".join(f"{name} ({n} channels)" for name, n in predictor.channels.items())
    axes, device = net.network.dims, predictor.device
    yield f"network: {count:,} parameters, {axes}D, on {device}; gives {heads}"
    workers = crowd(config.predict).count if shared else 1
    yield from _volumes(config, volumes, net, predictor, workers)
    yield "nothing was changed"


def _volumes(
    config: Config,
    volumes: Mapping[str, Surveyed],
    net: Net,
    predictor: Predictor,
    workers: int,
) -> Iterator[str]:
    left, measured = 0.0, False
    for name, volume in volumes.items():
        plan = predictor.plan(_part(config.predict, volume), voxel_size=volume.voxel_size)
        done = _done(config, name, plan, net)
        blocks = len(plan.grid) - (done.blocks if done.same else 0)
        yield f"{name}: {_blocks(plan)}; {_state(done, plan)}"
        yield f"  {_sizes(plan, net, predictor)}"
        if blocks:
            seconds = done.seconds
            if seconds is None:
                seconds, measured = _measure(predictor, plan), True
            left += seconds * blocks
    shared = (
        f" by {workers} processes, if each has a device or core of its own" if workers > 1 else ""
    )
    how = "a guess, from a block that was predicted here and now" if measured else "as blocks took"
    yield f"about {duration(left / workers)}{shared}: {how}" if left else "all blocks are done"


def _part(settings: Predict, volume: Surveyed) -> Roi:
    raw = volume.opened.raw.roi if volume.opened else volume.roi
    return within(settings.region, raw) if settings.region else volume.roi


def _blocks(plan: Plan) -> str:
    turns = f", {len(plan.turns)} passes each" if len(plan.turns) > 1 else ""
    return (
        f"{len(plan.grid)} blocks of {times(plan.grid.write_shape)}, each from "
        f"{times(plan.grid.block(0).read.shape)}{turns}"
    )


def _state(done: Done, plan: Plan) -> str:
    if not done.blocks:
        return "none is done"
    if not done.same:
        return (
            f"{done.blocks} are done of another network, settings or blocks: made anew where all "
            f"of them were, else refused"
        )
    return f"{done.blocks} are done, {len(plan.grid) - done.blocks} are left"


def _sizes(plan: Plan, net: Net, predictor: Predictor) -> str:
    settings = predictor.settings
    size = 1 if settings.dtype == "uint8" else 4
    written = math.prod(plan.grid.roi.shape) * sum(predictor.channels.values()) * size
    memory = planning.memory(plan, net.network, net.variant, settings=settings)
    return f"memory of a block: at most {amount(memory)}; on disk at most {amount(written)}"


def _done(config: Config, name: str, plan: Plan, net: Net) -> Done:
    target = prediction(config, name)
    folder = step_folder(beside(target) if beside(target).exists() else target, STEP)
    if not (folder / "step.json").exists():
        return Done(0, None, True)
    step, ledger = load_step(folder), read_ledger(folder)
    made = step.job.fingerprint()
    same = (
        made.get("sha256") == net.sha256
        and step.grid.roi == plan.grid.roi
        and step.grid.write_shape == plan.grid.write_shape
        and made.get("settings", {}).get("augment") == config.predict.augment
        and made.get("settings", {}).get("dtype") == config.predict.dtype
    )
    seconds = float(ledger.records["seconds"].mean()) if len(ledger) else None
    return Done(len(ledger), seconds if same else None, same)


def _measure(predictor: Predictor, plan: Plan) -> float:
    """Seconds that a block takes, once the first is done."""
    raw = np.zeros(plan.grid.block(0).read.shape, np.float32)
    predictor.block(raw, plan)
    begin = time.perf_counter()
    predictor.block(raw, plan)
    return time.perf_counter() - begin
