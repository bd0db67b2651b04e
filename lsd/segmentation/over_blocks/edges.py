"""Edges between fragments: what their rows are, and how each block scores those that it owns.

An edge belongs to the later of the two blocks that its ends are in, which reads over its faces:
each edge is scored once, from the whole contact of its ends, in the block's context.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import fastremap
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import compact
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.segmentation.agglomeration import agglomerate_part
from lsd.segmentation.kernels.nearest import checked
from lsd.segmentation.kernels.prediction import Offsets
from lsd.segmentation.over_blocks.both_ends import BothEnds
from lsd.segmentation.over_blocks.fragments import Source, cut_pairs
from lsd.segmentation.over_blocks.inputs import Apart
from lsd.spec import Scores, Segment
from lsd.spec.effect import Wording
from lsd.volumes.array import Array
from lsd.volumes.inputs import ArrayInput, OwnArray

# rows: an edge
EDGE = np.dtype([("u", "<u8"), ("v", "<u8"), ("score", "<f4")])

# edges that are handed on at once
_PIECE = 1 << 20


def edge_pieces(folder: Path) -> Iterator[NDArray[Any]]:
    """The edges of a step's folder, rows of EDGE, in pieces."""
    for _, rows in read_ledger(folder).rows(EDGE, alone=True):
        yield from np.split(rows, range(_PIECE, len(rows), _PIECE))


def edge_context(settings: Segment, dims: int) -> tuple[int, ...]:
    """Voxels around a block that its edges are scored with: the neighbours' side of a contact is
    always looked at."""
    return tuple(max(1, n) for n in settings.edge_context[-dims:])


class OnAffinities(Job):
    """What jobs that read affinities are given; neighborhood: an offset for each of their
    channels."""

    affinities: ArrayInput | BothEnds
    neighborhood: Offsets


class EdgesJob(OnAffinities):
    """Edges that each block owns, and their scores; see `EdgesFunction`.

    scores: what they follow from.  Sizes of regions are those that the block and its context show.
    """

    version: Version = 3
    fragments: OwnArray
    made_from: Annotated[str, Wording("the fragments were made anew")]
    scores: Scores
    agglomeration: Literal["blocks"] = "blocks"
    apart: Apart

    def open(self, container: Path, worker: int) -> EdgesFunction:
        """Ready to be called."""
        return EdgesFunction(self, container)


class FacesJob(Job):
    """Edges of fragments that are one but for the faces of blocks; see `FacesFunction`."""

    version: Version = 1
    fragments: OwnArray
    uncut: OwnArray
    made_from: Annotated[str, Wording("the fragments were made anew")]

    def open(self, container: Path, worker: int) -> FacesFunction:
        """Ready to be called."""
        return FacesFunction(self, container)


class EdgesFunction:
    """Rows: the edges (u < v) that each block owns, and their scores, in ascending order."""

    def __init__(self, job: EdgesJob, container: Path) -> None:
        self.affs, self.fragments = job.affinities.open(), job.fragments.open(container)
        self.neighborhood, self.scores, self.apart = job.neighborhood, job.scores, job.apart

    def read(self, block: Block) -> Source | None:
        """Fragments and affinities around the block; None where it has no fragment."""
        return read_around(block, self.fragments, self.affs)

    def compute(self, block: Block, source: Source | None) -> Output:
        """Scores in the order in which regions join around the block."""
        if source is None:
            return Output(rows=np.empty(0, EDGE))
        ids = fastremap.unique(source["fragments"])
        numbers = compact(source["fragments"])
        ids = ids[ids > 0]
        pairs, scores = agglomerate_part(
            checked(source["affs"], self.neighborhood),
            numbers,
            self.neighborhood,
            scoring=self.scores.scoring,
            caution=self.scores.caution,
            cautious_above=self.scores.cautious_above,
        )
        ends = ids[pairs.astype(np.int64) - 1].reshape(-1, 2)
        # ids ascend with the blocks, so the later block is that of the larger id
        own = (ends[:, 1] - np.uint64(1)) // np.uint64(self.apart) == block.index
        return Output(rows=edge_rows(ends[own], scores[own]))


class FacesFunction:
    """Rows: an edge of score 0 for each two fragments that a face of the block cut apart."""

    def __init__(self, job: FacesJob, container: Path) -> None:
        self.fragments, self.uncut = job.fragments.open(container), job.uncut.open(container)

    def read(self, block: Block) -> tuple[NDArray[Any], NDArray[Any]]:
        """Fragments of the block and a voxel around it, and where its own go on over its faces."""
        around = block.read.intersect(self.fragments.roi)
        return self.fragments.read(around), self.uncut.read(block.write)

    def compute(self, block: Block, source: tuple[NDArray[np.uint64], NDArray[np.uint8]]) -> Output:
        """An edge belongs to the block after the face."""
        pairs = cut_pairs(*source, block_inside(block, self.fragments))
        return Output(rows=edge_rows(pairs, np.zeros(len(pairs), np.float32)))


def edge_rows(ends: NDArray[np.uint64], scores: NDArray[np.float32]) -> NDArray[Any]:
    """Rows of EDGE."""
    rows = np.empty(len(ends), EDGE)
    rows["u"], rows["v"], rows["score"] = ends[:, 0], ends[:, 1], scores
    return rows


def read_around(block: Block, fragments: Array, affs: Array) -> Source | None:
    """Fragments and affinities around a block; None where the block has no fragment."""
    roi = block.read.intersect(affs.roi)
    source = fragments.read(roi)
    if not source[block_inside(block, affs)].any():
        return None
    return {"fragments": source, "affs": affs.read(roi)}


def block_inside(block: Block, array: Array) -> tuple[slice, ...]:
    """A block in what is read of an array around it."""
    return tuple((block.write - block.read.intersect(array.roi).begin).to_slices())
