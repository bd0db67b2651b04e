"""Which labels of each block are one with labels of the blocks after it: each pair of blocks is
compared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.output import Output
from lsd.segmentation.stitch import same
from lsd.segmentation.stitching.blocks import LabelledBlocks
from lsd.segmentation.stitching.labels import labels_job
from lsd.spec import Rule
from lsd.spec.effect import Wording

STEP = "joins"
# rows: a label of the block, and the label `other` of block `block` that is one with it
JOIN = np.dtype([("id", "<u8"), ("block", "<u8"), ("other", "<u8")])


class JoinsJob(Job):
    """Which labels are one; see `JoinsFunction`.

    made_from: digest of the labels' step; touching: also compare at faces where blocks only touch
    """

    version: Version = 1
    made_from: Annotated[str, Wording("the blocks are others, or their labels were counted anew")]
    rule: Rule
    touching: bool = False

    def open(self, container: Path, worker: int) -> JoinsFunction:
        """Ready to be called."""
        return JoinsFunction(self, labels_job(container).blocks.open(container))

    def changed(self, container: Path) -> list[str]:
        """Blocks that are no longer what they were."""
        return labels_job(container).changed(container)


class Compared(NamedTuple):
    """What two blocks have to say of the same voxels; other: number of the second."""

    other: int
    first: NDArray[Any]
    second: NDArray[Any]


class JoinsFunction:
    """Rows: what of each block is one with what of later ones."""

    def __init__(self, job: JoinsJob, blocks: LabelledBlocks) -> None:
        self.blocks, self.rule, self.touching = blocks, job.rule, job.touching

    def read(self, block: Block) -> list[Compared]:
        """The block and its later neighbours, each in what is compared."""
        index, boxes = block.index, self.blocks.boxes
        later = [n for n in boxes.neighbours(index, touching=self.touching) if n > index]
        if not later:
            return []
        own, begin = self.blocks.whole(index), boxes.roi(index).begin
        compared = []
        for other in later:
            own_roi, other_roi = boxes.compared(index, other)
            labels = self.blocks.read(other, other_roi)
            compared.append(Compared(other, own[(own_roi - begin).to_slices()], labels))
        return compared

    def compute(self, block: Block, source: list[Compared]) -> Output:
        """By the rule, neighbour by neighbour."""
        rows = [np.empty(0, JOIN)]
        for other, first, second in source:
            pairs = same(first, second, rule=self.rule)
            joined = np.empty(len(pairs), JOIN)
            joined["id"], joined["block"], joined["other"] = pairs[:, 0], other, pairs[:, 1]
            rows.append(joined)
        return Output(rows=np.concatenate(rows))
