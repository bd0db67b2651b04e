"""Where a stage starts: at its newest checkpoint, or else with its initial weights; and what is
checked before that."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from lsd.losses.stage import StageLosses
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.repair import way_back
from lsd.network.checkpoints.restore import config_of
from lsd.network.precision import choose
from lsd.network.sizes import training_shapes
from lsd.network.trunks.trunk import architecture
from lsd.prediction.predictor import choose_device
from lsd.spec import Config, Network, Stage, Train
from lsd.spec.code import code_digests
from lsd.training.checkpointing import restore_best
from lsd.training.compatibility import check_same
from lsd.training.data_state import check_data, training_states
from lsd.training.devices.ranks import ALONE, Ranks
from lsd.training.finished import final_checkpoint, newest_checkpoint
from lsd.training.learner import Learner, new_learner
from lsd.training.modes.mode import training_mode
from lsd.training.warm_start import check_init_files, initial_checkpoints, load_initial_weights

log = logging.getLogger(__name__)


def check_start(config: Config) -> None:
    """Raises ValueError for what would be noticed late only.

    That is a head that its loss cannot learn, a device, a checkpoint or data that are not there,
    nothing to train, or another config or other data than the run was begun with.
    """
    stages, train = config.variant.stages, config.train
    for stage in stages:
        training_shapes(config.variant, config.network, stage=stage.name)
        # raises ValueError where a head cannot be learned by its loss
        StageLosses(stage.heads, dims=config.network.dims)
    _check_precision(train, config.network)
    # once the last stage has begun, its checkpoint holds all of them
    if not newest_checkpoint(config, stages[-1]):
        check_init_files(train)
    for stage in stages:
        if final_checkpoint(config, stage) is None and stage.name not in train.frozen:
            training_mode(train.mode).check(config, stage)
    if stages[-1].name in train.frozen:
        raise ValueError(
            f"train.frozen names the last stage, {stages[-1].name!r}, so nothing is left to train; "
            f"predict with it at once"
        )
    begun = [stage for stage in stages if newest_checkpoint(config, stage)]
    if begun:
        _check_continues(config, *load_newest(config, begun[-1]))


def begin(
    config: Config,
    stage: Stage,
    ranks: Ranks = ALONE,
    *,
    voxel_size: tuple[float, ...] | None = None,
) -> Learner:
    """A learner that goes on from the newest checkpoint of its stage, or starts.

    ranks: the processes that each need one; the first looks what is there, the others get the same
    voxel_size: of the training data, nm; None where nobody knows it
    Raises ValueError where a checkpoint does not fit or is damaged; the message then says how to
    get back to the one before.
    """
    learner, mode = new_learner(config, stage), training_mode(config.train.mode)
    learner.ranks, learner.voxel_size = ranks, voxel_size
    if not ranks.is_first:
        mode.prepare(learner)
    elif newest_checkpoint(config, stage) is None:
        paths = initial_checkpoints(config, stage)
        load_initial_weights(learner.cascade, paths, stage=stage.name, voxel_size=voxel_size)
        learner.restart_average()
        mode.prepare(learner)
    else:
        path, content = load_newest(config, stage)
        mode.prepare(learner)
        learner.restore(content, where=str(path))
        restore_best(learner)
    if ranks.size > 1:
        _share(learner)
    return learner


def load_newest(config: Config, stage: Stage) -> tuple[Path, dict[str, Any]]:
    """The newest checkpoint of a stage that has one, and its content.

    Raises ValueError where it is damaged; the message says how to get back to the one before.
    """
    path = newest_checkpoint(config, stage)
    assert path is not None
    try:
        return path, checkpoint.load(path)
    except checkpoint.Damaged as error:
        raise ValueError(f"{error.what}; {way_back(path)}") from error


def _share(learner: Learner) -> None:
    """Makes the learners of all processes that of the first."""
    packed = learner.ranks.from_first(lambda: _packed(learner.content()))
    if not learner.ranks.is_first:
        # from one GPU to another, by way of the CPU
        content = torch.load(BytesIO(packed), map_location="cpu", weights_only=True)
        learner.restore(content, where="the first process")


def _packed(content: Mapping[str, Any]) -> bytes:
    buffer = BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _check_precision(train: Train, network: Network) -> None:
    device = choose_device(train.device).type
    if device == "cpu" and choose(train.precision, device) == "bf16":
        architecture(network.trunk).check_bf16(network.train_shape)


def _check_continues(config: Config, path: Path, content: Mapping[str, Any]) -> None:
    """Raises ValueError unless a run with `config` may go on from this checkpoint."""
    before = config_of(content, where=path)
    check_same(before, config, where=str(path))
    _warn_of_init(before, config, path=path, stage=content["stage"])
    recorded = content.get("data")
    # checkpoints of earlier versions say nothing of their data
    states = training_states(config) if recorded else {}
    check_data(recorded or {}, states, checkpoint=path, changed_data=config.train.changed_data)
    _warn_of_edited_modules(content.get("code", {}), code_digests(config), checkpoint=path)


def _warn_of_init(before: Config, config: Config, *, path: Path, stage: str) -> None:
    """Paths may change, of what was moved; but another checkpoint than a stage began with begins
    nothing any more."""
    names = [each.name for each in config.variant.stages]
    for name in names[: names.index(stage) + 1]:
        old, new = before.train.init.get(name), config.train.init.get(name)
        if new is not None and new != old:
            log.warning(
                "train.init names %s for stage %r, which began with %s: that changes nothing, as "
                "the run goes on from %s; give it another name= to begin with that",
                new,
                name,
                old or "weights of its own",
                path,
            )


def _warn_of_edited_modules(
    recorded: Mapping[str, str], digests: Mapping[str, str], *, checkpoint: Path
) -> None:
    """Weights follow from the code of targets and losses, too; but a comment that was added is no
    reason to refuse."""
    for module, digest in recorded.items():
        if digests.get(module, digest) != digest:
            log.warning(
                "module %s, or one that it imports, was edited since %s was trained: the run goes "
                "on with it as it is now",
                module,
                checkpoint,
            )
