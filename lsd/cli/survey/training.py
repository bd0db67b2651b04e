"""What training would do."""

from __future__ import annotations

from collections.abc import Iterator

from lsd.cli.survey.volumes import listed, surveyed
from lsd.cli.survey.words import amount, duration, times
from lsd.network import cost, sizes
from lsd.spec import Config, Stage
from lsd.spec.paths import run_folder
from lsd.targets.target import channels
from lsd.training.finished import final_checkpoint, iterations_done
from lsd.training.resume import check_start
from lsd.training.step_time import measure_step, recorded_rate
from lsd.volumes.find import expand


def survey(config: Config, shared: bool) -> Iterator[str]:
    """Volumes, the network, and of each stage its sizes, memory, and what is left of it."""
    config = expand(config)
    check_start(config)
    yield from listed(surveyed(config, ("train",)), title="volumes to train on")
    if config.train.validate_every:
        yield from listed(surveyed(config, ("validate",)), title="volumes to validate with")
    count = cost.parameters(config.network.trunk, config.variant)
    yield f"network: {count:,} parameters, {config.network.dims}D"
    for stage in config.variant.stages:
        yield from _stage(config, stage)
    yield f"in {run_folder(config)}; nothing was changed"


def _stage(config: Config, stage: Stage) -> Iterator[str]:
    train, trunk, shape = config.train, config.network.trunk, config.network.train_shape
    raw = sizes.raw_shape(config.variant, trunk, shape, stage=stage.name)
    output = sizes.output_shape(trunk, shape, training=True)
    heads = ", ".join(
        f"{name} ({channels(head.target, trunk.dims)} channels)"
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
        yield f"  all {done} iterations are done"
    else:
        yield f"  iterations: {done} of {train.iterations} are done, {left} are left"
        yield from _how_long(config, stage, left)


def _how_long(config: Config, stage: Stage, left: int) -> Iterator[str]:
    rate = recorded_rate(run_folder(config) / stage.name)
    if rate:
        speed = f"{rate:.3g} iterations a second, as the run noted"
        yield f"  about {duration(left / rate)}, at {speed}"
        return
    measured = measure_step(config, stage)
    yield f"  memory of a step: about {amount(measured.memory)} on {measured.device} (measured)"
    yield (
        f"  about {duration(left * measured.seconds)}: a guess, from a pass that took "
        f"{duration(measured.seconds)} here and now; batches and validation come on top"
    )
