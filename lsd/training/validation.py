"""How good a stage is by now: its validation volumes predicted, segmented and scored.

A stage that gives all heads that the decoder of config.segment reads is scored by evaluate.metric
at the best threshold (the VOI sum).  Any other, such as the first of an auto-context variant, is
scored by its loss over the same regions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.evaluation.counting import overlaps
from lsd.evaluation.metric import scoring
from lsd.evaluation.score import Score, pool
from lsd.evaluation.sweep import Sweep, best, pooled, sweep
from lsd.losses.stage import StageLosses
from lsd.network import sizes
from lsd.network.cascade import Cascade
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Prediction
from lsd.segmentation.predicted import is_decoded, neighborhood
from lsd.spec import Config, Stage, Target, paths
from lsd.targets import target as targets
from lsd.training.loss_score import LossScore, score
from lsd.training.window import window
from lsd.training.yardstick import yardstick
from lsd.volumes.intensity import signed
from lsd.volumes.labelled import check_labels
from lsd.volumes.plausible import check_raw
from lsd.volumes.volume import OpenVolume, open_volume, within

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
        """What is compared: lower is better."""
        return self.scores.objective

    def __str__(self) -> str:
        at = "" if self.threshold is None else f" at threshold {self.threshold:g}"
        return f"{self.scores}{at}"

    def record(self) -> dict[str, Any]:
        """What is worth keeping, as plain data."""
        chosen: dict[str, Any] = {"score": self.score}
        if self.threshold is not None:
            chosen["threshold"] = self.threshold
        # a score of one's own may use these names for something else
        return chosen | self.scores.as_dict() | chosen

    def curves(self) -> dict[str, float]:
        """For tensorboard."""
        curves = {"score": self.score, **self.scores.curves()}
        for threshold, scores in self.sweep.items():
            curves |= {f"{name}/{threshold:g}": value for name, value in scores.swept().items()}
        if self.threshold is not None:
            curves["threshold"] = self.threshold
        return {f"validation/{name}": value for name, value in curves.items()}


class Validator:
    """Scores a stage on the validation volumes, which are opened (and refused, if they do not fit)
    at once.

    yardstick: all that scores depend on, JSON; only scores of equal ones may be compared
    threads, precision and layout are those of training, blocks those of predict; nothing is
    averaged over turned blocks.
    """

    def __init__(self, config: Config, stage: Stage) -> None:
        self.config, self.stage = config, stage
        volumes = config.dataset.part("validate") if config.train.validate_every else {}
        root = paths.data_root(config)
        self._volumes = [
            open_volume(volume, name=name, data_root=root) for name, volume in volumes.items()
        ]
        self._rois = [
            window(volume, _region(volume, config), config, stage) for volume in self._volumes
        ]
        for volume in self._volumes:
            check_labels(volume)
            check_raw(volume)
        self.yardstick = yardstick(config, stage, self._volumes, rois=self._rois)

    def __bool__(self) -> bool:
        return bool(self._volumes)

    def __call__(self, cascade: Cascade, losses: StageLosses | None = None) -> Validation:
        """Scores `cascade`, whose last stage is the validator's.

        losses: of that stage, where they own parameters that were trained; None: as they begin
        """
        predictor = self._predictor(cascade)
        regions = list(zip(self._volumes, self._rois, strict=True))
        if is_decoded(self.config, self.stage.heads):
            sweeps = [self._sweep(predictor, volume, roi) for volume, roi in regions]
            return _best(
                pooled(sweeps),
                choose=decoder_of(self.config.segment).has_thresholds,
                tolerance=self.config.evaluate.tolerance,
            )
        losses = StageLosses(self.stage.heads) if losses is None else losses
        scores = [self._losses(predictor, losses, volume, roi) for volume, roi in regions]
        return Validation(pool(scores))

    def _predictor(self, cascade: Cascade) -> Predictor:
        train = self.config.train
        shared = {
            name: getattr(train, name)
            for name in ("precision", "channels_last", "device", "threads")
        }
        settings = self.config.predict.derive(heads=(), augment="none", compile=False, **shared)
        return Predictor(cascade, self.config.network, settings=settings)

    def _sweep(self, predictor: Predictor, volume: OpenVolume, roi: Roi) -> Sweep:
        settings, evaluate = self.config.segment, self.config.evaluate
        predicted, decoder = predict_region(predictor, volume, roi), decoder_of(settings)
        heads = {name: self._as_on_disk(name, predicted[name]) for name in decoder.reads(settings)}
        decoded = decoder.decode(
            heads,
            settings,
            mask=volume.read_known(roi) if settings.use_mask else None,
            first_section=roi.begin[0],
        )
        truth, known = volume.read_truth(roi)
        table = overlaps(
            decoded.fragments,
            truth,
            known=known if evaluate.use_mask else None,
            connected=evaluate.connected,
            ignore=evaluate.ignore,
        )
        return sweep(
            table, decoded.edges, decoded.scores, settings.thresholds, score=scoring(evaluate)
        )

    def _as_on_disk(self, name: str, values: Array) -> Prediction:
        """A head as segment.py finds it on disk."""
        target = self.stage.heads[name].target
        storage = targets.target_kind(target).storage
        stored = storage.to_uint8(torch.from_numpy(values)).numpy()
        offsets = neighborhood(target, self.config.network.dims)
        return Prediction(stored, offsets, (storage.low, storage.high))

    def _losses(
        self, predictor: Predictor, losses: StageLosses, volume: OpenVolume, roi: Roi
    ) -> LossScore:
        """Loss of each head over a region."""
        predicted = predict_region(predictor, volume, roi)
        labels, known = volume.read_truth(roi)
        heads, flat = self.stage.heads, self.config.network.dims == 2
        return score(
            losses,
            predicted,
            {name: _target(head.target, volume, roi, flat=flat) for name, head in heads.items()},
            labels=labels,
            known=known,
            voxel_size=volume.voxel_size,
            weights={name: head.loss.weight for name, head in heads.items()},
            flat=flat,
        )


def predict_region(predictor: Predictor, volume: OpenVolume, roi: Roi) -> dict[str, Array]:
    """Heads (c, z, y, x) in 0..1 of a region of a volume, as predicter.py computes them before
    rounding."""
    grid = predictor.plan(roi, voxel_size=volume.voxel_size).grid
    first, last = grid.block(0).read, grid.block(len(grid) - 1).read
    dims = predictor.network.dims
    # blocks lie on a grid that begins with the array; it is to be that of the world
    step = Coordinate((1,) * (roi.dims - dims) + tuple(sizes.step(predictor.network.trunk)))
    read = first.union(last).snap_to_grid(step, mode="grow")
    raw = signed(volume.read_raw(read))
    return predict_array(predictor, raw, roi=roi - read.begin, voxel_size=volume.voxel_size)


def _region(volume: OpenVolume, config: Config) -> Roi:
    """What of a volume is predicted and scored.  Raises ValueError where there is no truth."""
    if volume.truth_roi is None:
        raise ValueError(
            f"validation volume {volume.name!r} has no labels; name them, or set "
            f"train.validate_every=0"
        )
    return within(config.evaluate.region, volume.truth_roi)


def _best(sweep: Sweep, *, choose: bool, tolerance: float) -> Validation:
    """choose: thresholds differ, so the best is worth knowing."""
    threshold = best(sweep, tolerance=tolerance)
    scores = sweep[threshold]
    return Validation(scores, threshold, sweep) if choose else Validation(scores)


def _target(
    target: Target, volume: OpenVolume, roi: Roi, *, flat: bool
) -> tuple[Array, NDArray[np.bool_]]:
    """What a head should give, (c, z, y, x), and where it is known; flat: section by section."""
    labels, known = volume.read_truth(roi)
    arrays = {name: volume.read_array(name, roi) for name in volume.arrays}
    if not flat:
        return targets.compute(
            target, labels, known=known, arrays=arrays, voxel_size=volume.voxel_size
        )
    sections = [
        targets.compute(
            target,
            labels[z],
            known=known[z],
            arrays={name: array[z] for name, array in arrays.items()},
            voxel_size=volume.voxel_size[1:],
        )
        for z in range(len(labels))
    ]
    return np.stack([values for values, _ in sections], axis=1), np.stack(
        [mask for _, mask in sections], axis=1
    )
