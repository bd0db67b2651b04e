"""Expected run length: how far along a neuron one gets before the segmentation goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lsd.arrays.ids import ids
from lsd.arrays.skeletons import Skeletons, labels_at, voxels_of
from lsd.evaluation.along_skeletons.run_length import EDGES, PerSkeleton, RunLength, Runs

__all__ = [
    "EDGES",
    "PerSkeleton",
    "RunLength",
    "Skeletons",
    "Tolerance",
    "expected_run_length",
    "labels_at",
    "run_lengths",
    "voxels_of",
]

_CORRECT, _SPLIT, _MERGED, _OMITTED = range(4)


def expected_run_length(
    skeletons: Skeletons,
    segments: ArrayLike,
    *,
    tolerance: int = 0,
    tolerance_nm: float | None = None,
    runs: Runs = "segment",
) -> RunLength:
    """How far along a skeleton one gets without an error of the segmentation.

    segments:     (n,) the segment at each node (see `labels_at`), 0 background, which is no segment
    tolerance:    a skeleton lies in a segment, as far as merges go, if more nodes of it do so than
                  these; one stray node would otherwise spoil both of its neurons
    tolerance_nm: the same as a length, which does not depend on how densely nodes lie: a node
                  stands for half of each of its edges.  Both may be given
    runs:         correct edges of a skeleton within one "segment" are one run, or each piece of
                  them that is "connected"

    An edge is, the first that applies: omitted (an end on background), split (two segments), merged
    (in a segment where this skeleton and another one lie), correct.  With R the length of the
    correct edges of a skeleton in a segment and L that of all edges, ERL = sum of R**2 / L.
    Raises ValueError where `segments` are not one whole number a node, and for a tolerance below 0.
    Source: Januszewski et al. 2018.
    """
    tolerances = [Tolerance(tolerance, tolerance_nm)]
    return run_lengths(skeletons, segments, tolerances=tolerances, runs=runs)[0]


class Tolerance(NamedTuple):
    """Of a run length, in nodes and in nm; see `expected_run_length`."""

    nodes: int = 0
    nm: float | None = None


def run_lengths(
    skeletons: Skeletons, segments: ArrayLike, *, tolerances: Sequence[Tolerance], runs: Runs
) -> list[RunLength]:
    """`expected_run_length` at several tolerances, for little more than the time of one."""
    for tolerance in tolerances:
        _check_settings(tolerance, runs)
    of_nodes = ids_at_nodes(segments, len(skeletons), "segment")
    skeleton_ids, skeleton_of = np.unique(skeletons.skeleton_ids, return_inverse=True)
    found = _Found(
        skeletons, of_nodes, skeleton_ids, skeleton_of, _Pairs.of(skeletons, skeleton_of, of_nodes)
    )
    return [_run_length(found, tolerance, runs) for tolerance in tolerances]


class _Found(NamedTuple):
    """What does not depend on a tolerance; segments, skeleton_of: of each node."""

    skeletons: Skeletons
    segments: NDArray[np.uint64]
    skeleton_ids: NDArray[np.uint64]
    skeleton_of: NDArray[np.int64]
    pairs: _Pairs


def _run_length(found: _Found, tolerance: Tolerance, runs: Runs) -> RunLength:
    skeletons, pairs = found.skeletons, found.pairs
    merging = pairs.merging(tolerance)
    kinds = _kinds(skeletons, found.segments, merging[pairs.of_node])
    lengths = skeletons.lengths
    squares = _squares(
        skeletons, lengths, pair_of=pairs.of_node, correct=kinds == _CORRECT, runs=runs
    )
    per_skeleton = _per_skeleton(
        found.skeleton_ids,
        found.skeleton_of[skeletons.places[:, 0]],
        kinds=kinds,
        lengths=lengths,
        squares=_sums(found.skeleton_of, squares, len(found.skeleton_ids)),
        pairs=pairs,
        merging=merging,
    )
    total, merging_segments = float(lengths.sum()), len(np.unique(pairs.segment[merging]))
    squared = float((per_skeleton.lengths**2).sum())
    counts = per_skeleton.edges.sum(axis=0).tolist()
    of_lengths = per_skeleton.edge_lengths.sum(axis=0).tolist()
    return RunLength(
        erl=float(squares.sum()) / total if total > 0 else None,
        max_erl=squared / total if total > 0 else None,
        **dict(zip(EDGES, counts, strict=True)),
        **{f"{kind}_length": nm for kind, nm in zip(EDGES, of_lengths, strict=True)},
        merging_segments=merging_segments,
        skeletons_too_many=int(merging.sum()) - merging_segments,
        segments_too_many=int(per_skeleton.segments_too_many.sum()),
        too_short=pairs.too_short(tolerance, len(found.skeleton_ids)),
        tolerance=tolerance.nodes,
        tolerance_nm=tolerance.nm,
        runs=runs,
        per_skeleton=per_skeleton,
    )


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Each skeleton with each segment that it has nodes in, background (0) among them.

    skeleton, segment: of each pair, skeletons numbered from 0, segments numbered from 0;
    foreground: whether the segment is one; nodes, lengths: of the skeleton in the segment
    of_node: the pair of each node
    """

    skeleton: NDArray[np.int64]
    segment: NDArray[np.int64]
    foreground: NDArray[np.bool_]
    nodes: NDArray[np.int64]
    lengths: NDArray[np.float64]
    of_node: NDArray[np.int64]

    @classmethod
    def of(
        cls, skeletons: Skeletons, skeleton_of: NDArray[np.int64], segments: NDArray[np.uint64]
    ) -> _Pairs:
        segment_ids, segment_of = np.unique(segments, return_inverse=True)
        # numbered, so that no product of ids overflows
        keys = skeleton_of * max(len(segment_ids), 1) + segment_of
        unique, of_node = np.unique(keys, return_inverse=True)
        skeleton, segment = np.divmod(unique, max(len(segment_ids), 1))
        # each edge is shared by its two nodes
        halves = np.repeat(skeletons.lengths / 2, 2)
        share = _sums(skeletons.places.reshape(-1), halves, len(skeletons))
        return cls(
            skeleton,
            segment,
            segment_ids[segment] > 0,
            np.bincount(of_node, minlength=len(unique)),
            _sums(of_node, share, len(unique)),
            of_node,
        )

    def merging(self, tolerance: Tolerance) -> NDArray[np.bool_]:
        """Pairs that count, in segments where two or more of them do."""
        counts = self.foreground & (self.nodes > tolerance.nodes)
        if tolerance.nm:
            counts &= self.lengths > tolerance.nm
        in_segment = np.bincount(self.segment, counts)
        return np.asarray(counts & (in_segment[self.segment] > 1))

    def too_short(self, tolerance: Tolerance, count: int) -> int:
        """Of `count` skeletons those that would not count in a segment that holds all of them; 0
        where nothing is tolerated."""
        short = np.bincount(self.skeleton, self.nodes, count) <= tolerance.nodes
        if tolerance.nm:
            short |= _sums(self.skeleton, self.lengths, count) <= tolerance.nm
        return int(short.sum())


def _check_settings(tolerance: Tolerance, runs: str) -> None:
    nodes, nm = tolerance
    if nodes < 0 or (nm is not None and not nm >= 0):
        raise ValueError(f"tolerance is {nodes} nodes, tolerance_nm {nm}; allowed: 0 or more")
    if runs not in get_args(Runs):
        raise ValueError(f"runs is {runs!r}; allowed: {', '.join(get_args(Runs))}")


def ids_at_nodes(values: ArrayLike, count: int, noun: str) -> NDArray[np.uint64]:
    """Ids of segments or fragments, uint64, one for each of `count` nodes.

    Raises ValueError where they are not one whole number a node; noun: what they are of, for that.
    """
    checked = ids(values, f"{noun}s").astype(np.uint64, copy=False)
    if checked.shape != (count,):
        raise ValueError(
            f"{noun}s have shape {checked.shape}; wanted: ({count},), the {noun} at each node in "
            f"the order of node_ids"
        )
    return checked


def _kinds(
    skeletons: Skeletons, segments: NDArray[np.uint64], merging: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """What each edge is; merging: whether a node's pair is one that merges."""
    first, second = segments[skeletons.places].T
    kinds = np.where(merging[skeletons.places[:, 0]], _MERGED, _CORRECT)
    kinds[first != second] = _SPLIT
    kinds[(first == 0) | (second == 0)] = _OMITTED
    return kinds


def _squares(
    skeletons: Skeletons,
    lengths: NDArray[np.float64],
    *,
    pair_of: NDArray[np.int64],
    correct: NDArray[np.bool_],
    runs: Runs,
) -> NDArray[np.float64]:
    """(n,) squares of the lengths of runs, each noted at one node of the run, 0 elsewhere."""
    first, second = skeletons.places[correct].T
    run_of = pair_of
    if runs == "connected":
        joined = coo_array((np.ones(len(first), np.bool_), (first, second)), (len(pair_of),) * 2)
        run_of = connected_components(joined, directed=False)[1]
    length = np.bincount(run_of[first], lengths[correct], len(pair_of))
    squares = np.zeros(len(pair_of))
    names, at = np.unique(run_of, return_index=True)
    squares[at] = length[names] ** 2
    return squares


def _sums(
    groups: NDArray[np.int64], values: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """The sum of the values of each of `count` groups."""
    return np.asarray(np.bincount(groups, values, count), np.float64)


def _per_skeleton(
    skeleton_ids: NDArray[np.uint64],
    owners: NDArray[np.int64],
    *,
    kinds: NDArray[np.int64],
    lengths: NDArray[np.float64],
    squares: NDArray[np.float64],
    pairs: _Pairs,
    merging: NDArray[np.bool_],
) -> PerSkeleton:
    """owners: the skeleton of each edge, numbered from 0; squares: of runs, summed up."""
    count = len(skeleton_ids)
    cells, shape = owners * len(EDGES) + kinds, (count, len(EDGES))
    edge_lengths = _sums(cells, lengths, count * len(EDGES)).reshape(shape)
    own = edge_lengths.sum(axis=1)
    spread = np.bincount(pairs.skeleton, pairs.foreground, count).astype(np.int64)
    return PerSkeleton(
        skeleton_ids=skeleton_ids,
        lengths=own,
        run_lengths=np.divide(squares, own, out=np.full(count, np.nan), where=own > 0),
        edges=np.bincount(cells, minlength=count * len(EDGES)).reshape(shape),
        edge_lengths=edge_lengths,
        segments_too_many=np.maximum(spread - 1, 0),
        merging_segments=np.bincount(pairs.skeleton, merging, count).astype(np.int64),
    )
