"""Regions that grow over the whole volume: its blocks say what is between their fragments, one process joins all of them.

So scores do not depend on how the volume was divided, and a block need not look around itself.  Means alone can be added up
like this, and the contacts of a volume must fit into the memory of one process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import fastremap
import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.grid import Block
from lsd.blockwise.ledger import read_ledger
from lsd.blockwise.step import Output, step_folder
from lsd.segmentation.agglomeration import looked_at, meetings
from lsd.segmentation.blocks import EDGE, SIZE, Around, Neighborhood, Source, are_among
from lsd.segmentation.linkage import Links, linkage, links
from lsd.segmentation.lookup import compact, components
from lsd.segmentation.tables import Places

# rows: what one block's affinities say of a pair of fragments
CONTACT = np.dtype([("u", "<u8"), ("v", "<u8"), ("sum", "<f8"), ("weight", "<f8"), ("touch", "?"), ("uncut", "?")])


class Contacts(Around):
    """Rows: what the affinities of each block say of pairs u < v, in ascending order; an affinity is its voxel's block's."""

    def __init__(
        self, container: Path, worker: int, *, affinities: tuple[str, str], neighborhood: Neighborhood, scoring: str
    ) -> None:
        super().__init__(container, affinities)
        self.neighborhood, self.scoring = neighborhood, scoring

    def compute(self, block: Block, source: Source | None) -> Output:
        """Sums over the affinities that are the block's."""
        if source is None:
            return Output(rows=np.empty(0, CONTACT))
        ids = fastremap.unique(source["fragments"])
        ids = ids[ids > 0]
        affs, neighborhood = looked_at(source["affs"], self.neighborhood, self.scoring)
        found = links(affs, neighborhood, compact(source["fragments"]), within=self.inside(block))
        ends = ids[found.pairs - 1].reshape(-1, 2)
        rows = np.empty(len(ends), CONTACT)
        rows["u"], rows["v"], rows["uncut"] = ends[:, 0], ends[:, 1], are_among(ends, self.cut(block, source))
        rows["sum"], rows["weight"], rows["touch"] = found.sums, found.weights, found.touch
        return Output(rows=rows)


class Graph(NamedTuple):
    """Fragments by place, their sizes in voxels, and the contacts of all blocks."""

    places: Places
    sizes: NDArray[np.int64]
    contacts: NDArray[Any]


class Whole:
    """Rows: the edges (u < v) of the volume and their scores, in ascending order.  One block: all of it."""

    def __init__(self, container: Path, worker: int, *, apart: int, caution: float, cautious_above: int) -> None:
        self.container, self.apart = container, apart
        self.caution, self.above = caution, cautious_above

    def read(self, block: Block) -> Graph:
        """What the blocks left."""
        ledger = read_ledger(step_folder(self.container, "fragments"))
        places = Places.of(ledger.records["count"], self.apart)
        sizes = np.empty(len(places), np.int64)
        for records, rows in ledger.rows(SIZE):
            ends = np.cumsum(records["count"].astype(np.int64))
            for index, begin, end in zip(records["index"], ends - records["count"].astype(np.int64), ends, strict=True):
                first = places.first[index]
                sizes[first : first + end - begin] = rows["size"][begin:end]
        ledger = read_ledger(step_folder(self.container, "contacts"))
        contacts, begin = np.empty(int(ledger.records["count"].sum()), CONTACT), 0
        for _, rows in ledger.rows(CONTACT, alone=True):
            contacts[begin : begin + len(rows)] = rows
            begin += len(rows)
        return Graph(places, sizes, contacts)

    def compute(self, block: Block, source: Graph) -> Output:
        """Scores in the order in which regions join; 0 where a face cut what is one."""
        found, uncut = summed(source.places, source.contacts)
        regions = _regions(len(source.sizes), found.pairs[uncut])
        sizes = np.bincount(regions, source.sizes, minlength=1)
        edges, joined = found.pairs[found.touch], _between(found, regions)
        del found
        pairs, heights = linkage(joined, sizes, caution=self.caution, above=self.above)
        del joined
        ends = regions[edges]
        rows = np.empty(len(edges), EDGE)
        rows["u"], rows["v"] = source.places.id_of(edges[:, 0]), source.places.id_of(edges[:, 1])
        rows["score"] = np.where(ends[:, 0] == ends[:, 1], 0, meetings(len(sizes), pairs, heights, ends))
        return Output(rows=rows)


def summed(places: Places, contacts: NDArray[Any]) -> tuple[Links, NDArray[np.bool_]]:
    """What all rows of CONTACT, in any order, say of each pair of places: the same to the bit for any order."""
    pairs = np.stack([places.place_of(contacts["u"]), places.place_of(contacts["v"])], axis=1)
    return _added(Links(pairs, contacts["sum"], contacts["weight"], contacts["touch"]), contacts["uncut"])


def _added(found: Links, uncut: NDArray[np.bool_]) -> tuple[Links, NDArray[np.bool_]]:
    """Each pair once, in ascending order.  Far affinities of one may be several blocks': added in the order of their sums."""
    order = np.lexsort((found.weights, found.sums, found.pairs[:, 1], found.pairs[:, 0]))
    pairs, sums, weights, touch = found.pairs[order], found.sums[order], found.weights[order], found.touch[order]
    first = np.flatnonzero(np.concatenate([np.ones(min(len(pairs), 1), bool), (np.diff(pairs, axis=0) != 0).any(axis=1)]))
    if len(first) == len(pairs):
        return Links(pairs, sums, weights, touch), uncut[order]
    sums, weights = np.add.reduceat(sums, first), np.add.reduceat(weights, first)
    touch, uncut = np.logical_or.reduceat(touch, first), np.logical_or.reduceat(uncut[order], first)
    return Links(pairs[first], sums, weights, touch), uncut


def _regions(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the region of each of 0 .. count - 1 where these pairs are one, without gaps."""
    nodes = np.arange(1, count + 1, dtype=np.uint64)
    named = components(nodes, pairs.astype(np.uint64) + np.uint64(1), np.zeros(len(pairs), np.float32), 0)
    return np.asarray(np.unique(named, return_inverse=True)[1].reshape(-1), np.int64)


def _between(found: Links, regions: NDArray[np.int64]) -> Links:
    """What is said of pairs of regions."""
    ends = np.sort(regions[found.pairs], axis=1)
    apart = ends[:, 0] != ends[:, 1]
    kept = Links(ends[apart], found.sums[apart], found.weights[apart], found.touch[apart])
    del ends
    return _added(kept, np.zeros(len(kept.pairs), np.bool_))[0]
