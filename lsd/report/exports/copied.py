"""Images that are copied block by block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.report.images import ImageInput


class CopyJob(Job):
    """An image as an array of the container; see `CopyFunction`.

    array: what it is called there
    """

    image: ImageInput
    array: str

    def open(self, container: Path, worker: int) -> CopyFunction:
        """Ready to be called."""
        return CopyFunction(self)


class CopyFunction:
    """The voxels of each block."""

    def __init__(self, job: CopyJob) -> None:
        self.source, self.name = job.image.open(), job.array

    def read(self, block: Block) -> NDArray[Any]:
        """(c?, z, y, x), of the block."""
        return self.source.read(block.write)

    def compute(self, block: Block, source: NDArray[Any]) -> Output:
        """As they are."""
        return Output({self.name: source})
