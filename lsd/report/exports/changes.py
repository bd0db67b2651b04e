"""What joins and cuts make of the segments of a volume: array functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import components
from lsd.arrays.min_cut import Arcs
from lsd.evaluation.along_skeletons.cuts import RegionGraph

Ids = NDArray[np.uint64]


class Segment(NamedTuple):
    """A segment that is cut: its fragments, ascending, and their region graph."""

    fragments: Ids
    graph: RegionGraph


def cut(segment: Segment, pairs: Sequence[tuple[int, int]]) -> Ids:
    """The part of each fragment of a segment after all cuts; a part is named by its smallest
    fragment.

    pairs: fragments that are to be apart, one after the other; those that are by then stay
    """
    fragments, graph = segment
    arcs = Arcs.of(len(fragments), np.searchsorted(fragments, graph.edges), graph.capacities)
    part = np.zeros(len(fragments), np.int64)
    for number, pair in enumerate(pairs, start=1):
        begin, end = np.searchsorted(fragments, np.array(pair, np.uint64)).tolist()
        if part[begin] == part[end]:
            part[arcs.source_side(part, begin, end)] = number
    _, smallest, place = np.unique(part, return_index=True, return_inverse=True)
    return np.asarray(fragments[smallest][place.reshape(-1)])


def joined(pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The name of each segment that is joined to others: the smallest of theirs."""
    edges = np.array(pairs, np.uint64).reshape(-1, 2)
    nodes = np.unique(edges)
    names = components(nodes, edges, np.zeros(len(edges), np.float32), 0)
    return dict(zip(nodes.tolist(), names.tolist(), strict=True))


def refuse_contradictions(
    cuts: Sequence[tuple[int, int]], parts: Mapping[int, int], names: Mapping[int, int]
) -> None:
    """ValueError where joins bring together what a cut puts apart.

    parts: the segment, or part of one, that each end of a cut is in; names: of those that are
           joined
    """
    for one, other in cuts:
        ends = [names.get(parts[end], parts[end]) for end in (one, other)]
        if ends[0] == ends[1]:
            raise ValueError(
                f"fragments {one} and {other} are to be apart, and joins make both one segment, "
                f"{ends[0]}; leave a join or the cut out"
            )
