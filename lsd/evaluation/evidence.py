"""What segmentations are scored against: the labels of a volume, or its skeletons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
from funlib.geometry import Roi

from lsd.arrays.contingency import Contingency
from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.along_skeletons.at_nodes import joined_at_nodes
from lsd.evaluation.along_skeletons.nodes import nodes_of_volume, part_of_skeletons, voxels_in
from lsd.evaluation.boundaries import read_compared
from lsd.evaluation.counting import count_volume, overlap_table
from lsd.evaluation.metric import scoring
from lsd.evaluation.score import Score
from lsd.evaluation.scored import where_scored
from lsd.evaluation.sweep import sweep_thresholds
from lsd.segmentation.kernels.prediction import Decoded
from lsd.segmentation.on_disk.results import Results
from lsd.spec import Config, Evaluate, Volume
from lsd.spec.evaluate import Against
from lsd.volumes.volume import OpenVolume


class Evidence(Protocol):
    """A segmented volume beside what it is scored against, in `roi` (voxels); in words, how much of
    it there is."""

    @property
    def roi(self) -> Roi:
        """What is scored."""

    @property
    def results(self) -> Results:
        """The segmentations on disk."""

    def at(self, threshold: float | None) -> Any:
        """The segmentation at a threshold, as the metric takes it; None: of a decoder without
        thresholds."""

    def table(self, threshold: float | None) -> Contingency | None:
        """What the same shares with labels; None where there are none."""

    @property
    def fragments(self) -> Any | None:
        """What segments were joined of, where they were."""


def open_evidence(config: Config, name: str, volume: Volume) -> Evidence:
    """What the metric of the config is against, on disk."""
    return _ON_DISK[config.evaluate.metric.against](config, name, volume)


def has(volume: Volume, against: Against) -> bool:
    """Whether a volume has labels, or skeletons."""
    return getattr(volume, against) is not None


class InMemory(Protocol):
    """What a metric is against, of a region of a volume in memory."""

    def sweep(self, decoded: Decoded, thresholds: Iterable[float]) -> dict[float, Score]:
        """Scores of the fragments of the region, joined up to each threshold."""


class LabelsInMemory:
    """Labels of a region of a volume."""

    def __init__(
        self, volume: OpenVolume, roi: Roi, settings: Evaluate, skeletons: Skeletons | None
    ) -> None:
        boundary = settings.metric.left_out_at_boundaries
        self.truth, known = read_compared(volume, roi, boundary=boundary)
        self.known = where_scored(volume, roi, known, use_mask=settings.use_mask)
        self.settings, self.by_image = settings, volume.image_sizes is not None

    def sweep(self, decoded: Decoded, thresholds: Iterable[float]) -> dict[float, Score]:
        """By a table of what fragments share with the labels."""
        table = overlap_table(
            decoded.fragments,
            self.truth,
            known=self.known,
            connected=self.settings.connected,
            ignore=self.settings.left_out,
            by_image=self.by_image,
        )
        score = scoring(self.settings)
        return sweep_thresholds(table, decoded.edges, decoded.scores, thresholds, score=score)


class NodesInMemory:
    """Skeletons in a region of a volume."""

    def __init__(
        self, volume: OpenVolume, roi: Roi, settings: Evaluate, skeletons: Skeletons | None
    ) -> None:
        assert skeletons is not None, "opened with the volumes"
        self.skeletons = part_of_skeletons(skeletons, volume, roi, settings.skeletons)
        self.places = voxels_in(self.skeletons, volume, roi)
        self.settings = settings

    def sweep(self, decoded: Decoded, thresholds: Iterable[float]) -> dict[float, Score]:
        """By the fragments at their nodes."""
        inside, places = self.places
        ids = np.zeros(len(self.skeletons), np.uint64)
        ids[inside] = decoded.fragments[tuple(places.T)]
        score = scoring(self.settings)
        joined = joined_at_nodes(
            self.skeletons, ids, decoded.edges, decoded.scores, list(thresholds)
        )
        return {threshold: score(at) for threshold, at in joined}


def evidence_in_memory(
    volume: OpenVolume, roi: Roi, settings: Evaluate, skeletons: Skeletons | None
) -> InMemory:
    """What the metric of the settings is against, in `roi` (voxels); skeletons: of the volume,
    where it is against these."""
    return _IN_MEMORY[settings.metric.against](volume, roi, settings, skeletons)


_ON_DISK: dict[Against, Callable[[Config, str, Volume], Evidence]] = {
    "labels": count_volume,
    "skeletons": nodes_of_volume,
}
_IN_MEMORY: dict[Against, Callable[[OpenVolume, Roi, Evaluate, Skeletons | None], InMemory]] = {
    "labels": LabelsInMemory,
    "skeletons": NodesInMemory,
}
