"""Scores of objects of validation and test volumes, with how sure they are, and whether the
probability that they are made of is one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Literal

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from benchmarks.accuracy.bootstrap import SCORES, Truth, bootstrap, interval
from lsd.arrays.components import connected_components
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
    itself, and the difference.  Of test volumes, where they are scored, all of it as "test ..".

    What each voxel says of itself has a threshold of its own, which is the best on validation.
    """
    validated = _Part.of(config, "validate")
    scores = validated.scores(evaluation.threshold)
    if config.dataset.test:
        tested = _Part.of(config, "test").scores(evaluation.threshold, validated)
        scores |= {f"test {name}": value for name, value in tested.items()}
    return scores


@dataclass(frozen=True, eq=False)
class _Part:
    """Volumes of one part of the dataset; of several, each is a section.

    regions: what is scored of each, by name
    """

    config: Config
    regions: dict[str, Roi]
    truth: Truth

    @classmethod
    def of(cls, config: Config, part: Literal["validate", "test"]) -> _Part:
        """Reads the truth."""
        volumes = [
            open_volume(spec, name=name, data_root=data_root(config))
            for name, spec in config.dataset.part(part).items()
        ]
        stacks = groupby(volumes, key=lambda volume: (volume.spec.path, volume.spec.labels))
        labels = [
            of_a_stack(np.concatenate([volume.read_truth(volume.roi)[0] for volume in sections]))
            for _, sections in stacks
        ]
        truth = Truth.of(_numbered(labels), by_section=len(volumes) > 1)
        return cls(config, {volume.name: volume.roi for volume in volumes}, truth)

    def scores(
        self, threshold: float | None, chosen_on: _Part | None = None
    ) -> dict[str, float | None]:
        """See `of_objects`; chosen_on: volumes that a threshold is chosen on, else these."""
        segments = _numbered(
            [
                open_results(self.config, name).read(roi, threshold)
                for name, roi in self.regions.items()
            ]
        )
        foreground = self._foreground(self.config.segment)
        if foreground is None:
            return _with_intervals("", bootstrap(self.truth, segments)[:, 0])
        scores = _calibrated("", calibration(foreground, self.truth.objects))
        if not isinstance(self.config.segment.decoder, Consensus):
            return scores | _with_intervals("", bootstrap(self.truth, segments)[:, 0])
        best = (chosen_on or self)._best_of_centre
        drawn = bootstrap(self.truth, segments, self._above(best, self._centre))
        return {
            **scores,
            **_with_intervals("", drawn[:, 0]),
            **_calibrated("centre ", calibration(self._centre, self.truth.objects)),
            **_with_intervals("centre ", drawn[:, 1]),
            **_with_intervals("consensus - centre ", drawn[:, 0] - drawn[:, 1]),
        }

    def _foreground(self, settings: Segment) -> Maps | None:
        """What the decoder makes objects of, 0 to 1; None: it has none."""
        decoder = decoder_of(settings)
        if not isinstance(decoder, ThresholdDecoder):
            return None
        maps = []
        for name, roi in self.regions.items():
            heads = open_heads(self.config.derive(segment=settings), name)
            maps.append(decoder.foreground({head: each.read(roi) for head, each in heads.items()}))
        return np.concatenate(maps)

    def _above(self, threshold: float, foreground: Maps) -> NDArray[np.uint64]:
        """Objects of it, in all volumes."""
        settings = self.config.segment.objects
        if len(self.regions) > 1:
            # every section is an image of its own
            settings = settings.derive(connectivity=4)
        return objects_of(foreground >= threshold, None, settings, voxel_size=None)

    @cached_property
    def _centre(self) -> Maps:
        """Of a consensus, what each voxel says of itself, 0 to 1."""
        decoder = self.config.segment.decoder
        assert isinstance(decoder, Consensus)
        settings = self.config.segment.derive(decoder=decoder.derive(centre=True))
        foreground = self._foreground(settings)
        assert foreground is not None, "it has one"
        return foreground

    @cached_property
    def _best_of_centre(self) -> float:
        """Of the thresholds of the config, that with the highest panoptic quality."""
        thresholds = self.config.segment.thresholds
        candidates = (self._above(threshold, self._centre) for threshold in thresholds)
        place = SCORES.index("PQ")
        quality = [bootstrap(self.truth, objects, draws=0)[0, 0, place] for objects in candidates]
        return thresholds[int(np.nanargmax(quality))]


def of_a_stack(labels: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Of a mask, whose sections follow one another, what hangs together through them; of ids, these
    themselves."""
    is_mask = labels.max(initial=0) <= 1
    return connected_components(labels)[0].astype(np.uint64) if is_mask else labels


def _numbered(images: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """One stack, in which no two images share an id."""
    before = np.cumsum([0, *(image.max(initial=0) for image in images[:-1])]).astype(np.uint64)
    shifted = (np.where(image > 0, image + n, 0) for image, n in zip(images, before, strict=True))
    return np.concatenate(list(shifted))


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
