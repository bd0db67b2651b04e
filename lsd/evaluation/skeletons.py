"""Expected run length: how far along a neuron one gets before the segmentation goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lsd.arrays.ids import ids
from lsd.arrays.skeletons import Skeletons, labels_at, voxels_of

__all__ = [
    "EDGES",
    "PerSkeleton",
    "RunLength",
    "Skeletons",
    "expected_run_length",
    "labels_at",
    "voxels_of",
]

Runs = Literal["segment", "connected"]
# what an edge may be
EDGES = ("correct", "split", "merged", "omitted")
_CORRECT, _SPLIT, _MERGED, _OMITTED = range(4)


@dataclass(frozen=True, eq=False)
class PerSkeleton:
    """Scores of each skeleton, arrays in ascending order of ids.

    lengths, run_lengths: nm; run_lengths: expected, on this skeleton; nan where it has no length
    edges, edge_lengths: (skeletons, 4) number and length (nm) of edges that are correct, split,
                         merged, omitted
    segments_too_many:   segments that it is spread over, without background, minus 1
    merging_segments:    segments that hold it and another skeleton
    """

    skeleton_ids: NDArray[np.uint64]
    lengths: NDArray[np.float64]
    run_lengths: NDArray[np.float64]
    edges: NDArray[np.int64]
    edge_lengths: NDArray[np.float64]
    segments_too_many: NDArray[np.int64]
    merging_segments: NDArray[np.int64]

    def as_rows(self) -> list[dict[str, Any]]:
        """A dictionary for each skeleton, as JSON has it; None is undefined."""
        return [
            {
                "skeleton": int(self.skeleton_ids[i]),
                "length": float(self.lengths[i]),
                "run_length": float(self.run_lengths[i]) if self.lengths[i] > 0 else None,
                **dict(zip(EDGES, map(int, self.edges[i]), strict=True)),
                "segments_too_many": int(self.segments_too_many[i]),
                "merging_segments": int(self.merging_segments[i]),
            }
            for i in range(len(self.skeleton_ids))
        ]


@dataclass(frozen=True, eq=False)
class RunLength:
    """Skeletons against a segmentation; lengths in nm, None where a score is undefined.

    erl:     expected run length: of a place on the skeletons that is chosen at random, the mean
             length of the correct run that it lies in.  Undefined where skeletons have no length
    max_erl: that of a perfect segmentation;  nerl: erl / max_erl
    correct, split, merged, omitted: numbers of edges: within one segment of one skeleton, between
             two segments, in a segment of several skeletons, with an end on background
    *_length: their lengths, nm
    merging_segments:   segments that hold several skeletons
    skeletons_too_many: in these, all but one each
    segments_too_many:  segments that each skeleton is spread over minus 1, summed up
    tolerance, tolerance_nm, runs: as they were asked for
    per_skeleton: the same of each skeleton
    """

    erl: float | None
    max_erl: float | None
    correct: int
    split: int
    merged: int
    omitted: int
    correct_length: float
    split_length: float
    merged_length: float
    omitted_length: float
    merging_segments: int
    skeletons_too_many: int
    segments_too_many: int
    tolerance: int
    tolerance_nm: float | None
    runs: Runs
    per_skeleton: PerSkeleton

    @property
    def nerl(self) -> float | None:
        """Expected run length as a fraction of what is possible."""
        return None if self.erl is None or not self.max_erl else self.erl / self.max_erl

    @property
    def length(self) -> float:
        """Of all skeletons, nm."""
        return self.correct_length + self.split_length + self.merged_length + self.omitted_length

    @property
    def edge_accuracy(self) -> float | None:
        """Fraction of the edges, by number, that are correct."""
        count = self.correct + self.split + self.merged + self.omitted
        return self.correct / count if count else None

    @property
    def length_accuracy(self) -> float | None:
        """Fraction of the edges, by length, that is correct."""
        return self.correct_length / self.length if self.length > 0 else None

    def as_dict(self) -> dict[str, Any]:
        """Everything by name but `per_skeleton`, as JSON has it."""
        names = [name for name in self.__dataclass_fields__ if name != "per_skeleton"]
        further = ("nerl", "length", "edge_accuracy", "length_accuracy")
        return {name: getattr(self, name) for name in (*names, *further)}

    def __str__(self) -> str:
        if self.erl is None or self.max_erl is None:
            return "ERL undefined: the skeletons have no length"
        return (
            f"ERL {self.erl:.1f} of {self.max_erl:.1f} nm, nERL {self.nerl:.4f}; "
            f"{self.split} split edges, {self.merging_segments} merging segments"
        )


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
    _check_settings(tolerance, tolerance_nm, runs)
    of_nodes = _segments(segments, len(skeletons))
    skeleton_ids, skeleton_of = np.unique(skeletons.skeleton_ids, return_inverse=True)
    pairs = _Pairs.of(skeletons, skeleton_of, of_nodes)
    merging = pairs.merging(tolerance, tolerance_nm)
    kinds = _kinds(skeletons, of_nodes, merging[pairs.of_node])
    lengths, owners = skeletons.lengths, skeleton_of[skeletons.places[:, 0]]
    squares = _squares(
        skeletons, lengths, pair_of=pairs.of_node, correct=kinds == _CORRECT, runs=runs
    )
    per_skeleton = _per_skeleton(
        skeleton_ids,
        owners,
        kinds=kinds,
        lengths=lengths,
        squares=_sums(skeleton_of, squares, len(skeleton_ids)),
        pairs=pairs,
        merging=merging,
    )
    total = float(lengths.sum())
    counts, sums = per_skeleton.edges.sum(axis=0), per_skeleton.edge_lengths.sum(axis=0)
    merging_segments = len(np.unique(pairs.segment[merging]))
    correct, split, merged, omitted = map(int, counts)
    correct_length, split_length, merged_length, omitted_length = map(float, sums)
    return RunLength(
        erl=float(squares.sum()) / total if total > 0 else None,
        max_erl=float((per_skeleton.lengths**2).sum()) / total if total > 0 else None,
        correct=correct,
        split=split,
        merged=merged,
        omitted=omitted,
        correct_length=correct_length,
        split_length=split_length,
        merged_length=merged_length,
        omitted_length=omitted_length,
        merging_segments=merging_segments,
        skeletons_too_many=int(merging.sum()) - merging_segments,
        segments_too_many=int(per_skeleton.segments_too_many.sum()),
        tolerance=tolerance,
        tolerance_nm=tolerance_nm,
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

    def merging(self, tolerance: int, tolerance_nm: float | None) -> NDArray[np.bool_]:
        """Pairs that count, in segments where two or more of them do."""
        counts = self.foreground & (self.nodes > tolerance)
        if tolerance_nm:
            counts &= self.lengths > tolerance_nm
        in_segment = np.bincount(self.segment, counts)
        return np.asarray(counts & (in_segment[self.segment] > 1))


def _check_settings(tolerance: int, tolerance_nm: float | None, runs: str) -> None:
    if tolerance < 0 or (tolerance_nm is not None and not tolerance_nm >= 0):
        raise ValueError(
            f"tolerance is {tolerance} nodes, tolerance_nm {tolerance_nm}; allowed: 0 or more"
        )
    if runs not in get_args(Runs):
        raise ValueError(f"runs is {runs!r}; allowed: {', '.join(get_args(Runs))}")


def _segments(segments: ArrayLike, nodes: int) -> NDArray[np.uint64]:
    of_nodes = ids(segments, "segments").astype(np.uint64, copy=False)
    if of_nodes.shape != (nodes,):
        raise ValueError(
            f"segments have shape {of_nodes.shape}; wanted: ({nodes},), the segment at each node "
            f"in the order of node_ids"
        )
    return of_nodes


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
