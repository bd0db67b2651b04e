"""What prediction would do."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from funlib.geometry import Roi

from lsd.blockwise.on_disk.container import partial_of
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import load_step, step_folder
from lsd.cli.survey.volumes import Surveyed, listed, surveyed
from lsd.cli.survey.words import about, amount, times
from lsd.network import cost, sizes
from lsd.network.cascade import Cascade
from lsd.network.checkpoints.restore import checkpoint_path, from_checkpoint
from lsd.prediction.plan import Plan, block_memory
from lsd.prediction.predictor import Predictor
from lsd.prediction.run import (
    STEP,
    Wanted,
    check_predicted,
    compare_heads,
    configured_workers,
    region_of,
    step_of,
)
from lsd.prediction.settled import doubts, settled
from lsd.spec import Config, Network, Predict, Variant, Workers
from lsd.spec.paths import data_root, prediction
from lsd.spec.plurals import counted
from lsd.volumes.find import expand

# multiplications of a pass that is timed, at most: some seconds of a slow core
_WORK = 5e10


@dataclass(frozen=True)
class Done:
    """Blocks of a prediction on disk.  seconds: that one took, None where none is done; other: in
    what they differ from those that are asked for; is_whole: whether all blocks of it are done"""

    count: int = 0
    seconds: float | None = None
    other: str = ""
    is_whole: bool = False


def survey(config: Config, shared: bool) -> Iterator[str]:
    """Volumes, the network, and of each volume its blocks, their memory, and how many are left.

    Raises ValueError for what the command would refuse.
    """
    config = expand(config)
    workers = configured_workers(config.predict) if shared else None
    config = config.derive(predict=settled(config.predict, workers))
    volumes = surveyed(config, config.predict.volumes)
    wanted: Wanted | None = None
    yield from listed(volumes)
    for volume in volumes.values():
        if volume.opened is not None:
            check_predicted(config, volume.opened)
    try:
        path = checkpoint_path(config.predict.checkpoint, config)
        wanted = Wanted(from_checkpoint(path), path, config.predict)
    except ValueError as error:
        yield f"checkpoint: {error}; what follows is of the config's network, untrained"
    else:
        at = f"stage {wanted.restored.stage}, iteration {wanted.restored.iteration}"
        yield f"checkpoint: {path}, {at}"
        compare_heads(config.variant, wanted)
    predictor = _predictor(config, wanted, _tried(config.predict, workers))
    yield _network(predictor, workers)
    for doubt in doubts(config.predict, workers):
        yield f"warning: {doubt}"
    yield from _volumes(config, volumes, wanted, predictor, workers.count if workers else 1)
    yield "nothing was changed"


def _tried(settings: Predict, workers: Workers | None) -> Predict:
    """With what a block is tried here: workers elsewhere may have a device that is not here."""
    return settings.derive(device="auto") if workers and workers.launch else settings


def _predictor(config: Config, wanted: Wanted | None, settings: Predict) -> Predictor:
    """Of the checkpoint, or of the network as it would be trained."""
    if wanted is not None:
        network = wanted.restored.config.network
        return Predictor(wanted.restored.cascade, network, settings=settings)
    cascade = Cascade(config.variant, config.network.trunk)
    return Predictor(cascade, config.network, settings=settings)


def _network(predictor: Predictor, workers: Workers | None) -> str:
    heads = ", ".join(f"{name} ({counted(n, 'channel')})" for name, n in predictor.channels.items())
    count = cost.parameters(predictor.network.trunk, predictor.variant)
    axes = predictor.network.dims
    where = "tried here on" if workers and workers.launch else "on"
    return f"network: {count:,} parameters, {axes}D, {where} {predictor.device}; gives {heads}"


def _volumes(
    config: Config,
    volumes: Mapping[str, Surveyed],
    wanted: Wanted | None,
    predictor: Predictor,
    workers: int,
) -> Iterator[str]:
    seconds, left, measured = 0.0, 0, False
    for name, volume in volumes.items():
        roi = _part(config.predict, volume, wanted)
        plan = predictor.plan(roi, voxel_size=volume.voxel_size)
        done = _done(config, name, volume, wanted, plan)
        yield f"{name}: {_blocks(plan)}; {_state(done, plan)}"
        yield f"  {_sizes(plan, predictor)}"
        more = len(plan.grid) - (0 if done.other else done.count)
        if more:
            measured |= done.seconds is None
            seconds += more * (done.seconds or _measure(predictor, plan))
            left += more
    if not left:
        yield "all blocks are done"
        return
    at_once = min(workers, left)
    shared = f" by {at_once} processes, if each has a device or core" if at_once > 1 else ""
    how = "a guess, from a small block predicted here and now" if measured else "as others took"
    yield f"{about(seconds / at_once)}{shared}: {how}"


def _part(settings: Predict, volume: Surveyed, wanted: Wanted | None) -> Roi:
    if wanted is not None and volume.opened is not None:
        return region_of(volume.opened, wanted)
    return volume.part(settings.region) if settings.region else volume.roi


def _blocks(plan: Plan) -> str:
    turns = f", {len(plan.turns)} passes each" if len(plan.turns) > 1 else ""
    blocks, read = counted(len(plan.grid), "block"), times(plan.grid.block(0).read.shape)
    return f"{blocks} of {times(plan.grid.write_shape)}, each from {read}{turns}"


def _state(done: Done, plan: Plan) -> str:
    if done.other:
        outcome = (
            "made anew" if done.is_whole else "refused, for the earlier prediction is not finished"
        )
        blocks = counted(done.count, "block")
        return f"{blocks} done with other settings or inputs would be {outcome}: {done.other}"
    return f"{done.count} done, {len(plan.grid) - done.count} left"


def _sizes(plan: Plan, predictor: Predictor) -> str:
    settings = predictor.settings
    size = 1 if settings.dtype == "uint8" else 4
    written = math.prod(plan.grid.roi.shape) * sum(predictor.channels.values()) * size
    most = block_memory(plan, predictor.network, predictor.variant, settings=settings)
    return f"memory of a block: at most {amount(most)}; on disk at most {amount(written)}"


def _done(config: Config, name: str, volume: Surveyed, wanted: Wanted | None, plan: Plan) -> Done:
    folder = _folder(prediction(config, name))
    if not (folder / "step.json").exists():
        return Done()
    ledger, other = read_ledger(folder), ["there is no checkpoint to compare with"]
    if wanted is not None and volume.opened is not None:
        target = prediction(config, name)
        other = step_of(target, volume.opened, wanted, plan, data_root=data_root(config)).differs(
            load_step(folder)
        )
    seconds = float(ledger.records["seconds"].mean()) if len(ledger) else None
    return Done(
        len(ledger),
        None if other else seconds,
        "; ".join(other) if len(ledger) else "",
        is_whole=len(ledger) == len(load_step(folder).grid),
    )


def _folder(target: Path) -> Path:
    """Of what is known of the blocks, also of a prediction that is not whole."""
    return step_folder(partial_of(target) if partial_of(target).exists() else target, STEP)


def _measure(predictor: Predictor, plan: Plan) -> float:
    """Seconds that a block takes, once the first is done: by that of a small one, which takes
    seconds at most."""
    network, variant, axes = predictor.network, predictor.variant, predictor.network.dims
    raw = _small_raw(predictor, plan)
    block = np.zeros((1,) * (plan.grid.roi.dims - axes) + raw, np.float32)
    output = sizes.cascade_output(variant, network.trunk, raw)
    small = replace(plan, turns=plan.turns[:1], kept=tuple(slice(0, n) for n in output))
    predictor.block(block, small)
    begin = time.perf_counter()
    predictor.block(block, small)
    took = time.perf_counter() - begin
    own = tuple(plan.grid.block(0).read.shape)
    sections = math.prod(own[: len(own) - axes])
    larger = _work(network, variant, own[len(own) - axes :]) / _work(network, variant, raw)
    return float(took * larger * sections * len(plan.turns))


def _small_raw(predictor: Predictor, plan: Plan) -> tuple[int, ...]:
    """The largest raw up to that of a block of which a pass takes seconds at most."""
    network, variant, axes = predictor.network, predictor.variant, predictor.network.dims
    own = tuple(plan.grid.block(0).read.shape)[-axes:]
    smallest, step = sizes.smallest_raw(variant, network.trunk), sizes.step(network.trunk)
    for parts in range(8, 0, -1):
        raw = tuple(
            low + max(n * parts // 8 - low, 0) // by * by
            for n, low, by in zip(own, smallest, step, strict=True)
        )
        if _work(network, variant, raw) <= _WORK:
            return raw
    return tuple(smallest)


def _work(network: Network, variant: Variant, raw: Sequence[int]) -> int:
    """Multiplications of a pass."""
    inputs = sizes.stage_inputs(variant, network.trunk, raw)
    return cost.macs(network.trunk, inputs, variant)
