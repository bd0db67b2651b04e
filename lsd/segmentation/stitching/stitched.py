"""The stitched volume, piece by piece: each of its voxels is read from the block that it belongs
to, and written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.arrays.lookup import relabel
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import step_folder
from lsd.segmentation.stitching import labels, names
from lsd.segmentation.stitching.blocks import LabelledBlocks
from lsd.segmentation.stitching.labels import LABEL, labels_job
from lsd.segmentation.stitching.names import NAME
from lsd.segmentation.stitching.own import owners
from lsd.spec.effect import Wording

STEP = "stitched"


class StitchedJob(Job):
    """The volume; see `StitchedFunction`.  made_from: digest of the names' step; array: its
    name."""

    version: Version = 1
    made_from: Annotated[str, Wording("objects were named anew")]
    array: str

    def open(self, container: Path, worker: int) -> StitchedFunction:
        """Ready to be called."""
        blocks = labels_job(container).blocks.open(container)
        return StitchedFunction(self.array, blocks, container)

    def changed(self, container: Path) -> list[str]:
        """Blocks that are no longer what they were."""
        return labels_job(container).changed(container)


class Part(NamedTuple):
    """Labels of one block in part of a piece of the volume.

    number: of the block
    place: of the part in the piece; is_own: where it belongs to the block
    """

    number: int
    place: tuple[slice, ...]
    labels: NDArray[Any]
    is_own: NDArray[np.bool_]


class StitchedFunction:
    """Objects (*block.write.shape), uint64; 0 where no block is."""

    def __init__(self, array: str, blocks: LabelledBlocks, container: Path) -> None:
        self.array, self.blocks = array, blocks
        self.labels = read_ledger(step_folder(container, labels.STEP))
        self.names = read_ledger(step_folder(container, names.STEP))
        self.first = np.concatenate([[0], np.cumsum(self.labels.records["count"], dtype=np.int64)])

    def read(self, block: Block) -> list[Part]:
        """Of each block that is there what belongs to it, and no more than the box around that."""
        boxes = self.blocks.boxes
        near = boxes.in_roi(block.write)
        labelled = self.blocks.labelled if self.blocks.partial else None
        owner = owners(boxes, near, block.write, labelled=labelled)
        parts = [self._part(index, owner, block.write) for index in near]
        return [part for part in parts if part is not None]

    def compute(self, block: Block, source: list[Part]) -> Output:
        """Labels looked up in what stands of their block in the table."""
        volume = np.zeros(block.write.shape, np.uint64)
        for part in source:
            ids, objects = self._table(part.number)
            stitched = relabel(part.labels, ids, objects)
            np.copyto(volume[part.place], stitched, where=part.is_own)
        return Output({self.array: volume})

    def _part(self, index: int, owner: NDArray[np.int64], piece: Roi) -> Part | None:
        """What belongs to a block in a piece of the volume, of which `owner` says whose each voxel
        is; None where nothing does."""
        inside = self.blocks.boxes.roi(index).intersect(piece)
        is_own = owner[(inside - piece.begin).to_slices()] == index
        if not is_own.any():
            return None
        box = _box(is_own)
        begin = inside.begin + Coordinate(side.start for side in box)
        roi = Roi(begin, [side.stop - side.start for side in box])
        place = (roi - piece.begin).to_slices()
        return Part(index, place, self.blocks.read(index, roi), is_own[box])

    def _table(self, index: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The labels of a block, and their objects."""
        part = slice(int(self.first[index]), int(self.first[index + 1]))
        ids = self.labels.block_rows(index, LABEL)["id"]
        return ids, self.names.block_rows(0, NAME, part=part)["name"]


def _box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box with all that is set."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        where = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(where[0]), int(where[-1]) + 1))
    return tuple(box)
