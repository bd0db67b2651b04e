"""How good a stage is: its validation volumes predicted, segmented and scored.

A stage that gives all heads that the decoder of config.segment reads is scored by evaluate.metric
at the best threshold (the VOI sum).  Any other, such as the first of an auto-context variant, is
scored by its loss over the same regions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons
from lsd.batches.volumes import check_extras
from lsd.evaluation.evidence import evidence_in_memory, has
from lsd.evaluation.metric import check_joined
from lsd.evaluation.score import Score, defined, pool
from lsd.evaluation.sweep import Sweep, best_threshold, pooled
from lsd.losses.stage import StageLosses
from lsd.network import sizes
from lsd.network.cascade import Cascade
from lsd.network.precision import choose
from lsd.prediction.array import predict_array
from lsd.prediction.images import predict_images
from lsd.prediction.predictor import Predictor, choose_device
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Prediction
from lsd.segmentation.mask import read_mask
from lsd.segmentation.predicted import channels_of, is_decoded
from lsd.segmentation.sections import decode_volume
from lsd.spec import Config, Evaluate, Predict, Stage, Train, paths
from lsd.spec.evaluate import Against
from lsd.targets import target as targets
from lsd.training.data_state import volume_input
from lsd.training.loss_score import LossScore, learned_in, score_losses
from lsd.training.window import window
from lsd.training.yardstick import (
    LossYardstick,
    SegmentationYardstick,
    SkeletonsInput,
    yardstick,
)
from lsd.volumes.images.checks import check_use
from lsd.volumes.inputs import box_of
from lsd.volumes.intensity import signed
from lsd.volumes.label_checks import check_labels
from lsd.volumes.metadata_values import plain
from lsd.volumes.raw_checks import check_raw
from lsd.volumes.skeletons.sources import open_skeletons
from lsd.volumes.volume import OpenVolume, open_volume

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Validation:
    """How good a stage is.

    scores:    at the best threshold
    threshold: the best one; None where there is none to choose
    sweep:     scores by threshold; empty where there is none
    """

    scores: Score
    threshold: float | None = None
    sweep: Sweep = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The number that validations are compared by: lower is better; infinity where it is
        undefined, or says nothing."""
        return self.scores.compared

    def __str__(self) -> str:
        threshold = "" if self.threshold is None else f" at threshold {self.threshold:g}"
        return f"{self.scores}{threshold}"

    def record(self) -> dict[str, Any]:
        """What is kept of it in checkpoints and validation.json, as plain data."""
        record: dict[str, Any] = {"score": self.score}
        if self.threshold is not None:
            record["threshold"] = self.threshold
        # a metric of one's own may use these names for something else
        both: dict[str, Any] = plain(record | self.scores.as_dict() | record)
        return both

    def curves(self) -> dict[str, float]:
        """For tensorboard."""
        curves = {"score": self.score, **self.scores.curves()}
        for threshold, scores in self.sweep.items():
            swept = defined(scores.swept())
            curves |= {f"{name}/{threshold:g}": value for name, value in swept.items()}
        if self.threshold is not None:
            curves["threshold"] = self.threshold
        return {f"validation/{name}": value for name, value in curves.items()}


class Validator:
    """Scores a stage on the validation volumes.

    heads:     the stage is scored by the losses of these; None: by what is segmented of it, or
               where it is not decoded by the losses of all
    job:       all that scores depend on, and all that scoring is given beside the network
    skeletons: of the volumes, where the metric is against these
    yardstick: its record; only scores of equal yardsticks may be compared
    Threads and memory layout are those of training, blocks those of predict, and nothing is
    averaged over turned blocks.  The volumes are opened, and refused if they do not fit, at once.
    """

    def __init__(self, config: Config, stage: Stage, *, heads: Sequence[str] | None = None) -> None:
        self.stage, self.network = stage, config.network
        self.heads = tuple(stage.heads if heads is None else heads)
        self.predict = _prediction_settings(config.predict, config.train)
        by_loss = heads is not None
        self.skeletons = _skeletons(config, stage, by_loss=by_loss)
        self.job = validation_job(config, stage, skeletons=self.skeletons, by_loss=by_loss)
        self.yardstick = self.job.record()

    def __bool__(self) -> bool:
        return bool(self.job.volumes)

    @property
    def rois(self) -> list[Roi]:
        """The part of each volume that is predicted and scored, voxels of the world."""
        return [Roi(*box) for box in self.job.predicted]

    def open(self) -> list[OpenVolume]:
        """The volumes.  Raises ValueError if an array is another one than it was at first."""
        return [volume.open() for volume in self.job.volumes.values()]

    def predictor(self, cascade: Cascade) -> Predictor:
        """What predicts the volumes with `cascade`."""
        block_size = self.job.predict.model_dump()
        settings = self.predict.derive(precision=self.job.precision, **block_size)
        return Predictor(cascade, self.network, settings=settings)

    def __call__(self, cascade: Cascade, losses: StageLosses | None = None) -> Validation:
        """Scores `cascade`, whose last stage is the validator's.

        losses: of that stage, where they own parameters that were trained; None: as they begin
        """
        predictor, regions = self.predictor(cascade), list(zip(self.open(), self.rois, strict=True))
        if isinstance(self.job, SegmentationYardstick):
            return self._segmented(predictor, regions, self.job)
        losses = StageLosses(self.stage.heads) if losses is None else losses
        scores = [self._losses(predictor, losses, volume, roi) for volume, roi in regions]
        return Validation(pool(scores))

    def _segmented(
        self,
        predictor: Predictor,
        regions: Sequence[tuple[OpenVolume, Roi]],
        job: SegmentationYardstick,
    ) -> Validation:
        """The score at the best threshold, of all regions together."""
        scores = pooled([self._sweep(predictor, volume, roi, job) for volume, roi in regions])
        decoder = decoder_of(job.segment)
        threshold = best_threshold(
            scores, tolerance=job.evaluate.tolerance, joins_least=decoder.joins_least
        )
        if not decoder.has_thresholds:
            return Validation(scores[threshold])
        return Validation(scores[threshold], threshold, scores)

    def _sweep(
        self, predictor: Predictor, volume: OpenVolume, roi: Roi, job: SegmentationYardstick
    ) -> Sweep:
        settings, evaluate, decoder = job.segment, job.evaluate, decoder_of(job.segment)
        predicted = predict_region(predictor, volume, roi)
        size = volume.voxel_size if volume.calibrated else None
        heads = {
            name: self._as_on_disk(name, predicted[name], voxel_size=size)
            for name in decoder.reads(settings)
        }
        decoded = decode_volume(
            decoder,
            volume,
            heads,
            settings,
            roi=roi,
            mask=read_mask(volume, roi, use_mask=settings.use_mask),
        )
        evidence = evidence_in_memory(volume, roi, evaluate, self.skeletons.get(volume.name))
        sweep: dict[float, Score] = {}
        for part, thresholds in decoded.parts(job.thresholds):
            sweep |= evidence.sweep(part, thresholds)
        return sweep

    def _as_on_disk(
        self, name: str, values: Array, *, voxel_size: tuple[float, ...] | None
    ) -> Prediction:
        """A head as segmentation reads it from disk."""
        target = self.stage.heads[name].target
        storage = targets.target_kind(target).storage
        stored = storage.to_uint8(torch.from_numpy(values)).numpy()
        channels, limits = channels_of(target, self.network.dims), (storage.low, storage.high)
        return Prediction.of(stored, channels, limits=limits, voxel_size=voxel_size)

    def _losses(
        self, predictor: Predictor, losses: StageLosses, volume: OpenVolume, roi: Roi
    ) -> LossScore:
        """Loss of each head over a region."""
        predicted = predict_region(predictor, volume, roi)
        heads, dims = self.stage.heads, self.network.dims
        wanted = {name: head.target for name, head in heads.items()}
        learned = learned_in(volume, roi, wanted, dims=dims)
        return score_losses(
            losses,
            predicted,
            learned.targets,
            labels=learned.labels,
            known=learned.known,
            voxel_size=volume.voxel_size,
            weights={name: heads[name].loss.weight for name in self.heads},
            flat=dims == 2,
        )


def validation_job(
    config: Config, stage: Stage, *, skeletons: Mapping[str, Skeletons], by_loss: bool = False
) -> SegmentationYardstick | LossYardstick:
    """What the validation of a stage depends on.  Raises ValueError where a volume does not fit.

    Without train.validate_every it has no volumes.
    skeletons: of these, by name, where the stage is scored along them
    by_loss: the stage is scored by losses, also where it is decoded
    """
    volumes, against = _open_volumes(config), _against(config, stage, by_loss=by_loss)
    rois = [
        window(
            volume,
            _scored_roi(volume, config.evaluate, against),
            stage,
            dims=config.network.dims,
            segment=config.segment,
            evaluate=config.evaluate,
            by_loss=by_loss,
        )
        for volume in volumes
    ]
    for volume in volumes:
        check_use(volume, stage.heads, dims=config.network.dims)
        if against == "labels":
            check_labels(volume)
        check_raw(volume)
    if against == "skeletons" and volumes:
        check_joined(config.evaluate, config.segment)
    root, shape = paths.data_root(config), config.network.train_shape
    job = yardstick(
        stage,
        volumes={
            volume.name: volume_input(volume, data_root=root, input_shape=shape)
            for volume in volumes
        },
        predicted=[box_of(roi) for roi in rois],
        precision=choose(config.train.precision, choose_device(config.train.device).type),
        predict=config.predict,
        segment=config.segment,
        evaluate=config.evaluate,
        skeletons={
            volume.name: SkeletonsInput(source=source, content=skeletons[volume.name].digest)
            for volume in volumes
            if (source := volume.spec.skeletons) is not None and volume.name in skeletons
        },
        dims=config.network.dims,
        by_loss=by_loss,
    )
    if isinstance(job, LossYardstick):
        # a segmentation is scored without what heads learn from
        for volume in volumes:
            check_extras(volume, stage.heads)
    return job


def _against(config: Config, stage: Stage, *, by_loss: bool) -> Against:
    """What a stage is scored against; losses are of labels."""
    decoded = is_decoded(config.segment, stage.heads, dims=config.network.dims)
    return config.evaluate.metric.against if decoded and not by_loss else "labels"


def _skeletons(config: Config, stage: Stage, *, by_loss: bool) -> dict[str, Skeletons]:
    """Of the volumes that have some, by name, where the stage is scored along them."""
    if _against(config, stage, by_loss=by_loss) != "skeletons":
        return {}
    root = paths.data_root(config)
    return {
        volume.name: open_skeletons(volume, data_root=root)
        for volume in _open_volumes(config)
        if has(volume.spec, "skeletons")
    }


def _open_volumes(config: Config) -> list[OpenVolume]:
    volumes = config.dataset.part("validate") if config.train.validate_every else {}
    root = paths.data_root(config)
    return [open_volume(volume, name=name, data_root=root) for name, volume in volumes.items()]


def _prediction_settings(predict: Predict, train: Train) -> Predict:
    """Those that change no score, or are the same throughout a run, are those of training."""
    return predict.derive(
        heads=(),
        augment="none",
        compile=False,
        channels_last=train.channels_last,
        device=train.device,
        threads=train.threads,
    )


def predict_region(predictor: Predictor, volume: OpenVolume, roi: Roi) -> dict[str, Array]:
    """Heads (c, z, y, x) in 0..1 of a region of a volume, as prediction computes them before
    rounding; the lowest value where there is no image."""
    if volume.image_sizes is not None:
        return predict_images(predictor, volume, roi)
    grid = predictor.plan(roi, voxel_size=volume.voxel_size).grid
    first_read, last_read = grid.block(0).read, grid.block(len(grid) - 1).read
    dims = predictor.network.dims
    # the grid of blocks begins with the array, and must be that of the world
    step = Coordinate((1,) * (roi.dims - dims) + tuple(sizes.step(predictor.network.trunk)))
    read = first_read.union(last_read).snap_to_grid(step, mode="grow")
    raw = signed(volume.read_raw(read))
    return predict_array(predictor, raw, roi=roi - read.begin, voxel_size=volume.voxel_size)


def _scored_roi(volume: OpenVolume, evaluate: Evaluate, against: Against) -> Roi:
    """The part of a volume that is scored.  Raises ValueError where it has nothing to be scored
    against."""
    if not has(volume.spec, against):
        raise ValueError(
            f"validation volume {volume.name!r} has no {against}; name them, or set "
            f"train.validate_every=0"
        )
    return volume.part(evaluate.region, volume.truth_roi or volume.roi)
