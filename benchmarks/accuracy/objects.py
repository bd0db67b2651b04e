"""Scores of objects of the validation volumes, with how sure they are, and whether the probability
that they are made of is one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from benchmarks.accuracy.bootstrap import SCORES, Truth, bootstrap, interval
from lsd.evaluation.calibration import Calibration, calibration
from lsd.evaluation.scores import Evaluation
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.decoders.thresholds import ThresholdDecoder
from lsd.segmentation.objects import objects_of
from lsd.segmentation.predicted import open_heads
from lsd.segmentation.results import open_results
from lsd.spec import Config, Consensus, Segment
from lsd.spec.paths import data_root
from lsd.volumes.volume import open_volume

Maps = NDArray[np.float32]
PERCENT = ("low", "high")


def of_objects(config: Config, evaluation: Evaluation) -> dict[str, float | None]:
    """AP50, PQ and IoU with intervals, by drawing objects again; the expected calibration error of
    the foreground, where the decoder has one; of a consensus the same of what each voxel says of
    itself, and the difference."""
    truth = _truth(config)
    segments = _numbered(
        [open_results(config, name).read(roi, evaluation.threshold) for name, roi in _rois(config)]
    )
    foreground = _foreground(config, config.segment)
    if foreground is None:
        return _with_intervals("", bootstrap(truth, segments)[:, 0])
    calibrated = calibration(foreground, truth.objects)
    scores = _calibrated("", calibrated)
    if not isinstance(config.segment.decoder, Consensus):
        return scores | _with_intervals("", bootstrap(truth, segments)[:, 0])
    alone = config.segment.derive(decoder=config.segment.decoder.derive(centre=True))
    centre = _foreground(config, alone)
    assert centre is not None, "it has one"
    drawn = bootstrap(truth, segments, _best(centre, truth, config))
    calibrated_alone = calibration(centre, truth.objects)
    return {
        **scores,
        **_with_intervals("", drawn[:, 0]),
        **_calibrated("centre ", calibrated_alone),
        **_with_intervals("centre ", drawn[:, 1]),
        **_with_intervals("consensus - centre ", drawn[:, 0] - drawn[:, 1]),
    }


def _rois(config: Config) -> Iterator[tuple[str, Roi]]:
    for name, spec in config.dataset.part("validate").items():
        yield name, open_volume(spec, name=name, data_root=data_root(config)).roi


def _truth(config: Config) -> Truth:
    """Of all validation volumes: of several, each is a section."""
    volumes = [
        open_volume(spec, name=name, data_root=data_root(config))
        for name, spec in config.dataset.part("validate").items()
    ]
    labels = np.concatenate([volume.read_truth(volume.roi)[0] for volume in volumes])
    return Truth.of(labels, by_section=len(volumes) > 1)


def _numbered(images: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """One stack, in which no two images share an id."""
    before = np.cumsum([0, *(image.max(initial=0) for image in images[:-1])]).astype(np.uint64)
    shifted = (np.where(image > 0, image + n, 0) for image, n in zip(images, before, strict=True))
    return np.concatenate(list(shifted))


def _foreground(config: Config, settings: Segment) -> Maps | None:
    """What the decoder makes objects of, 0 to 1, of all validation volumes; None: it has none."""
    decoder = decoder_of(settings)
    if not isinstance(decoder, ThresholdDecoder):
        return None
    maps = []
    for name, roi in _rois(config):
        heads = open_heads(config.derive(segment=settings), name)
        maps.append(decoder.foreground({head: each.read(roi) for head, each in heads.items()}))
    return np.concatenate(maps)


def _best(foreground: Maps, truth: Truth, config: Config) -> NDArray[np.uint64]:
    """Its objects at the threshold with the highest panoptic quality."""
    settings = config.segment.objects
    if len(config.dataset.validate) > 1:
        # every section is an image of its own
        settings = settings.derive(connectivity=4)
    candidates = [
        objects_of(foreground >= threshold, None, settings, voxel_size=None)
        for threshold in config.segment.thresholds
    ]
    quality = [
        bootstrap(truth, objects, draws=0)[0, 0, SCORES.index("PQ")] for objects in candidates
    ]
    return candidates[int(np.nanargmax(quality))]


def _with_intervals(prefix: str, drawn: NDArray[np.float64]) -> dict[str, float | None]:
    """drawn: (draws + 1, SCORES), see `bootstrap`."""
    scores: dict[str, float | None] = {}
    for place, name in enumerate(SCORES):
        ends = zip(PERCENT, interval(drawn[1:, place]), strict=True)
        scores[f"{prefix}{name}"] = float(drawn[0, place])
        scores |= {f"{prefix}{name} {end}": value for end, value in ends}
    return scores


def _calibrated(prefix: str, found: Calibration) -> dict[str, float | None]:
    best = found.best_threshold()
    return {
        f"{prefix}ECE": found.ece(),
        f"{prefix}best IoU": None if best is None else found.at(best).iou,
    }
