"""What training would do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from lsd.cli.survey.trial import sample
from lsd.cli.survey.volumes import Surveyed, listed, surveyed
from lsd.cli.survey.words import about, amount, duration, times
from lsd.network import cost, sizes
from lsd.prediction.voxels import other_voxels
from lsd.segmentation.predicted import why_not_decoded
from lsd.spec import Config, Stage, Train
from lsd.spec.paths import data_root, run_folder
from lsd.spec.plurals import counted
from lsd.system.commands import typed
from lsd.targets.target import channels
from lsd.training import step_time
from lsd.training.devices.start import check_devices, doubts, is_shared, sharing
from lsd.training.finished import final_checkpoint, iterations_done
from lsd.training.learner import Learner, new_learner
from lsd.training.modes.mode import training_mode
from lsd.training.resume import check_start
from lsd.volumes.find import expand
from lsd.volumes.trained_on import trained_on


def survey(config: Config, shared: bool) -> Iterator[str]:
    """Volumes, the network, and of each stage its sizes, memory, and what is left of it."""
    config = expand(config)
    if config.train.hosts.launch:
        # machines elsewhere may have a device that is not here, where a sample is tried
        config = config.derive(train={"device": "auto"})
    check_start(config)
    volumes = surveyed(config, ("train",))
    yield from listed(volumes, title="volumes to train on")
    if config.train.validate_every:
        validated = surveyed(config, ("validate",))
        yield from listed(validated, title="volumes to validate with")
        yield from _other_voxels(validated, volumes, dims=config.network.dims)
    for _, warning in trained_on(config.dataset, data_root=data_root(config)):
        yield f"warning: {warning}"
    reason = why_not_decoded(config.segment, config.variant, dims=config.network.dims)
    if reason:
        yield f"warning: {reason}; training does without, and {typed('segment')} will refuse this"
    count = cost.parameters(config.network.trunk, config.variant)
    yield f"network: {count:,} parameters, {config.network.dims}D"
    yield from _processes(config.train)
    for stage in config.variant.stages:
        yield from _stage(config, stage)
    yield f"in {run_folder(config)}; nothing was changed"


def _other_voxels(
    validated: Mapping[str, Surveyed], volumes: Mapping[str, Surveyed], *, dims: int
) -> Iterator[str]:
    """Warnings of volumes to validate with that have other voxels than those to train on."""
    sizes_known = [size for volume in volumes.values() if (size := volume.calibrated_size)]
    for name, volume in validated.items():
        if (size := volume.calibrated_size) and sizes_known:
            words = other_voxels(size, sizes_known[0], dims=dims)
            if words:
                yield f"warning: volume {name!r} has {words}"


def _processes(train: Train) -> Iterator[str]:
    if is_shared(train):
        if not train.hosts.launch:
            check_devices(train)
        yield sharing(train)
    for doubt in doubts(train):
        yield f"warning: {doubt}"


def _stage(config: Config, stage: Stage) -> Iterator[str]:
    train, trunk, shape = config.train, config.network.trunk, config.network.train_shape
    raw, output = sizes.training_shapes(config.variant, config.network, stage=stage.name)
    heads = ", ".join(
        f"{name} ({counted(channels(head.target, trunk.dims), 'channel')})"
        for name, head in stage.heads.items()
    )
    batch = f"batches of {train.batch_size}" + (
        f", {train.accumulate} a step" if train.accumulate > 1 else ""
    )
    yield (
        f"stage {stage.name}: reads {', '.join(stage.reads)}, gives {heads}; raw {times(raw)}, "
        f"input {times(shape)}, output {times(output)}, {batch}"
    )
    done = iterations_done(config, stage)
    left = train.iterations - done
    if stage.name in train.frozen:
        yield "  frozen: it is not trained"
    elif final_checkpoint(config, stage) is not None:
        yield "  its only iteration is done" if done == 1 else f"  all {done} iterations are done"
    else:
        yield f"  iterations: {done} of {train.iterations} are done, {left} are left"
        yield from _tried(config, stage, raw=raw, output=output, left=left)


def _tried(
    config: Config, stage: Stage, *, raw: Sequence[int], output: Sequence[int], left: int
) -> Iterator[str]:
    """What a sample shows, the memory of a step, and how long all of them take."""
    yield "  a sample is made, and its targets and losses are tried ..."
    begin = time.perf_counter()
    batch = sample(config, stage, raw=raw, output=output)
    seconds = time.perf_counter() - begin
    shape = step_time.smaller_input(config, stage)
    # compiling takes minutes, and pays in a long run alone
    small = config.derive(network={"train_shape": shape}, train={"compile": False})
    learner = new_learner(small, stage)
    losses = step_time.first_losses(learner, batch)
    yield f"  it took {duration(seconds)}, with all that comes before the first one"
    for name, weights in batch.weights.items():
        known = float((weights > 0).mean())
        yield f"  head {name}: known at {known:.0%} of the sample, loss at the start about " + (
            f"{losses[name]:.3g}"
        )
    training_mode(config.train.mode).prepare(learner)
    memory = step_time.memory_of_a_step(learner, config.network.train_shape)
    yield f"  memory of a step: about {amount(memory)} on {learner.device}, and the program itself"
    yield from _how_long(config, stage, learner, left)


def _how_long(config: Config, stage: Stage, learner: Learner, left: int) -> Iterator[str]:
    rate = step_time.recorded_rate(run_folder(config) / stage.name)
    if rate:
        speed = f"{rate:.3g} iterations a second, as the run noted"
        yield f"  {about(left / rate)}, at {speed}"
        return
    shape, own = learner.config.network.train_shape, config.network.train_shape
    took = step_time.seconds_of_a_pass(learner)
    # branches take their steps one after another
    passes = config.train.accumulate * (1 + len(learner.branches))
    larger = step_time.work(config, stage, own) / step_time.work(config, stage, shape)
    compiled = ", not compiled" if config.train.compile else ""
    yield (
        f"  {about(left * passes * took * larger)}: a guess, from a pass "
        f"of {times(shape)}{compiled} that took {duration(took)} here and now (large inputs are "
        f"often faster than that); making batches and validation come on top"
    )
