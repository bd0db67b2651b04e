"""What training tells about a stage: how it begins, that it is finished, how it was interrupted."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from lsd.evaluation.score import Score
from lsd.network.summary import described, size
from lsd.prediction.voxels import other_voxels
from lsd.segmentation.predicted import why_not_decoded
from lsd.spec import Config, Stage, Train
from lsd.spec.paths import data_root
from lsd.spec.plurals import counted
from lsd.system.commands import typed
from lsd.targets.target import target_kind
from lsd.training.finished import iterations_done, newest_checkpoint
from lsd.training.interrupt import Interrupt
from lsd.training.learner import Learner
from lsd.volumes.trained_on import trained_on
from lsd.volumes.volume import OpenVolume

log = logging.getLogger(__name__)


def warn_of_no_validation(config: Config) -> None:
    """Warns, once for the whole run, if train.validate_every is set but there is nothing to
    validate with."""
    if config.train.validate_every and not config.dataset.part("validate"):
        log.warning(
            "train.validate_every=%d has no effect, since dataset.validate is empty: nothing is "
            "validated, and the latest checkpoint counts as the best; name validation volumes in "
            "dataset.validate, or set train.validate_every=0",
            config.train.validate_every,
        )


def warn_of_no_decoding(config: Config) -> None:
    """Warns, once for the whole run, if the decoder of the config cannot read what is trained."""
    reason = why_not_decoded(config.segment, config.variant, dims=config.network.dims)
    if reason:
        log.warning("%s; training goes on, and %s will refuse this", reason, typed("segment"))


def warn_of_trained(config: Config) -> None:
    """Warns, once for the whole run, of volumes to be scored that hold voxels of training."""
    for _, warning in trained_on(config.dataset, data_root=data_root(config)):
        log.warning("%s", warning)


def tell_begin(learner: Learner, *, raw: Sequence[int], output: Sequence[int]) -> None:
    """Logs what is trained and how, and what is worth knowing of its targets and losses.

    raw, output: shapes of what the stage reads and gives in training, voxels
    """
    stage, dims = learner.stage, learner.config.network.dims
    voxel_size = learner.voxel_size and learner.voxel_size[-dims:]
    for name, head in stage.heads.items():
        for remark in target_kind(head.target).remarks(output, voxel_size):
            log.warning("%s: head %s: %s", stage.name, name, remark)
    for remark in learner.losses.remarks():
        log.warning("%s: %s", stage.name, remark)
    if learner.best is not None and not learner.config.train.validate_every:
        log.warning(
            "%s: train.validate_every=0, so best.pt stays what validated best so far, of iteration "
            "%d; predict.checkpoint=latest takes what is trained from here on",
            stage.name,
            learner.best["iteration"],
        )
    log.info("%s: %s", stage.name, _beginning(learner, raw, output))


def warn_of_other_voxels(learner: Learner, volumes: Iterable[OpenVolume]) -> None:
    """Warns of volumes to validate with whose voxels are of another size than those of training."""
    for volume in volumes:
        known = learner.voxel_size if volume.calibrated else None
        words = other_voxels(volume.voxel_size, known, dims=learner.config.network.dims)
        if words:
            log.warning("volume %r to validate with has %s", volume.name, words)


def warn_of_nothing_to_find(learner: Learner, score: Score) -> None:
    """Warns where no checkpoint is better than another by what it is validated with."""
    if score.nothing_to_find:
        log.warning(
            "%s: nothing is validated, and the newest checkpoint counts as the best: %s; name "
            "volumes with objects in dataset.validate, or a larger region of them",
            learner.stage.name,
            score.nothing_to_find,
        )


def finished(config: Config, stage: Stage) -> str:
    """Why a stage is not trained, and what would change that."""
    done = iterations_done(config, stage)
    if done < config.train.iterations:
        return (
            f"{counted(done, 'iteration')} done, and a later stage is trained on them; to train "
            f"it longer, give the run another name="
        )
    # with more iterations, a stage before it need not go on
    is_last = stage == config.variant.stages[-1]
    way_out = "; raise train.iterations to go on" if is_last else ""
    every = "its only iteration is" if done == 1 else f"all {done} iterations are"
    return f"{every} done{way_out}"


def interrupted(interrupt: Interrupt, learner: Learner) -> str:
    """By what, where, and how to go on."""
    # there is none where the first iteration was half done
    path = newest_checkpoint(learner.config, learner.stage)
    goes_on = f"goes on from {path}" if path else "begins anew"
    return (
        f"interrupted by {interrupt.signal} in iteration {learner.iteration} of stage "
        f"{learner.stage.name!r}; the same command {goes_on}"
    )


def _beginning(learner: Learner, raw: Sequence[int], output: Sequence[int]) -> str:
    train = learner.config.train
    network = described(
        learner.cascade, device=learner.device, precision=train.precision, threads=train.threads
    )
    ranks = learner.ranks
    shared = f", shared by {ranks.size} processes" if ranks.size > 1 else ""
    start = f"going on from iteration {learner.iteration}" if learner.iteration else "training"
    return (
        f"{start}, to iteration {train.iterations}: {network}; input {size(raw)}, output "
        f"{size(output)}, {_batches(train)}{shared}"
    )


def _batches(train: Train) -> str:
    size = f"batches of {train.batch_size}"
    per_step = f", {train.accumulate} a step" if train.accumulate > 1 else ""
    makers = (
        f"made by {counted(train.workers, 'process')}" if train.workers else "made in this process"
    )
    return f"{size}{per_step}, {makers}"
