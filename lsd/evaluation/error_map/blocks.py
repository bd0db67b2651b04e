"""Blocks of an error map: how far a prediction is from a segmentation, and where segments disagree
most."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from funlib.geometry import Coordinate
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.output import Output
from lsd.evaluation.error_map.suspects import box_sides, suspects
from lsd.segmentation.disagreement import as_steps, disagreement
from lsd.segmentation.kernels.prediction import Prediction, range_of
from lsd.segmentation.on_disk.segments import SegmentsInput
from lsd.segmentation.predicted import channels_of
from lsd.spec import Target
from lsd.spec.effect import Wording
from lsd.volumes.inputs import ArrayInput, OwnArray

ARRAY = "disagreement"


class DisagreementJob(Job):
    """How far each block of a prediction is from a segmentation; see `DisagreementFunction`.

    dims: axes of the network, which saw section by section where they are fewer
    """

    version: Version = 2
    head: ArrayInput
    segmentation: SegmentsInput
    target: Target
    dims: int

    def open(self, container: Path, worker: int) -> DisagreementFunction:
        """Ready to be called."""
        return DisagreementFunction(self)


class SuspectsJob(Job):
    """Where segments disagree most in each block; see `SuspectsFunction`."""

    version: Version = 1
    disagreement: OwnArray
    made_from: Annotated[str, Wording("the disagreement was computed anew")]
    segmentation: SegmentsInput
    cell: float
    count: int

    def open(self, container: Path, worker: int) -> SuspectsFunction:
        """Ready to be called."""
        return SuspectsFunction(self, container)


class Source(NamedTuple):
    """Of a block what was predicted, or how far that is from the segmentation, and the segments of
    the block and around it; begin: the first voxel of these."""

    values: NDArray[Any]
    segments: NDArray[np.uint64]
    begin: Coordinate


class DisagreementFunction:
    """Disagreement of each block, uint8; what workers run."""

    def __init__(self, job: DisagreementJob) -> None:
        self.job, self.head = job, job.head.open()
        self.segments = job.segmentation.open(self.head.remainder)

    def read(self, block: Block) -> Source:
        """Segments around the block, as far as the target looks."""
        around = block.read.intersect(self.segments.ids.roi)
        return Source(self.head.read(block.write), self.segments.read(around), around.begin)

    def compute(self, block: Block, source: Source) -> Output:
        """Only what lies in the block is compared."""
        prediction = Prediction.of(
            source.values,
            channels_of(self.job.target, self.job.dims),
            limits=range_of(self.head.source.handle.attrs),
            voxel_size=self.head.voxel_size,
        )
        apart = disagreement(
            prediction.predicted,
            source.segments,
            self.job.target,
            voxel_size=self.head.voxel_size,
            dims=self.job.dims,
            inside=(block.write - source.begin).to_slices(),
        )
        return Output({ARRAY: as_steps(apart)})


class SuspectsFunction:
    """Rows: the suspects of each block."""

    def __init__(self, job: SuspectsJob, container: Path) -> None:
        self.job, self.array = job, job.disagreement.open(container)
        self.segments = job.segmentation.open(self.array.remainder)
        self.sides = box_sides(job.cell, self.array.voxel_size)

    def read(self, block: Block) -> Source:
        """Two boxes around the block, too."""
        around = block.read.intersect(self.array.roi)
        return Source(self.array.read(around), self.segments.read(around), around.begin)

    def compute(self, block: Block, source: Source) -> Output:
        """Worst first."""
        rows = suspects(
            source.values,
            source.segments,
            sides=self.sides,
            begin=tuple(int(n) for n in source.begin),
            own=(block.write - source.begin).to_slices(),
            count=self.job.count,
        )
        return Output(rows=rows)
