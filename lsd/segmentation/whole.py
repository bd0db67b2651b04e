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
from lsd.segmentation.blocks import EDGE, SIZE, Around, Neighborhood, Source
from lsd.segmentation.linkage import Links, linkage, links
from lsd.segmentation.lookup import compact
from lsd.segmentation.tables import Places

# rows: what one block's affinities say of a pair of fragments
CONTACT = np.dtype([("u", "<u8"), ("v", "<u8"), ("sum", "<f8"), ("weight", "<f8"), ("touch", "?")])


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
        own = (block.write - block.read.intersect(self.affs.roi).begin).to_slices()
        found = links(affs, neighborhood, compact(source["fragments"]), within=own)
        rows = np.empty(len(found.pairs), CONTACT)
        rows["u"], rows["v"] = ids[found.pairs - 1].reshape(-1, 2).T
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
        pieces = [rows for _, rows in read_ledger(step_folder(self.container, "contacts")).rows(CONTACT)]
        return Graph(places, sizes, np.concatenate([np.empty(0, CONTACT), *pieces]))

    def compute(self, block: Block, source: Graph) -> Output:
        """Scores in the order in which regions join."""
        found = summed(source.places, source.contacts)
        pairs, heights = linkage(found, source.sizes, caution=self.caution, above=self.above)
        edges = found.pairs[found.touch]
        rows = np.empty(len(edges), EDGE)
        rows["u"], rows["v"] = source.places.id_of(edges[:, 0]), source.places.id_of(edges[:, 1])
        rows["score"] = meetings(len(source.sizes), pairs, heights, edges)
        return Output(rows=rows)


def summed(places: Places, contacts: NDArray[Any]) -> Links:
    """What all rows of CONTACT, in any order, say of each pair of places: the same to the bit for any order."""
    u, v = places.place_of(contacts["u"]), places.place_of(contacts["v"])
    # far affinities of one pair may be several blocks': their sums are added in the order of their size
    order = np.lexsort((contacts["weight"], contacts["sum"], v, u))
    pairs, rows = np.stack([u[order], v[order]], axis=1), contacts[order]
    first = np.flatnonzero(np.concatenate([np.ones(min(len(pairs), 1), bool), (np.diff(pairs, axis=0) != 0).any(axis=1)]))
    if len(first) == 0:
        return Links(pairs, rows["sum"], rows["weight"], rows["touch"])
    sums, weights = np.add.reduceat(rows["sum"], first), np.add.reduceat(rows["weight"], first)
    return Links(pairs[first], sums, weights, np.logical_or.reduceat(rows["touch"], first))
