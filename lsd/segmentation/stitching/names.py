"""The object that each label of each block belongs to: one process joins the labels of all blocks,
from their table alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import Ledger, read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import step_folder
from lsd.segmentation.stitching import joins
from lsd.segmentation.stitching.joining import Joining
from lsd.segmentation.stitching.joins import JOIN
from lsd.segmentation.stitching.labels import read_labels
from lsd.spec.effect import Wording

STEP = "names"
# rows: the object of each label, in the order of blocks and of the ids in each
NAME = np.dtype([("name", "<u8")])


class NamesJob(Job):
    """Objects of all labels; see `NamesFunction`.  made_from: digest of the joins' step."""

    version: Version = 1
    made_from: Annotated[str, Wording("the labels were joined anew")]

    def open(self, container: Path, worker: int) -> NamesFunction:
        """Ready to be called."""
        return NamesFunction(container)


class NamesFunction:
    """Rows: the object of each label, 1..n, and 0 for those without a voxel in the volume.  One
    block: all of it.

    Takes about 50 bytes of memory for each label of a block.
    """

    def __init__(self, container: Path) -> None:
        self.container = container

    def read(self, block: Block) -> tuple[NDArray[np.int64], NDArray[Any], Ledger]:
        """The labels of all blocks, and where it stands which are one."""
        ledger = read_ledger(step_folder(self.container, joins.STEP))
        return *read_labels(self.container), ledger

    def compute(
        self, block: Block, source: tuple[NDArray[np.int64], NDArray[Any], Ledger]
    ) -> Output:
        """Joined piece by piece, in any order."""
        counts, labels, ledger = source
        joining = Joining(counts, np.ascontiguousarray(labels["id"]))
        for records, rows in ledger.rows(JOIN, alone=True):
            blocks = np.repeat(records["index"], records["count"].astype(np.int64))
            joining.join(blocks, rows["id"], rows["block"], rows["other"])
        names = joining.names(labels["voxels"])
        return Output(rows=names.view(NAME))
