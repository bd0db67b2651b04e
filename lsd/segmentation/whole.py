"""Regions that grow over the whole volume: its blocks say what is between their fragments, one
process joins all of them.

So scores do not depend on how the volume was divided, and a block need not look around itself.
Means alone can be added up like this, and the contacts of a volume must fit into the memory of one
process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import fastremap
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import compact, components
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import step_folder
from lsd.segmentation.agglomeration import looked_at, meetings
from lsd.segmentation.blocks import EDGE, SIZE, Apart, Around, OnAffinities, Source
from lsd.segmentation.linkage import Links, linkage, links
from lsd.segmentation.nearest import checked
from lsd.segmentation.tables import Places
from lsd.spec.effect import Told
from lsd.volumes.inputs import OwnArray

# rows: what one block's affinities say of a pair of fragments
CONTACT = np.dtype(
    [("u", "<u8"), ("v", "<u8"), ("sum", "<f8"), ("weight", "<f8"), ("touch", "?"), ("uncut", "?")]
)


class ContactsJob(OnAffinities):
    """What each block says of its fragments; see `Contacts`.

    scoring: "mean_all" looks at all offsets, others at the nearest ones
    """

    version: Version = 3
    fragments: OwnArray
    uncut: OwnArray
    made_from: Annotated[str, Told("the fragments were made anew")]
    scoring: Literal["mean", "mean_all"]

    def open(self, container: Path, worker: int) -> Contacts:
        """Ready to be called."""
        return Contacts(self, container)


class WholeJob(Job):
    """Edges of the whole volume; see `Whole`.

    made_from: digest of the contacts' step, whose rows it reads, beside those of the fragments that
               they are made from
    """

    version: Version = 3
    made_from: Annotated[str, Told("what is between fragments was made anew")]
    fragments: Annotated[str, Told("the fragments were made anew")]
    scores: dict[str, Any]
    agglomeration: Literal["whole"] = "whole"
    apart: Apart

    def open(self, container: Path, worker: int) -> Whole:
        """Ready to be called."""
        return Whole(self, container)


class Contacts(Around):
    """Rows: what the affinities of each block say of pairs u < v, in ascending order; an affinity
    is its voxel's block's."""

    def __init__(self, job: ContactsJob, container: Path) -> None:
        super().__init__(job.affinities, job.fragments, container)
        self.uncut = job.uncut.open(container)
        self.neighborhood, self.scoring = job.neighborhood, job.scoring

    def read(self, block: Block) -> Source | None:
        """The block's `uncut` beside what is around it."""
        source = super().read(block)
        return None if source is None else {**source, "uncut": self.uncut.read(block.write)}

    def compute(self, block: Block, source: Source | None) -> Output:
        """Sums over the affinities that are the block's."""
        if source is None:
            return Output(rows=np.empty(0, CONTACT))
        ids = fastremap.unique(source["fragments"])
        ids = ids[ids > 0]
        affs, neighborhood = looked_at(
            checked(source["affs"], self.neighborhood), self.neighborhood, self.scoring
        )
        found = links(affs, neighborhood, compact(source["fragments"]), within=self.inside(block))
        ends = ids[found.pairs - 1].reshape(-1, 2)
        rows = np.empty(len(ends), CONTACT)
        rows["u"], rows["v"], rows["uncut"] = (
            ends[:, 0],
            ends[:, 1],
            _among(ends, self._cut(block, source)),
        )
        rows["sum"], rows["weight"], rows["touch"] = found.sums, found.weights, found.touch
        return Output(rows=rows)

    def _cut(self, block: Block, source: Source) -> NDArray[np.uint64]:
        """Pairs u < v of ids, in ascending order, that were one fragment until the block's faces
        cut it: (n, 2).

        Most of their contact must be so: at a face, two blocks may see a boundary a voxel apart.
        """
        found = []
        for axis, part in enumerate(self.inside(block)):
            if part.start == 0:
                continue
            plane = list(self.inside(block))
            here, before = (
                [*plane[:axis], slice(at, at + 1), *plane[axis + 1 :]]
                for at in (part.start, part.start - 1)
            )
            v, u = (source["fragments"][tuple(where)].reshape(-1) for where in (here, before))
            bits = source["uncut"].take([0], axis=axis).reshape(-1) >> axis & 1
            pairs, inverse = np.unique(
                np.stack([u, v], axis=1)[(u > 0) & (v > 0)], axis=0, return_inverse=True
            )
            same = np.bincount(inverse.reshape(-1), bits[(u > 0) & (v > 0)], minlength=len(pairs))
            found.append(pairs[2 * same > np.bincount(inverse.reshape(-1), minlength=len(pairs))])
        return np.unique(np.concatenate([np.empty((0, 2), np.uint64), *found]), axis=0)


class Graph(NamedTuple):
    """Fragments by place, their sizes in voxels, and the contacts of all blocks."""

    places: Places
    sizes: NDArray[np.int64]
    contacts: NDArray[Any]


class Whole:
    """Rows: the edges (u < v) of the volume and their scores, in ascending order.  One block: all
    of it."""

    def __init__(self, job: WholeJob, container: Path) -> None:
        self.container, self.apart = container, job.apart
        self.caution, self.above = job.scores["caution"], job.scores["cautious_above"]

    def read(self, block: Block) -> Graph:
        """What the blocks left."""
        ledger = read_ledger(step_folder(self.container, "fragments"))
        places = Places.of(ledger.records["count"], self.apart)
        sizes = np.empty(len(places), np.int64)
        for records, rows in ledger.rows(SIZE):
            ends = np.cumsum(records["count"].astype(np.int64))
            for index, begin, end in zip(
                records["index"], ends - records["count"].astype(np.int64), ends, strict=True
            ):
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
        rows["score"] = np.where(
            ends[:, 0] == ends[:, 1], 0, meetings(len(sizes), pairs, heights, ends)
        )
        return Output(rows=rows)


def summed(places: Places, contacts: NDArray[Any]) -> tuple[Links, NDArray[np.bool_]]:
    """What all rows of CONTACT, in any order, say of each pair of places: the same to the bit for
    any order."""
    pairs = np.stack([places.place_of(contacts["u"]), places.place_of(contacts["v"])], axis=1)
    return _added(
        Links(pairs, contacts["sum"], contacts["weight"], contacts["touch"]), contacts["uncut"]
    )


def _added(found: Links, uncut: NDArray[np.bool_]) -> tuple[Links, NDArray[np.bool_]]:
    """Each pair once, in ascending order.  Far affinities of one may be several blocks': added in
    the order of their sums."""
    order = np.lexsort((found.weights, found.sums, found.pairs[:, 1], found.pairs[:, 0]))
    pairs, sums, weights, touch = (
        found.pairs[order],
        found.sums[order],
        found.weights[order],
        found.touch[order],
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


def _between(found: Links, regions: NDArray[np.int64]) -> Links:
    """What is said of pairs of regions."""
    ends = np.sort(regions[found.pairs], axis=1)
    apart = ends[:, 0] != ends[:, 1]
    kept = Links(ends[apart], found.sums[apart], found.weights[apart], found.touch[apart])
    del ends
    return _added(kept, np.zeros(len(kept.pairs), np.bool_))[0]


def _among(pairs: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of `pairs` (n, 2) are among `others` (m, 2), both uint64: (n,)."""
    kind = [("u", np.uint64), ("v", np.uint64)]
    one, other = (
        np.ascontiguousarray(part, np.uint64).view(kind).reshape(-1) for part in (pairs, others)
    )
    return np.isin(one, other)
