"""Min-cut metric: the edits by which a person would repair a segmentation, along skeletons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from lsd.arrays.lookup import components, edge_pairs
from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.along_skeletons.cuts import (
    EdgePiece,
    Ids,
    Lines,
    Numbers,
    SegmentsOf,
    graphs_of,
    separate,
)
from lsd.evaluation.along_skeletons.edit_counts import EditsPerSkeleton, MinCutMetric
from lsd.evaluation.skeletons import ids_at_nodes

__all__ = ["EditsPerSkeleton", "MinCutMetric", "edits", "min_cut_metric"]


def min_cut_metric(
    skeletons: Skeletons,
    fragments: ArrayLike,
    edges: ArrayLike,
    scores: ArrayLike,
    threshold: float,
) -> MinCutMetric:
    """How many cuts and joins of fragments make a segmentation right along skeletons.

    fragments: (n,) the fragment at each node (see `labels_at`), 0 background
    edges, scores: of the region graph, pairs of fragments (m, 2) and (m,), as `agglomerate` gives
               them; those with score <= threshold join

    A fragment with nodes of several skeletons cannot be cut; these nodes are left out.  A segment
    that holds several skeletons is cut in two where the sum of 1 - score of its edges is lowest,
    between the fragments of the closest nodes of those two skeletons that have the most nodes in it
    (among equals, the highest ids); so are both of its sides, until each holds one skeleton.
    Raises ValueError where fragments are not one whole number a node, or scores not one an edge.
    Source: Sheridan et al. 2023.
    """
    pairs = edge_pairs(edges)
    heights = np.asarray(scores)
    nodes = ids_at_nodes(fragments, len(skeletons), "fragment")
    known = np.unique(np.concatenate([nodes, pairs.reshape(-1)]))
    segments = components(known, pairs, heights, threshold)
    return edits(
        skeletons,
        nodes,
        threshold=threshold,
        segments_of=lambda some: segments[np.searchsorted(known, some)],
        edges=[(pairs, heights)],
    )


def edits(
    skeletons: Skeletons,
    fragments: Ids,
    *,
    threshold: float | None,
    segments_of: SegmentsOf,
    edges: Iterable[EdgePiece],
) -> MinCutMetric:
    """As `min_cut_metric`, of a region graph that does not fit into memory.

    threshold:   None: no edge joins
    segments_of: segments of fragments at this threshold;  edges: (m, 2) and scores (m,), in pieces,
                 each looked at once.  Kept are those of segments that are to be cut
    """
    names, owner = np.unique(skeletons.skeleton_ids, return_inverse=True)
    shared, holders = _shared(fragments, owner)
    used = (fragments > 0) & ~np.isin(fragments, shared)
    lines = Lines(fragments[used], owner[used], skeletons.positions[used])
    segments = segments_of(lines.fragments)
    alone, mixed = _by_number_of_skeletons(segments, lines.skeletons)
    up_to = -np.inf if threshold is None else threshold
    graphs = graphs_of(mixed, edges, segments_of=segments_of, threshold=up_to)
    separated = [
        separate(graph, own) for graph, own in zip(graphs, _of(lines, segments, mixed), strict=True)
    ]
    cuts = _counts([part.cuts for part in separated], len(names))
    parts = _counts([alone, *(part.parts for part in separated)], len(names))
    return MinCutMetric(
        splits=int(cuts.sum()) // 2,
        merges=int(np.maximum(parts - 1, 0).sum()),
        remerges=sum(len(part.parts) - len(np.unique(part.parts)) for part in separated),
        unsplittable=len(shared),
        nodes_left_out=len(skeletons) - len(lines.fragments),
        threshold=None if threshold is None else float(threshold),
        per_skeleton=EditsPerSkeleton(
            names, cuts, np.maximum(parts - 1, 0), _counts([holders], len(names))
        ),
    )


def _shared(fragments: Ids, owner: Numbers) -> tuple[Ids, Numbers]:
    """Fragments that hold nodes of several skeletons, and these skeletons, one for each pair."""
    names, fragment, skeleton = _held(fragments, owner)
    several = (np.bincount(fragment, minlength=len(names)) > 1) & (names > 0)
    return names[several], skeleton[several[fragment]]


def _by_number_of_skeletons(segments: Ids, owner: Numbers) -> tuple[Numbers, Ids]:
    """The skeletons of segments that hold one, one for each segment; segments that hold several."""
    names, segment, skeleton = _held(segments, owner)
    several = np.bincount(segment, minlength=len(names)) > 1
    return skeleton[~several[segment]], names[several]


def _held(parts: Ids, owner: Numbers) -> tuple[Ids, Numbers, Numbers]:
    """The names of the parts that nodes are in; and each pair of a part, by its place among these,
    and a skeleton that has nodes in it."""
    names, place = np.unique(parts, return_inverse=True)
    count = int(owner.max(initial=0)) + 1
    # a number for each pair, which is sorted faster than two; of places, so that none overflows
    part, skeleton = np.divmod(np.unique(place * count + owner), count)
    return names, part, skeleton


def _of(lines: Lines, segments: Ids, wanted: Ids) -> Iterator[Lines]:
    """The nodes in each of the wanted segments."""
    order = np.argsort(segments, kind="stable")
    ordered = segments[order]
    first, last = (np.searchsorted(ordered, wanted, side) for side in ("left", "right"))
    return (lines.of(order[begin:end]) for begin, end in zip(first, last, strict=True))


def _counts(skeletons: Sequence[Numbers], count: int) -> Numbers:
    """How often each skeleton occurs."""
    together = np.concatenate([np.zeros(0, np.int64), *(part.reshape(-1) for part in skeletons)])
    return np.bincount(together, minlength=count).astype(np.int64)
