"""Objects of a whole volume, from the pieces of its blocks; and their ids in each block."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import relabel
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import step_folder
from lsd.segmentation.kernels.joining import PIECE, object_of_each
from lsd.segmentation.on_disk.tables import FragmentPlaces
from lsd.segmentation.over_blocks.inputs import Apart
from lsd.segmentation.over_blocks.pieces import NEIGHBOUR
from lsd.spec import Objects
from lsd.spec.effect import NoEffect, Wording
from lsd.volumes.inputs import OwnArray

# rows: the object of each piece, by its place
OWNER = np.dtype([("object", "<u8")])

StepName = Annotated[str, NoEffect("made_from says which step it is")]


class ObjectsJob(Job):
    """Objects of the whole volume, in one block; see `ObjectsFunction`.

    pieces, neighbours: names of the steps whose rows it reads; made_from: digest of the second,
                        which is made from the first
    """

    version: Version = 1
    pieces: StepName
    neighbours: StepName
    made_from: Annotated[str, Wording("what is between pieces was made anew")]
    settings: Objects
    apart: Apart

    def open(self, container: Path, worker: int) -> ObjectsFunction:
        """Ready to be called."""
        return ObjectsFunction(self, container)


class Graph(NamedTuple):
    """Pieces by place, and pairs of places (m, 2) that are the same or touch."""

    pieces: NDArray[np.void]
    pairs: NDArray[np.int64]
    same: NDArray[np.bool_]


class ObjectsFunction:
    """Rows: the object of each piece, in the order of their places."""

    def __init__(self, job: ObjectsJob, container: Path) -> None:
        self.job, self.container = job, container

    def read(self, block: Block) -> Graph:
        """What the blocks left."""
        places = places_of(self.container, self.job.pieces, apart=self.job.apart)
        ledger = read_ledger(step_folder(self.container, self.job.neighbours))
        rows = [np.empty(0, NEIGHBOUR), *(part for _, part in ledger.rows(NEIGHBOUR, alone=True))]
        listed = np.concatenate(rows)
        pairs = np.stack([places.place_of(listed["u"]), places.place_of(listed["v"])], axis=1)
        return Graph(pieces_of(self.container, self.job.pieces, places), pairs, listed["same"])

    def compute(self, block: Block, source: Graph) -> Output:
        """Decided on whole objects."""
        owners = object_of_each(source.pieces, source.pairs, source.same, self.job.settings)
        return Output(rows=owners.view(OWNER))


def places_of(container: Path, step: str, *, apart: int) -> FragmentPlaces:
    """The pieces of a step of pieces in the order of their ids."""
    counts = read_ledger(step_folder(container, step)).records["count"]
    return FragmentPlaces.of(counts, apart)


def pieces_of(container: Path, step: str, places: FragmentPlaces) -> NDArray[np.void]:
    """Rows of PIECE of a whole volume, by place."""
    pieces = np.empty(len(places), PIECE)
    for records, rows in read_ledger(step_folder(container, step)).rows(PIECE):
        counts = records["count"].astype(np.int64)
        for index, begin, count in zip(
            records["index"], np.cumsum(counts) - counts, counts, strict=True
        ):
            first = places.first[index]
            pieces[first : first + count] = rows[begin : begin + count]
    return pieces


class LookUpJob(Job):
    """Segmentations of each block at some thresholds; see `LookUpFunction`.

    arrays: names of the arrays, and the pieces that each is made of; listed, owners: names of the
            steps whose rows say how many pieces blocks have, and what object each is of
    """

    version: Version = 1
    arrays: dict[str, OwnArray]
    listed: StepName
    owners: StepName
    made_from: Annotated[str, Wording("the objects were made anew")]
    apart: Apart

    def open(self, container: Path, worker: int) -> LookUpFunction:
        """Ready to be called."""
        return LookUpFunction(self, container)


class LookUpFunction:
    """Segmentations (*block.write.shape) of each block: pieces looked up among the objects."""

    def __init__(self, job: LookUpJob, container: Path) -> None:
        self.arrays = {name: array.open(container) for name, array in job.arrays.items()}
        self.places = places_of(container, job.listed, apart=job.apart)
        ledger = read_ledger(step_folder(container, job.owners))
        self.owners = ledger.block_rows(0, OWNER)["object"]

    def read(self, block: Block) -> dict[str, NDArray[np.uint64]]:
        """The block's pieces."""
        return {
            name: np.asarray(array.read(block.write), np.uint64)
            for name, array in self.arrays.items()
        }

    def compute(self, block: Block, source: dict[str, NDArray[np.uint64]]) -> Output:
        """A block's pieces are its own."""
        begin, end = self.places.first[block.index : block.index + 2]
        ids, owners = self.places.ids(int(begin), int(end)), self.owners[begin:end]
        return Output({name: relabel(pieces, ids, owners) for name, pieces in source.items()})
