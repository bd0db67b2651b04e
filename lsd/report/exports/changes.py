"""What joins and cuts make of the segments of a volume: array functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import components
from lsd.evaluation.cuts import RegionGraph, apart

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
    fragments = segment.fragments
    parts = np.full(len(fragments), fragments[0])
    for one, other in pairs:
        part_of_one, part_of_other = parts[np.searchsorted(fragments, [one, other])]
        if part_of_one != part_of_other:
            continue
        own = parts == part_of_one
        beside = apart(segment.graph, fragments[own], one, other)
        for side in (beside, ~beside):
            places = np.flatnonzero(own)[side]
            parts[places] = fragments[places[0]]
    return parts


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
