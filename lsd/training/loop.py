"""Training of every stage of a variant, one after another; a run that was stopped goes on where it
was."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import repeat
from pathlib import Path

import torch
from funlib.geometry import Coordinate

from lsd.batches.pipeline import Batch, Batches
from lsd.blockwise.on_disk.lock import exclusive
from lsd.network import sizes
from lsd.network.threads import computing_with
from lsd.prediction.usage_file import noting_usage
from lsd.spec import Config, Stage, Train, paths
from lsd.system.allocator import keep_freed_memory
from lsd.system.atomic import write_text
from lsd.system.ranks import rank
from lsd.training import checkpointing, messages, resume
from lsd.training.compatibility import check_shared
from lsd.training.data_state import training_states
from lsd.training.devices.joined import joined, threads
from lsd.training.devices.ranks import ALONE, Ranks
from lsd.training.devices.start import doubts, is_shared, train_shared
from lsd.training.faults import memory_advice
from lsd.training.finished import final_checkpoint, iterations_done
from lsd.training.interrupt import Interrupt, interruptible
from lsd.training.learner import Learner
from lsd.training.modes.mode import training_mode
from lsd.training.progress import Progress
from lsd.training.rescore import needs_rescoring, rescore_best
from lsd.training.step import Update
from lsd.training.summary import update_curves, update_pictures
from lsd.training.tensorboard import TensorBoard
from lsd.training.validation import Validator
from lsd.volumes.find import expand

log = logging.getLogger(__name__)


def _starts_others(config: Config) -> bool:
    """Whether this process trains nothing, but starts those that do."""
    return is_shared(config.train) and rank() is None


@noting_usage("train", unless=_starts_others, before=keep_freed_memory)
def train(config: Config, *, progress: bool = True) -> Path:
    """Trains the stages that are neither frozen nor finished; returns the best checkpoint of the
    last stage.

    All files lie in the run's folder.  Ctrl-C and SIGTERM write a checkpoint, then raise
    KeyboardInterrupt.  Raises ValueError for a config that cannot be trained, or is not the one
    that the run was begun with, RuntimeError where another process trains this run, or one of the
    processes that share it failed.
    """
    config = expand(config)
    if _starts_others(config):
        return train_shared(config, progress=progress)
    with joined(config.train) as ranks:
        # torchrun on several machines: each has read a file of its own
        check_shared(ranks.from_first(config.model_dump_json), config, rank=ranks.rank)
        if ranks.is_first:
            resume.check_start(config)
            messages.warn_of_no_validation(config)
            messages.warn_of_no_decoding(config)
            messages.warn_of_trained(config)
        # of several processes, who started them told
        for doubt in doubts(config.train) if ranks.size == 1 else ():
            log.warning("%s", doubt)
        keep_freed_memory()
        # on a GPU, what is fastest for the shapes of a run is tried out once
        fastest = torch.backends.cudnn.flags(enabled=True, benchmark=True)
        with (
            _only_run(config, ranks),
            interruptible() as interrupt,
            computing_with(threads(config.train, ranks)),
            fastest,
        ):
            for stage in config.variant.stages:
                if stage.name not in config.train.frozen:
                    _finish(config, stage, ranks, interrupt=interrupt, progress=progress)
            # none goes away before the first has written all
            path = ranks.from_first(partial(final_checkpoint, config, config.variant.stages[-1]))
    assert path is not None
    return path


@contextmanager
def _only_run(config: Config, ranks: Ranks) -> Iterator[None]:
    """Inside, no other processes than these train the run."""
    if not ranks.is_first:
        yield
        return
    with exclusive(paths.run_folder(config) / "training"):
        write_text(paths.config_file(config), config.model_dump_json(indent=2) + "\n")
        yield


def _finish(
    config: Config, stage: Stage, ranks: Ranks, *, interrupt: Interrupt, progress: bool
) -> None:
    if ranks.from_first(partial(final_checkpoint, config, stage)) is None:
        train_stage(config, stage, ranks, interrupt=interrupt, progress=progress)
    else:
        if ranks.is_first:
            checkpointing.restore_best_of_finished(config, stage)
        log.info("%s: %s", stage.name, messages.finished(config, stage))


def train_stage(
    config: Config, stage: Stage, ranks: Ranks = ALONE, *, interrupt: Interrupt, progress: bool
) -> None:
    """Trains one stage to its last iteration, from its newest checkpoint if it has one.

    ranks: the processes that do so together, each of which calls it
    """
    train = config.train
    raw, output = sizes.training_shapes(config.variant, config.network, stage=stage.name)
    done = ranks.from_first(partial(iterations_done, config, stage))
    voxels = math.prod(output) * train.batch_size * train.accumulate
    show = progress and ranks.is_first
    with Progress(stage.name, done=done, total=train.iterations, voxels=voxels, show=show) as bar:
        # what is wrong with the data is told before any network is built
        validator = Validator(config, stage) if ranks.is_first else None
        with (
            _batches(
                config, stage, ranks, (raw, output), start=done, interrupt=interrupt
            ) as batches,
            _board(config, stage, ranks, iterations_done=done) as board,
        ):
            learner = _begin(config, stage, ranks, batches, raw=raw, output=output)
            if validator:
                messages.warn_of_other_voxels(learner, validator.open())
            if validator and learner.iteration and needs_rescoring(learner, validator):
                with bar.doing("validating"):
                    rescore_best(learner, validator)
            bar.leave_out()
            stopped = fit(
                learner, batches, validator=validator, board=board, bar=bar, interrupt=interrupt
            )
    if stopped or _stopped(interrupt, ranks):
        raise KeyboardInterrupt(messages.interrupted(interrupt, learner))


def _batches(
    config: Config,
    stage: Stage,
    ranks: Ranks,
    shapes: tuple[Coordinate, Coordinate],
    *,
    start: int,
    interrupt: Interrupt,
) -> AbstractContextManager[Iterator[Batch | None]]:
    """This process's share of each batch from iteration `start` on; None where it has no sample.

    shapes: of what enters the network and what leaves it
    """
    train = config.train
    share = ranks.share(train.batch_size)
    if not share:
        return nullcontext(repeat(None))
    return Batches(
        config,
        stage.name,
        *shapes,
        start=start * train.accumulate,
        stop=lambda: bool(interrupt),
        samples=share,
        processes=ranks.local,
    )


def _board(
    config: Config, stage: Stage, ranks: Ranks, *, iterations_done: int
) -> AbstractContextManager[TensorBoard | None]:
    folder = paths.run_folder(config) / stage.name
    if not ranks.is_first:
        return nullcontext()
    return TensorBoard(folder, iterations_done=iterations_done)


def _begin(
    config: Config,
    stage: Stage,
    ranks: Ranks,
    batches: Iterator[Batch | None],
    *,
    raw: Coordinate,
    output: Coordinate,
) -> Learner:
    voxel_size = batches.voxel_size if isinstance(batches, Batches) else None
    learner = resume.begin(config, stage, ranks, voxel_size=voxel_size)
    if ranks.is_first:
        assert isinstance(batches, Batches), "the first process has a sample of every batch"
        learner.data = training_states(config)
        messages.tell_begin(learner, raw=raw, output=output)
    return learner


def fit(
    learner: Learner,
    batches: Iterator[Batch | None],
    *,
    validator: Validator | None,
    board: TensorBoard | None,
    bar: Progress,
    interrupt: Interrupt,
) -> bool:
    """The loop: from the learner's iteration to the last, or to an interrupt; returns whether it
    was one.

    validator, board: of the first process; the others write nothing, and have none
    """
    train, network = learner.config.train, learner.config.network
    start, mode = learner.iteration, training_mode(train.mode)
    ranks, stopped, whole = learner.ranks, False, True
    while learner.iteration < train.iterations and not (stopped := _stopped(interrupt, ranks)):
        before = learner.iteration
        try:
            with memory_advice(train, network):
                update = mode.step(learner, batches)
        except RuntimeError:
            # whoever stops us may have ended, or frozen, the processes that make batches, too
            if interrupt:
                # an iteration of several steps, or with a merge, may be half done
                stopped, whole = True, learner.iteration == before
                break
            raise
        bar.advance(update.loss)
        if board is not None:
            is_first = learner.iteration == start + 1
            _write_events(learner, update, board=board, bar=bar, is_first=is_first)
            if validator and _is_due(train.validate_every, learner.iteration, train, last=True):
                _validate_safely(learner, validator, board=board, bar=bar)
            if _is_due(train.checkpoint_every, learner.iteration, train):
                checkpointing.save(learner)
    if ranks.is_first and whole:
        checkpointing.save(learner)
    return stopped


def _stopped(interrupt: Interrupt, ranks: Ranks) -> bool:
    """Whether this process or any other was asked to stop: all of them do, after one iteration.

    A signal that comes once the others were told nothing waits for the next time they are: who went
    alone would leave them waiting.
    """
    stopped = ranks.any(bool(interrupt))
    if stopped and not interrupt:
        interrupt.signal = "a signal to another of its processes"
    return stopped


def _validate_safely(
    learner: Learner, validator: Validator, *, board: TensorBoard, bar: Progress
) -> None:
    try:
        with bar.doing("validating"):
            board.curves(validate(learner, validator), iteration=learner.iteration)
    except BaseException:
        # what was learned since the last checkpoint is not lost with it
        checkpointing.save(learner)
        raise


def validate(learner: Learner, validator: Validator) -> dict[str, float]:
    """Scores the learner, with averaged weights if it has them, and keeps it if it is the best so
    far; returns the curves of the validation."""
    with learner.averaged():
        validation = validator(learner.cascade, learner.losses)
    assert not needs_rescoring(learner, validator), "the best must be scored again before"
    messages.warn_of_nothing_to_find(learner, validation.scores)
    best = math.inf if learner.best is None else learner.best["score"]
    # while none was defined the newest counts as the best, as without a validation
    is_best = validation.score < best or best == math.inf
    log.info(
        "stage %s, iteration %d: %s%s",
        learner.stage.name,
        learner.iteration,
        validation,
        ", the best so far" if is_best else "",
    )
    if is_best:
        learner.note_best(
            validation.record(), iteration=learner.iteration, yardstick=validator.yardstick
        )
        checkpointing.save_best(learner)
    return validation.curves()


def _write_events(
    learner: Learner, update: Update, *, board: TensorBoard, bar: Progress, is_first: bool
) -> None:
    """Curves and pictures for tensorboard, where they are due.

    The first and the last iteration are always written, so that a short run is seen as well.
    """
    train, iteration = learner.config.train, learner.iteration
    if train.log_every and (is_first or _is_due(train.log_every, iteration, train, last=True)):
        board.curves(update_curves(learner, update) | bar.throughput(), iteration=iteration)
    if train.snapshot_every and (
        is_first or _is_due(train.snapshot_every, iteration, train, last=True)
    ):
        board.pictures(update_pictures(update, learner.stage), iteration=iteration)


def _is_due(every: int, iteration: int, train: Train, *, last: bool = False) -> bool:
    """Whether something is done after this iteration; last: also after the last of all."""
    is_last = last and iteration == train.iterations
    return every > 0 and (iteration % every == 0 or is_last)
