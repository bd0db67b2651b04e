"""Cuts of a region graph, each where it is weakest, until its parts hold one skeleton each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from lsd.arrays.min_cut import Arcs
from lsd.arrays.union_find import joined

Ids = NDArray[np.uint64]
Numbers = NDArray[np.int64]
SegmentsOf = Callable[[Ids], Ids]
# ends (m, 2) and scores (m,)
EdgePiece = tuple[Ids, NDArray[Any]]

# nodes by their skeleton, ascending
Held = dict[int, Numbers]

# the skeleton of a fragment without nodes
_NOBODY = -1
# flows are of whole numbers: capacities are counted in millionths
_STEPS = 1_000_000


class Lines(NamedTuple):
    """Nodes of skeletons: the fragment, the skeleton (numbered from 0) and the position of each."""

    fragments: Ids
    skeletons: Numbers
    positions: NDArray[np.float64]

    def of(self, chosen: NDArray[Any]) -> Lines:
        """Those that are chosen, by a mask or indices."""
        return Lines(self.fragments[chosen], self.skeletons[chosen], self.positions[chosen])


class RegionGraph(NamedTuple):
    """Edges (m, 2) between fragments, and how much it takes to cut each (m,), in millionths."""

    edges: Ids
    capacities: NDArray[np.int32]

    @classmethod
    def of(cls, edges: Ids, scores: NDArray[Any]) -> RegionGraph:
        """The capacity of an edge is 1 - score."""
        capacities = np.rint(_STEPS * (1 - np.asarray(scores, np.float64)))
        return cls(edges, np.clip(capacities, 0, _STEPS).astype(np.int32))


class Separated(NamedTuple):
    """cuts:  (c, 2) between which two skeletons each cut was made
    parts: (c + 1,) the skeleton of each part
    """

    cuts: Numbers
    parts: Numbers


def graphs_of(
    segments: Ids, pieces: Iterable[EdgePiece], *, segments_of: SegmentsOf, threshold: float
) -> Iterator[RegionGraph]:
    """The graph of each of these segments (ascending), of edges with score <= threshold.

    Pieces are looked at once; what is kept of them is edges inside of these segments.
    """
    if not len(segments):
        return
    nothing = (np.zeros(0, np.int64), np.zeros((0, 2), np.uint64), np.zeros(0, np.float32))
    kept = [nothing, *(_inside(segments, piece, segments_of, threshold) for piece in pieces)]
    number, edges, scores = (np.concatenate(arrays) for arrays in zip(*kept, strict=True))
    order = np.argsort(number, kind="stable")
    first = np.searchsorted(number[order], np.arange(len(segments) + 1))
    for begin, end in pairwise(first):
        own = order[begin:end]
        yield RegionGraph.of(edges[own], scores[own])


def _inside(
    segments: Ids, piece: EdgePiece, segments_of: SegmentsOf, threshold: float
) -> tuple[Numbers, Ids, NDArray[Any]]:
    """The edges of a piece that join two fragments of one of the segments, and which."""
    edges, scores = piece
    # a Python float is compared in the precision of the scores
    joins = (scores <= threshold) & np.asarray((edges != 0).all(axis=1))
    edges, scores = edges[joins], scores[joins]
    of_edges = segments_of(edges[:, 0])
    number = np.minimum(np.searchsorted(segments, of_edges), len(segments) - 1)
    inside = segments[number] == of_edges
    return number[inside], edges[inside], scores[inside]


def separate(graph: RegionGraph, lines: Lines) -> Separated:
    """Cuts a segment between its two skeletons with the most nodes (among equals, those with the
    highest numbers), and each side of the cut again, until each part holds one skeleton.

    A cut takes the edges with the lowest sum of capacities, between the fragments of the closest
    nodes of the two; one side is what is still reached from the first of them.
    lines: no fragment holds nodes of several skeletons
    """
    names = np.union1d(graph.edges, lines.fragments)
    ends = np.searchsorted(names, graph.edges)
    arcs, part = Arcs.of(len(names), ends, graph.capacities), np.zeros(len(names), np.int64)
    # edges without capacity hold nothing together
    apart = joined(len(names), ends[graph.capacities > 0]).any()
    weakest = arcs.source_side if apart else arcs.either_side
    places = np.searchsorted(names, lines.fragments)
    skeletons, owner = np.unique(lines.skeletons, return_inverse=True)
    owner_of = np.full(len(names), _NOBODY)
    owner_of[places] = owner
    stack, cuts, parts = [_by_skeleton(owner)], list[tuple[int, int]](), list[int]()
    while stack:
        held = stack.pop()
        if len(held) == 1:
            parts += held
            continue
        first, second = _most_nodes(held)
        cuts.append((first, second))
        begin, end = _closest(lines.positions, held[first], held[second])
        side = weakest(part, int(places[begin]), int(places[end]))
        # of the parts that a cut makes, one gets a new number
        part[side] = len(cuts)
        there = np.unique(owner_of[side])
        stack += [held, _taken(held, there, places=places, part=part, number=len(cuts))]
    return Separated(
        skeletons[np.array(cuts, np.int64)].reshape(-1, 2), skeletons[np.array(parts, np.int64)]
    )


def _by_skeleton(owner: Numbers) -> Held:
    """owner: the skeleton of each node, numbered from 0."""
    nodes, last = np.argsort(owner, kind="stable"), np.cumsum(np.bincount(owner))
    return dict(enumerate(np.split(nodes, last[:-1])))


def _most_nodes(held: Held) -> tuple[int, int]:
    """The two skeletons with the most nodes, the one with most last."""
    most, next_most = nlargest(2, held, key=lambda skeleton: (len(held[skeleton]), skeleton))
    return next_most, most


def _taken(held: Held, skeletons: Numbers, *, places: Numbers, part: Numbers, number: int) -> Held:
    """Takes off the nodes of some skeletons whose fragments are in the part of this number.

    places: of the fragment of each node;  part: of each fragment
    """
    taken = {}
    for skeleton in skeletons[skeletons != _NOBODY].tolist():
        nodes = held.pop(skeleton)
        inside = part[places[nodes]] == number
        taken[skeleton] = nodes[inside]
        if not inside.all():
            held[skeleton] = nodes[~inside]
    return taken


def _closest(positions: NDArray[np.float64], ones: Numbers, others: Numbers) -> tuple[int, int]:
    """The closest of some nodes and others; of pairs that are as close, the one that comes
    first."""
    distances, _ = KDTree(positions[others]).query(positions[ones])
    one = ones[np.argmin(distances)]
    squares = ((positions[others] - positions[one]) ** 2).sum(axis=1)
    return int(one), int(others[np.argmin(squares)])
