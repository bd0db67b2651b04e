"""Training of every stage of a variant, one after another; a run that was stopped goes on where it
was."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from lsd.batches.pipeline import Batches
from lsd.blockwise.on_disk.lock import exclusive
from lsd.network import sizes
from lsd.network.described import described, size
from lsd.spec import Config, Stage, paths
from lsd.system.allocator import keep_freed_memory
from lsd.system.atomic import write_text
from lsd.targets.target import target_kind
from lsd.training import initial, keeping
from lsd.training.again import score_again
from lsd.training.board import Board
from lsd.training.data import training_states
from lsd.training.faults import memory_advice
from lsd.training.interrupt import Interrupt, interruptible
from lsd.training.learner import Learner
from lsd.training.progress import Progress
from lsd.training.report import pictures, scalars
from lsd.training.step import step
from lsd.training.validation import Validator
from lsd.volumes.find import expand

log = logging.getLogger(__name__)


def train(config: Config, *, progress: bool = True) -> Path:
    """Trains the stages that are neither frozen nor finished; gives the best checkpoint of the
    last.

    Everything lies in the run's folder.  Ctrl-C and SIGTERM write a checkpoint, then raise
    KeyboardInterrupt.  Raises ValueError for a config that cannot be trained, or is not the one
    that the run was begun with, RuntimeError where another process trains this run.
    """
    config = expand(config)
    initial.check(config)
    keep_freed_memory()
    # on a GPU, what is fastest for the shapes of a run is tried out once
    fastest = torch.backends.cudnn.flags(enabled=True, benchmark=True)
    alone = exclusive(paths.run_folder(config) / "training")
    with alone, interruptible() as interrupt, cpu_threads(config.train.threads), fastest:
        write_text(paths.config_file(config), config.model_dump_json(indent=2) + "\n")
        for stage in config.variant.stages:
            if stage.name in config.train.frozen:
                continue
            if initial.finished(config, stage) is None:
                train_stage(config, stage, interrupt=interrupt, progress=progress)
            else:
                log.info("%s: %s", stage.name, _finished(config, stage))
    path = initial.finished(config, config.variant.stages[-1])
    assert path is not None
    return path


def train_stage(config: Config, stage: Stage, *, interrupt: Interrupt, progress: bool) -> None:
    """Trains one stage to its last iteration, from its newest checkpoint if it has one."""
    train, trunk, shape = config.train, config.network.trunk, config.network.train_shape
    raw = sizes.raw_shape(config.variant, trunk, shape, stage=stage.name)
    output = sizes.output_shape(trunk, shape, training=True)
    done = initial.done(config, stage)
    voxels = math.prod(output) * train.batch_size * train.accumulate
    with Progress(
        stage.name, done=done, total=train.iterations, voxels=voxels, show=progress
    ) as bar:
        # what is wrong with the data is said before any network is built
        validator = Validator(config, stage)
        if train.validate_every and not validator:
            log.warning(
                "dataset.validate is empty: nothing is validated, and the latest checkpoint counts "
                "as the best"
            )
        with (
            Batches(
                config,
                stage.name,
                raw,
                output,
                start=done * train.accumulate,
                stop=lambda: bool(interrupt),
            ) as batches,
            Board(paths.run_folder(config) / stage.name, after=done) as board,
        ):
            learner = initial.begin(config, stage)
            learner.voxel_size, learner.data = batches.voxel_size, training_states(config)
            for name, head in stage.heads.items():
                voxel_size = batches.voxel_size[-trunk.dims :]
                for remark in target_kind(head.target).remarks(output, voxel_size):
                    log.warning("%s: head %s: %s", stage.name, name, remark)
            for remark in learner.losses.remarks():
                log.warning("%s: %s", stage.name, remark)
            log.info("%s: %s", stage.name, _beginning(learner, raw, output))
            if learner.iteration:
                with bar.doing("validating"):
                    score_again(learner, validator)
            bar.leave_out()
            fit(learner, batches, validator=validator, board=board, bar=bar, interrupt=interrupt)
    if interrupt:
        _explain(interrupt, learner)


def fit(
    learner: Learner,
    batches: Batches,
    *,
    validator: Validator,
    board: Board,
    bar: Progress,
    interrupt: Interrupt,
) -> None:
    """The loop: from the learner's iteration to the last, or to an interrupt."""
    train, begun = learner.config.train, learner.iteration
    while learner.iteration < train.iterations and not interrupt:
        try:
            with memory_advice(learner.config):
                update = step(learner, batches)
        except RuntimeError:
            # whoever stops us may have ended, or frozen, the processes that make batches, too
            if interrupt:
                break
            raise
        bar.advance(update.loss)
        done, first, last = (
            learner.iteration,
            learner.iteration == begun + 1,
            learner.iteration == train.iterations,
        )
        if _shown(train.log_every, done, first=first, last=last):
            board.scalars(scalars(learner, update) | bar.throughput(), iteration=done)
        if _shown(train.snapshot_every, done, first=first, last=last):
            board.pictures(pictures(update, learner.stage), iteration=done)
        if validator and (_due(train.validate_every, done) or last):
            try:
                with bar.doing("validating"):
                    board.scalars(validate(learner, validator), iteration=done)
            except BaseException:
                # what was learned since the last checkpoint is not lost with it
                keeping.save(learner)
                raise
        if _due(train.checkpoint_every, done):
            keeping.save(learner)
    keeping.save(learner)


def validate(learner: Learner, validator: Validator) -> dict[str, float]:
    """Scores the learner, with averaged weights if it has them, and keeps it if it is the best so
    far; gives the curves."""
    with learner.averaged():
        validation = validator(learner.cascade, learner.losses)
    assert learner.best is None or learner.best.get("yardstick") == validator.yardstick, (
        "scored again before"
    )
    best = learner.best is None or validation.score < learner.best["score"]
    log.info(
        "stage %s, iteration %d: %s%s",
        learner.stage.name,
        learner.iteration,
        validation,
        ", the best so far" if best else "",
    )
    if best:
        learner.note_best(
            validation.record(), iteration=learner.iteration, yardstick=validator.yardstick
        )
        keeping.save_best(learner)
    return validation.curves()


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Inside, torch computes with so many threads; None: as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _finished(config: Config, stage: Stage) -> str:
    """Why a stage is not trained, and what would change that."""
    done = initial.done(config, stage)
    if done < config.train.iterations:
        return (
            f"{done} iterations are done, and a later stage is trained on them; to train it "
            f"longer, give the run another name="
        )
    # with more iterations, a stage before it need not go on
    last = stage == config.variant.stages[-1]
    return f"all {done} iterations are done{'; raise train.iterations to go on' if last else ''}"


def _beginning(learner: Learner, raw: Sequence[int], output: Sequence[int]) -> str:
    """What is trained, how, and from where on."""
    train = learner.config.train
    how = described(
        learner.cascade, device=learner.device, precision=train.precision, threads=train.threads
    )
    batch = f"batches of {train.batch_size}" + (
        f", {train.accumulate} a step" if train.accumulate > 1 else ""
    )
    makers = "made in this process" if not train.workers else f"made by {train.workers} processes"
    begun = f"going on from iteration {learner.iteration}" if learner.iteration else "training"
    return (
        f"{begun}, to iteration {train.iterations}: {how}; input {size(raw)}, output "
        f"{size(output)}, {batch}, {makers}"
    )


def _shown(every: int, iteration: int, *, first: bool, last: bool) -> bool:
    """Beside every so many, the first that is done and the last: a short run is to be seen, too."""
    return every > 0 and (_due(every, iteration) or first or last)


def _due(every: int, iteration: int) -> bool:
    return every > 0 and iteration % every == 0


def _explain(interrupt: Interrupt, learner: Learner) -> None:
    path = keeping.latest(learner.config, learner.stage)
    where = f"in iteration {learner.iteration} of stage {learner.stage.name!r}"
    raise KeyboardInterrupt(
        f"interrupted by {interrupt.signal} {where}; the same command goes on from {path}"
    )
