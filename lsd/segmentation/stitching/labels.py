"""The labels of each block, and how many voxels of the volume each has; and the blocks themselves,
for the steps that follow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block, Grid, tile
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import load_step, step_folder
from lsd.segmentation.stitching.blocks import Blocks, LabelledBlocks
from lsd.segmentation.stitching.own import Labelled, count_own, own_voxels
from lsd.spec.effect import Wording

STEP = "labels"
# rows: a label of a block, in ascending order of their ids; voxels: that belong to the block
LABEL = np.dtype([("id", "<u8"), ("voxels", "<u8")])


class LabelsJob(Job):
    """Labels of each block; see `LabelsFunction`.

    made_from: digest of the step that wrote the blocks; "" where another program did
    """

    version: Version = 1
    made_from: Annotated[str, Wording("the blocks were made anew")] = ""
    blocks: Blocks

    def open(self, container: Path, worker: int) -> LabelsFunction:
        """Ready to be called."""
        return LabelsFunction(self.blocks.open(container))

    def changed(self, container: Path) -> list[str]:
        """Blocks that are no longer what they were."""
        return [*super().changed(container), *self.blocks.changed()]


class LabelsFunction:
    """Rows: the labels of each block.  Block n of the step is labelled block n."""

    def __init__(self, blocks: LabelledBlocks) -> None:
        self.blocks = blocks

    def read(self, block: Block) -> tuple[NDArray[Any], Labelled | None]:
        """All of the block, and, of partial ones, where it and those around it have labels."""
        labels, boxes = self.blocks.whole(block.index), self.blocks.boxes
        if not self.blocks.partial:
            return labels, None
        own = boxes.roi(block.index)
        parts = {index: boxes.roi(index).intersect(own) for index in boxes.neighbours(block.index)}
        masks = {index: self.blocks.labelled(index, roi) for index, roi in parts.items()}
        parts[block.index], masks[block.index] = own, labels != 0

        def labelled(index: int, roi: Roi) -> NDArray[np.bool_]:
            return np.asarray(masks[index][(roi - parts[index].begin).to_slices()])

        return labels, labelled

    def compute(self, block: Block, source: tuple[NDArray[Any], Labelled | None]) -> Output:
        """Ids in ascending order, with their voxels."""
        labels, labelled = source
        is_own = own_voxels(self.blocks.boxes, block.index, labelled=labelled)
        ids, voxels = count_own(labels, is_own)
        rows = np.empty(len(ids), LABEL)
        rows["id"], rows["voxels"] = ids, voxels
        return Output(rows=rows)


def one_by_one(count: int) -> Grid:
    """A step of so many blocks that lie nowhere in particular: numbers in a line."""
    return tile(Roi((0,), (count,)), (1,), step=(1,), context=((0,), (0,)))


def labels_job(container: Path) -> LabelsJob:
    """The job of the container's labels, which knows the blocks."""
    step = load_step(step_folder(container, STEP))
    return LabelsJob.model_validate(step.job.record())


def read_labels(container: Path) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """How many labels each block has, and the rows of all, block by block."""
    ledger = read_ledger(step_folder(container, STEP))
    counts = ledger.records["count"].astype(np.int64)
    first = np.cumsum(counts) - counts
    labels = np.empty(int(counts.sum()), LABEL)
    for records, rows in ledger.rows(LABEL, alone=True):
        ends = np.cumsum(records["count"].astype(np.int64))
        for index, begin, end in zip(
            records["index"].astype(np.int64),
            ends - records["count"].astype(np.int64),
            ends,
            strict=True,
        ):
            labels[first[index] : first[index] + end - begin] = rows[begin:end]
    return counts, labels
