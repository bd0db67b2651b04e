"""Segmentations of each block, from its fragments and a table of which segment each belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import relabel
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.output import Output
from lsd.segmentation.on_disk.tables import open_table
from lsd.segmentation.over_blocks.inputs import Apart
from lsd.spec.effect import Wording
from lsd.volumes.inputs import OwnArray


class SegmentsJob(Job):
    """Segmentations of each block at some thresholds; see `SegmentsFunction`.

    arrays: names of the arrays and of their tables; made_from: digest of the edges' step
    """

    version: Version = 3
    fragments: OwnArray
    made_from: Annotated[str, Wording("the edges were made anew")]
    arrays: dict[str, str]
    apart: Apart

    def open(self, container: Path, worker: int) -> SegmentsFunction:
        """Ready to be called."""
        return SegmentsFunction(self, container)


class SegmentsFunction:
    """Segmentations (*block.write.shape) of each block: fragments looked up in the table of each
    threshold."""

    def __init__(self, job: SegmentsJob, container: Path) -> None:
        self.fragments, self.apart = job.fragments.open(container), job.apart
        self.tables = {
            name: open_table(container, table, made_from=job.made_from)
            for name, table in job.arrays.items()
        }

    def read(self, block: Block) -> NDArray[Any]:
        """The block's fragments."""
        return self.fragments.read(block.write)

    def compute(self, block: Block, source: NDArray[Any]) -> Output:
        """A block's fragments are its own, so a slice of each table is all it needs."""
        first = np.uint64(block.index * self.apart)
        return Output(
            {
                name: relabel(
                    source, np.arange(1, len(segments) + 1, dtype=np.uint64) + first, segments
                )
                for name, segments in (
                    (name, table.of_block(block.index)) for name, table in self.tables.items()
                )
            }
        )
