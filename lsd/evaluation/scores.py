"""What an evaluation found, as values and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.contingency import Contingency
from lsd.evaluation.along_skeletons.apart import SkeletonsApart
from lsd.evaluation.along_skeletons.traced import SkeletonScore
from lsd.evaluation.apart import Apart
from lsd.evaluation.error_sites.sites import Site, as_list
from lsd.evaluation.heads import HeadCounts
from lsd.evaluation.score import Score, pool
from lsd.evaluation.sweep import Sweep
from lsd.segmentation.made_from import MadeFrom
from lsd.spec import Part

PARTS: tuple[Part, ...] = ("train", "validate", "test")


@dataclass(frozen=True)
class VolumeScores:
    """Scores of one volume.

    part:      of the dataset it is in
    roi:       that was scored, voxels
    scored:    at the run's threshold; None where there is none
    fragments: before anything was joined; None where nothing was
    sweep:     at every threshold of the config; empty where the decoder has none
    table:     of the segments that are scored and the truth; None where there is no score
    sites:     the worst splits and merges, worst first (`evaluate.sites`)
    labels:    in the file, of pieces of the truth, by the numbers that these have in the table
               (`evaluate.connected`); None: its objects are labels
    """

    part: str
    roi: Roi
    scored: Score | None
    fragments: Score | None = None
    sweep: Sweep = field(default_factory=dict)
    table: Contingency | None = field(default=None, repr=False)
    sites: tuple[Site, ...] = field(default=(), repr=False)
    labels: NDArray[np.uint64] | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "part": self.part,
            "begin": [int(i) for i in self.roi.begin],
            "end": [int(i) for i in self.roi.end],
            "scores": self.scored and self.scored.as_dict(),
            "fragments": self.fragments and self.fragments.as_dict(),
            "sweep": {
                repr(float(threshold)): score.as_dict() for threshold, score in self.sweep.items()
            },
        }


@dataclass(frozen=True)
class AlongSkeletons(VolumeScores):
    """Scores of one volume along its skeletons."""

    scored: SkeletonScore | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON, with what is told of each skeleton at the run's threshold."""
        rows = self.scored.per_skeleton() if self.scored else []
        return super().as_dict() | {"per_skeleton": rows}


@dataclass(frozen=True)
class Evaluation:
    """Scores of a run.

    threshold: that all volumes are scored at; None: there is none
    chosen_on: where it comes from, or why there is none
    volumes:   by name, in the dataset's order
    heads:     of evaluate.heads, what was predicted beside what it learns; by volume and head
    skeletons: of volumes that have some, by name
    made_from: the segmentation of each volume, as `lsd.segmentation.made_from` tells it
    apart, skeletons_apart: objects of the truth of each volume that lie in pieces, and skeletons,
               where some do
    """

    threshold: float | None
    chosen_on: str
    volumes: dict[str, VolumeScores]
    heads: Mapping[str, Mapping[str, HeadCounts]] = field(default_factory=dict)
    skeletons: Mapping[str, AlongSkeletons] = field(default_factory=dict)
    made_from: Mapping[str, MadeFrom] = field(default_factory=dict)
    apart: Mapping[str, Apart] = field(default_factory=dict)
    skeletons_apart: Mapping[str, SkeletonsApart] = field(default_factory=dict)

    def part(self, part: str) -> Score | None:
        """Scores at the threshold of all volumes of a part of the dataset as one; None if none was
        scored."""
        return _pooled(self.volumes, part)

    def skeletons_of(self, part: str) -> Score | None:
        """The same along skeletons."""
        return _pooled(self.skeletons, part)

    def heads_of(self, part: str) -> dict[str, HeadCounts]:
        """The heads, counted in all volumes of a part of the dataset."""
        counts: dict[str, HeadCounts] = {}
        for volume, heads in self.heads.items():
            if self.volumes[volume].part == part:
                counts |= {
                    head: counts[head] + own if head in counts else own
                    for head, own in heads.items()
                }
        return counts

    @property
    def sites(self) -> dict[str, tuple[Site, ...]]:
        """The worst splits and merges of each volume that was scored."""
        return {name: volume.sites for name, volume in self.volumes.items() if volume.scored}

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        parts = {part: self.part(part) for part in PARTS}
        scores = {
            "threshold": self.threshold,
            "chosen_on": self.chosen_on,
            "parts": {part: scores.as_dict() for part, scores in parts.items() if scores},
            "volumes": {name: volume.as_dict() for name, volume in self.volumes.items()},
            "sites": as_list(self.sites),
            "made_from": dict(self.made_from),
        }
        for name, in_pieces in (("apart", self.apart), ("skeletons_apart", self.skeletons_apart)):
            if in_pieces:
                scores[name] = {volume: each.as_dict() for volume, each in in_pieces.items()}
        further = {"heads": self._heads} if self.heads else {}
        further |= {"skeletons": self._skeletons} if self.skeletons else {}
        return scores | {name: section() for name, section in further.items()}

    def _skeletons(self) -> dict[str, Any]:
        parts = {part: self.skeletons_of(part) for part in PARTS}
        return {
            "parts": {part: scores.as_dict() for part, scores in parts.items() if scores},
            "volumes": {name: volume.as_dict() for name, volume in self.skeletons.items()},
        }

    def _heads(self) -> dict[str, Any]:
        return {
            "parts": _as_dicts({part: self.heads_of(part) for part in PARTS}),
            "volumes": _as_dicts(self.heads),
        }


def _pooled(volumes: Mapping[str, VolumeScores], part: str) -> Score | None:
    scored = [volume.scored for volume in volumes.values() if volume.part == part and volume.scored]
    return pool(scored) if scored else None


def _as_dicts(counts: Mapping[str, Mapping[str, HeadCounts]]) -> dict[str, Any]:
    """As JSON; what has no heads is left out."""
    return {
        name: {head: count.as_dict() for head, count in heads.items()}
        for name, heads in counts.items()
        if heads
    }
