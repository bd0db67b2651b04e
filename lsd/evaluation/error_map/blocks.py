"""Blocks of an error map: how far a prediction is from a segmentation, and where segments disagree
most."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray
from pydantic import Field

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
from lsd.volumes.inputs import ArrayInput, OwnArray, VolumeInput

ARRAY = "disagreement"


class DisagreementJob(Job):
    """How far each block of a prediction is from a segmentation; see `DisagreementFunction`.

    dims:   axes of the network, which saw section by section where they are fewer
    images: the volume whose sections are images of their own; None: they are not
    """

    version: Version = 2
    head: ArrayInput
    segmentation: SegmentsInput
    target: Target
    dims: int
    # not written where they are none: jobs of before had no such field
    images: Annotated[
        VolumeInput | None,
        Wording("images were not looked at one by one"),
        Field(exclude_if=lambda images: images is None),
    ] = None

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
    the block and around it; begin: the first voxel of these; own: what of the block it is."""

    values: NDArray[Any]
    segments: NDArray[np.uint64]
    begin: Coordinate
    own: Roi


class DisagreementFunction:
    """Disagreement of each block, uint8; what workers run."""

    def __init__(self, job: DisagreementJob) -> None:
        self.job, self.head = job, job.head.open()
        self.segments = job.segmentation.open(self.head.remainder)
        images = job.images
        self.images = None if images is None else images.open().on_grid(self.head.remainder)

    def read(self, block: Block) -> list[Source]:
        """Segments around the block, as far as the target looks; of images one by one, since each
        goes on beyond its own border."""
        around = block.read.intersect(self.segments.ids.roi)
        parts = [around] if self.images is None else self.images.image_rois(around)
        return [
            Source(self.head.read(own), self.segments.read(part), part.begin, own)
            for part in parts
            if not (own := block.write.intersect(part)).empty
        ]

    def compute(self, block: Block, source: list[Source]) -> Output:
        """Only what lies in the block is compared; 0 beyond images."""
        steps = np.zeros(block.write.shape, np.uint8)
        for part in source:
            steps[(part.own - block.write.begin).to_slices()] = as_steps(self._apart(part))
        return Output({ARRAY: steps})

    def _apart(self, source: Source) -> NDArray[np.float32]:
        prediction = Prediction.of(
            source.values,
            channels_of(self.job.target, self.job.dims),
            limits=range_of(self.head.source.handle.attrs),
            voxel_size=self.head.voxel_size,
        )
        return disagreement(
            prediction.predicted,
            source.segments,
            self.job.target,
            voxel_size=self.head.voxel_size,
            dims=self.job.dims,
            inside=(source.own - source.begin).to_slices(),
        )


class SuspectsFunction:
    """Rows: the suspects of each block."""

    def __init__(self, job: SuspectsJob, container: Path) -> None:
        self.job, self.array = job, job.disagreement.open(container)
        self.segments = job.segmentation.open(self.array.remainder)
        self.sides = box_sides(job.cell, self.array.voxel_size)

    def read(self, block: Block) -> Source:
        """Two boxes around the block, too."""
        around = block.read.intersect(self.array.roi)
        return Source(
            self.array.read(around), self.segments.read(around), around.begin, block.write
        )

    def compute(self, block: Block, source: Source) -> Output:
        """Worst first."""
        rows = suspects(
            source.values,
            source.segments,
            sides=self.sides,
            begin=tuple(int(n) for n in source.begin),
            own=(source.own - source.begin).to_slices(),
            count=self.job.count,
        )
        return Output(rows=rows)
