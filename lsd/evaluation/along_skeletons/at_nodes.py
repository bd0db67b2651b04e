"""A segmentation at the nodes of skeletons: all that scores along skeletons need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.lookup import components
from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.along_skeletons.cuts import EdgePiece, Ids, SegmentsOf
from lsd.evaluation.along_skeletons.edit_counts import MinCutMetric
from lsd.evaluation.mincut import edits


@dataclass(frozen=True, eq=False)
class Graph:
    """How segments were joined of fragments along skeletons.

    fragments:   (n,) at each node
    threshold:   up to which edges join; None: none does
    segments_of: the segments of fragments
    edges:       of the region graph, (m, 2) and scores (m,), in pieces, from the first on each time
    """

    skeletons: Skeletons
    fragments: Ids
    threshold: float | None
    segments_of: SegmentsOf
    edges: Callable[[], Iterable[EdgePiece]]

    @cached_property
    def edits(self) -> MinCutMetric:
        """Those that repair the segments; counted once, however many ask."""
        return edits(
            self.skeletons,
            self.fragments,
            threshold=self.threshold,
            segments_of=self.segments_of,
            edges=self.edges(),
        )


@dataclass(frozen=True, eq=False)
class AtNodes:
    """segments: (n,) the segment at each node, 0 background
    graph:    None where nothing was joined
    """

    skeletons: Skeletons
    segments: Ids
    graph: Graph | None = None

    @classmethod
    def unjoined(cls, skeletons: Skeletons, fragments: Ids) -> AtNodes:
        """Fragments before anything was joined."""
        graph = Graph(skeletons, fragments, None, lambda some: some, lambda: ())
        return cls(skeletons, fragments, graph)


def joined_at_nodes(
    skeletons: Skeletons,
    fragments: Ids,
    edges: Ids,
    scores: NDArray[Any],
    thresholds: Sequence[float],
) -> Iterator[tuple[float, AtNodes]]:
    """Thresholds, ascending, and what lies at the nodes at each, of a region graph in memory."""
    known = np.unique(np.concatenate([fragments, np.asarray(edges, np.uint64).reshape(-1)]))
    pieces = [(edges, scores)] if len(edges) else []
    for threshold in sorted(thresholds):
        segments_of = partial(_look_up, known, components(known, edges, scores, threshold))
        graph = Graph(skeletons, fragments, threshold, segments_of, lambda: pieces)
        yield threshold, AtNodes(skeletons, segments_of(fragments), graph)


def _look_up(known: Ids, segments: Ids, fragments: Ids) -> Ids:
    return segments[np.searchsorted(known, fragments)]


def in_roi(voxels: NDArray[np.int64], roi: Roi) -> NDArray[np.bool_]:
    """Which voxels (n, axes) lie in it."""
    return np.asarray(((voxels >= roi.begin) & (voxels < roi.end)).all(axis=1))
