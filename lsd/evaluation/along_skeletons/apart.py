"""Skeletons whose pieces lie apart in what is scored: a segment for each piece is right, and still
has no nERL of 1."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.along_skeletons.nodes import SegmentedNodes
from lsd.spec.plurals import counted

log = logging.getLogger(__name__)

# nERL of pieces below which a person is told
TOLD = 0.99


@dataclass(frozen=True)
class SkeletonsApart:
    """skeletons: that lie in pieces with a length;  of: so many that there are
    nerl: where every piece is a segment, and nothing else is wrong; None without any length
    """

    skeletons: int
    of: int
    nerl: float | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lie = "lies" if self.skeletons == 1 else "lie"
        return (
            f"{self.skeletons} of {counted(self.of, 'skeleton')} {lie} in pieces that are apart in "
            f"what is scored; with a segment for each piece nERL is {self.nerl:.3f}"
        )


def skeletons_apart(skeletons: Skeletons) -> SkeletonsApart:
    """The skeletons whose edges do not hang together."""
    ids, own = np.unique(skeletons.skeleton_ids, return_inverse=True)
    first, second = skeletons.places.T
    joined = coo_array((np.ones(len(first), np.bool_), (first, second)), (len(skeletons),) * 2)
    piece_of = connected_components(joined, directed=False)[1]
    lengths = skeletons.lengths
    pieces = np.bincount(piece_of[first], lengths, piece_of.max(initial=0) + 1)
    wholes = np.bincount(own[first], lengths, len(ids))
    names, at = np.unique(piece_of, return_index=True)
    number = np.bincount(own[at][pieces[names] > 0], minlength=len(ids))
    squared = float((wholes**2).sum())
    nerl = float((pieces**2).sum()) / squared if squared else None
    return SkeletonsApart(int((number > 1).sum()), len(ids), nerl)


def tell_skeletons_apart(nodes: Mapping[str, object]) -> dict[str, SkeletonsApart]:
    """The same of each volume that has such skeletons; tells it where it matters.

    nodes: of each volume what is scored along skeletons, as `SegmentedNodes`
    """
    found = {}
    for name, at_nodes in nodes.items():
        assert isinstance(at_nodes, SegmentedNodes), "along skeletons"
        each = skeletons_apart(at_nodes.skeletons)
        if each.skeletons:
            found[name] = each
            if each.nerl is not None and each.nerl < TOLD:
                log.warning("%s: %s", name, each)
    return found
