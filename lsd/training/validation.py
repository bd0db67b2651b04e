"""How good a stage is by now: its validation volumes predicted, segmented and scored.

A stage that gives all heads that the decoder of config.segment reads is scored by the VOI of the
best threshold.  Any other, such as the first of an auto-context variant, is scored by its loss over
the same regions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cc3d
import numpy as np
import torch
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.arrays.contingency import Contingency
from lsd.evaluation.partition import Partition
from lsd.evaluation.sweep import Sweep, best, pooled, sweep
from lsd.losses.tasks import dense
from lsd.network import sizes
from lsd.network.cascade import Cascade
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Decoded, Prediction
from lsd.segmentation.predicted import is_decoded, neighborhood
from lsd.spec import Config, Evaluate, Head, Stage, Target, paths
from lsd.targets import target as targets
from lsd.targets.balance import balance
from lsd.training.window import window
from lsd.training.yardstick import yardstick
from lsd.volumes.intensity import signed
from lsd.volumes.labelled import check_labels
from lsd.volumes.plausible import check_raw
from lsd.volumes.volume import OpenVolume, open_volume, within

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Validation:
    """How good a stage is; score: lower is better, VOI sum in bits or a loss.

    scores:    at the best threshold; None for a stage scored by its loss
    threshold: the best one; None where there is none to choose
    sweep:     scores by threshold; losses: by head
    """

    score: float
    scores: Partition | None = None
    threshold: float | None = None
    sweep: Sweep = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.scores is None:
            return f"validation loss {self.score:.4f}"
        at = "" if self.threshold is None else f" at threshold {self.threshold:g}"
        return (
            f"VOI split {self.scores.voi_split:.3f} + merge {self.scores.voi_merge:.3f} = "
            f"{self.score:.3f} bits{at}"
        )

    def record(self) -> dict[str, Any]:
        """What is worth keeping, as plain data."""
        if self.scores is None:
            return {"score": self.score, "losses": dict(self.losses)}
        return {"score": self.score, "threshold": self.threshold, **self.scores.as_dict()}

    def curves(self) -> dict[str, float]:
        """For tensorboard."""
        curves = {"validation/score": self.score}
        curves |= {f"validation/loss/{name}": loss for name, loss in self.losses.items()}
        for threshold, scores in self.sweep.items():
            for name in ("voi_split", "voi_merge", "voi_sum"):
                curves[f"validation/{name}/{threshold:g}"] = getattr(scores, name)
        if self.scores is not None:
            curves["validation/arand"] = self.scores.arand
        return (
            curves if self.threshold is None else {**curves, "validation/threshold": self.threshold}
        )


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

    def __call__(self, cascade: Cascade) -> Validation:
        """Scores `cascade`, whose last stage is the validator's."""
        predictor = self._predictor(cascade)
        regions = zip(self._volumes, self._rois, strict=True)
        if is_decoded(self.config, self.stage.heads):
            sweeps = [self._sweep(predictor, volume, roi) for volume, roi in regions]
            return _by_partition(
                sweeps,
                choose=decoder_of(self.config.segment).has_thresholds,
                tolerance=self.config.evaluate.tolerance,
            )
        return _by_loss(
            [self._losses(predictor, volume, roi) for volume, roi in regions], self.stage.heads
        )

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
        dims = self.config.network.dims
        heads = {
            name: Prediction(
                np.rint(predicted[name] * 255).astype(np.uint8),  # as segment.py finds them on disk
                neighborhood(self.stage.heads[name].target, dims),
            )
            for name in decoder.reads(settings)
        }
        decoded = decoder.decode(
            heads,
            settings,
            mask=volume.read_known(roi) if settings.use_mask else None,
            first_section=roi.begin[0],
        )
        table = _count(decoded, volume, roi, evaluate)
        return sweep(
            table,
            decoded.edges,
            decoded.scores,
            settings.thresholds,
            ignore=(),
            background=evaluate.background,
        )

    def _losses(self, predictor: Predictor, volume: OpenVolume, roi: Roi) -> dict[str, float]:
        """Loss of each head over a region."""
        predicted = predict_region(predictor, volume, roi)
        flat = self.config.network.dims == 2
        return {
            name: _loss(head, predicted[name], volume, roi, flat=flat)
            for name, head in self.stage.heads.items()
        }


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


def _count(decoded: Decoded, volume: OpenVolume, roi: Roi, settings: Evaluate) -> Contingency:
    """Fragments and truth counted, as evaluate.py counts them; voxels that are to be ignored are
    left out."""
    truth, known = volume.read_truth(roi)
    scored = ~np.isin(truth, np.array(settings.ignore, np.uint64))
    if settings.use_mask:
        scored &= known
    if settings.connected:
        truth = cc3d.connected_components(np.where(scored, truth, np.uint64(0)), connectivity=26)
    return Contingency.of(decoded.fragments, truth, mask=scored)


def _by_partition(sweeps: Sequence[Sweep], *, choose: bool, tolerance: float) -> Validation:
    """choose: thresholds differ, so the best is worth knowing."""
    together = pooled(sweeps)
    threshold = best(together, tolerance=tolerance)
    scores = together[threshold]
    return Validation(
        scores.voi_sum, scores, threshold if choose else None, together if choose else {}
    )


def _by_loss(losses: Sequence[Mapping[str, float]], heads: Mapping[str, Head]) -> Validation:
    """Mean over the volumes, summed over the heads with their weights."""
    mean = {name: float(np.mean([of_volume[name] for of_volume in losses])) for name in heads}
    return Validation(
        sum(heads[name].loss.weight * loss for name, loss in mean.items()), losses=mean
    )


def _loss(head: Head, predicted: Array, volume: OpenVolume, roi: Roi, *, flat: bool) -> float:
    """The head's loss over a region, as in training: mean over the voxels that count."""
    target, known = _target(head.target, volume, roi, flat=flat)
    weights = balance(target, known) if head.loss.balance else known.astype(np.float32)
    # probabilities that are 0 or 1 after rounding have no logit
    logits = torch.from_numpy(predicted).logit(eps=1e-6)
    return dense(head.loss)(
        logits[None], torch.from_numpy(target)[None], torch.from_numpy(weights)[None]
    ).item()


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
