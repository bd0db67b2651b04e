"""Regions that grow over the whole volume: its blocks say what is between their fragments, one
process joins all of them.

So scores do not depend on how the volume was divided, and a block need not look around itself.
Means alone can be added up like this, and the contacts of a volume must fit into the memory of one
process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import components
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import step_folder
from lsd.segmentation.kernels.linkage import Links, linkage
from lsd.segmentation.kernels.meetings import meetings
from lsd.segmentation.on_disk.tables import FragmentPlaces
from lsd.segmentation.over_blocks.contacts import CONTACT
from lsd.segmentation.over_blocks.edges import EDGE
from lsd.segmentation.over_blocks.fragments import SIZE
from lsd.segmentation.over_blocks.inputs import Apart
from lsd.spec import Scores
from lsd.spec.effect import Wording


class WholeJob(Job):
    """Edges of the whole volume; see `WholeFunction`.

    made_from: digest of the contacts' step, whose rows it reads, beside those of the fragments that
               they are made from
    """

    version: Version = 3
    made_from: Annotated[str, Wording("what is between fragments was made anew")]
    fragments: Annotated[str, Wording("the fragments were made anew")]
    scores: Scores
    agglomeration: Literal["whole"] = "whole"
    apart: Apart

    def open(self, container: Path, worker: int) -> WholeFunction:
        """Ready to be called."""
        return WholeFunction(self, container)


class Graph(NamedTuple):
    """Fragments by place, their sizes in voxels, and the contacts of all blocks."""

    places: FragmentPlaces
    sizes: NDArray[np.int64]
    contacts: NDArray[Any]


class WholeFunction:
    """Rows: the edges (u < v) of the volume and their scores, in ascending order.  One block: all
    of it."""

    def __init__(self, job: WholeJob, container: Path) -> None:
        self.container, self.apart = container, job.apart
        self.caution, self.above = job.scores.caution, job.scores.cautious_above

    def read(self, block: Block) -> Graph:
        """What the blocks left."""
        return read_graph(self.container, self.apart)

    def compute(self, block: Block, source: Graph) -> Output:
        """Scores in the order in which regions join; 0 where a face cut what is one."""
        contacts, uncut = summed(source.places, source.contacts)
        regions = _regions(len(source.sizes), contacts.pairs[uncut])
        sizes = np.bincount(regions, source.sizes, minlength=1)
        edges, between = contacts.pairs[contacts.touch], between_regions(contacts, regions)
        del contacts
        pairs, heights = linkage(between, sizes, caution=self.caution, above=self.above)
        del between
        ends = regions[edges]
        rows = np.empty(len(edges), EDGE)
        rows["u"], rows["v"] = source.places.id_of(edges[:, 0]), source.places.id_of(edges[:, 1])
        rows["score"] = np.where(
            ends[:, 0] == ends[:, 1], 0, meetings(len(sizes), pairs, heights, ends)
        )
        return Output(rows=rows)


def read_graph(container: Path, apart: int) -> Graph:
    """What the blocks of a volume left."""
    ledger = read_ledger(step_folder(container, "fragments"))
    places = FragmentPlaces.of(ledger.records["count"], apart)
    sizes = np.empty(len(places), np.int64)
    for records, rows in ledger.rows(SIZE):
        ends = np.cumsum(records["count"].astype(np.int64))
        for index, begin, end in zip(
            records["index"], ends - records["count"].astype(np.int64), ends, strict=True
        ):
            first = places.first[index]
            sizes[first : first + end - begin] = rows["size"][begin:end]
    ledger = read_ledger(step_folder(container, "contacts"))
    contacts, begin = np.empty(int(ledger.records["count"].sum()), CONTACT), 0
    for _, rows in ledger.rows(CONTACT, alone=True):
        contacts[begin : begin + len(rows)] = rows
        begin += len(rows)
    return Graph(places, sizes, contacts)


def summed(places: FragmentPlaces, contacts: NDArray[Any]) -> tuple[Links, NDArray[np.bool_]]:
    """What all rows of CONTACT, in any order, say of each pair of places: the same to the bit for
    any order."""
    pairs = np.stack([places.place_of(contacts["u"]), places.place_of(contacts["v"])], axis=1)
    return _added(
        Links(pairs, contacts["sum"], contacts["weight"], contacts["touch"]), contacts["uncut"]
    )


def _added(links: Links, uncut: NDArray[np.bool_]) -> tuple[Links, NDArray[np.bool_]]:
    """Each pair once, in ascending order.  Far affinities of one may be several blocks': added in
    the order of their sums."""
    order = np.lexsort((links.weights, links.sums, links.pairs[:, 1], links.pairs[:, 0]))
    pairs, sums, weights, touch = (
        links.pairs[order],
        links.sums[order],
        links.weights[order],
        links.touch[order],
    )
    first = np.flatnonzero(
        np.concatenate(
            [np.ones(min(len(pairs), 1), bool), (np.diff(pairs, axis=0) != 0).any(axis=1)]
        )
    )
    if len(first) == len(pairs):
        return Links(pairs, sums, weights, touch), uncut[order]
    sums, weights = np.add.reduceat(sums, first), np.add.reduceat(weights, first)
    touch, uncut = np.logical_or.reduceat(touch, first), np.logical_or.reduceat(uncut[order], first)
    return Links(pairs[first], sums, weights, touch), uncut


def _regions(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the region of each of 0 .. count - 1 where these pairs are one, without gaps."""
    nodes = np.arange(1, count + 1, dtype=np.uint64)
    named = components(
        nodes, pairs.astype(np.uint64) + np.uint64(1), np.zeros(len(pairs), np.float32), 0
    )
    return np.asarray(np.unique(named, return_inverse=True)[1].reshape(-1), np.int64)


def between_regions(links: Links, regions: NDArray[np.int64]) -> Links:
    """What is said of pairs of regions."""
    ends = np.sort(regions[links.pairs], axis=1)
    apart = ends[:, 0] != ends[:, 1]
    kept = Links(ends[apart], links.sums[apart], links.weights[apart], links.touch[apart])
    del ends
    return _added(kept, np.zeros(len(kept.pairs), np.bool_))[0]
