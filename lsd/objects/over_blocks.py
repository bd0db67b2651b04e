"""Objects of a volume on disk, block by block: first their measures, then a point of each, which is
chosen by where the centroid of the whole object lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from pydantic import Field

from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import step_folder
from lsd.objects.measures import MEASURE, measures, together
from lsd.objects.points import DEEPEST, deepest
from lsd.segmentation.over_blocks.objects import StepName
from lsd.spec.effect import Wording
from lsd.volumes.inputs import ArrayInput, VolumeInput


class MeasuresJob(Job):
    """How large the objects of each block are; see `MeasuresFunction`.

    foreground: how surely each voxel is of an object
    """

    version: Version = 1
    segmentation: ArrayInput
    foreground: ArrayInput

    def open(self, container: Path, worker: int) -> MeasuresFunction:
        """Ready to be called."""
        return MeasuresFunction(self)


class MeasuresFunction:
    """Rows: the measures of the objects of each block."""

    def __init__(self, job: MeasuresJob) -> None:
        self.segmentation, self.foreground = job.segmentation.open(), job.foreground.open()

    def read(self, block: Block) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        """Ids and confidence of the block."""
        ids, confidence = (
            array.read(block.write) for array in (self.segmentation, self.foreground)
        )
        return ids.astype(np.uint64, copy=False), confidence.astype(np.float32, copy=False)

    def compute(
        self, block: Block, source: tuple[NDArray[np.uint64], NDArray[np.float32]]
    ) -> Output:
        """Of each of its objects."""
        begin = block.write.begin - self.segmentation.roi.begin
        return Output(rows=measures(*source, begin=begin))


class PointsJob(Job):
    """The deepest voxel of each object in each block; see `PointsFunction`.

    measures: name of the step whose rows say where objects have their centroids; made_from: its
              digest
    depth:    nm up to which it matters how far a voxel lies from the border of its object
    in_xy:    objects end with their section
    images:   the volume whose sections are images of their own, whose borders are none of an
              object; None: they are not
    """

    version: Version = 1
    segmentation: ArrayInput
    measures: StepName
    made_from: Annotated[str, Wording("the objects were measured anew")]
    depth: float
    in_xy: bool = False
    # not written where they are none: jobs of before had no such field
    images: Annotated[
        VolumeInput | None,
        Wording("images were not looked at one by one"),
        Field(exclude_if=lambda images: images is None),
    ] = None

    def open(self, container: Path, worker: int) -> PointsFunction:
        """Ready to be called."""
        return PointsFunction(self, container)


class Around(NamedTuple):
    """Ids of a block and around it, and where the block lies in them; own: which voxels it has."""

    labels: NDArray[np.uint64]
    inside: tuple[slice, ...]
    own: Roi


class PointsFunction:
    """Rows: the best voxel of each object in each block."""

    def __init__(self, job: PointsJob, container: Path) -> None:
        self.job, self.segmentation = job, job.segmentation.open()
        self.objects = measured(step_folder(container, job.measures))
        remainder, images = self.segmentation.remainder, job.images
        self.images = None if images is None else images.open().on_grid(remainder)

    def read(self, block: Block) -> list[Around]:
        """As far around the block as it matters how far the border is; of images one by one."""
        roi = block.read.intersect(self.segmentation.roi)
        parts = [roi] if self.images is None else self.images.image_rois(roi)
        return [
            Around(
                self.segmentation.read(part).astype(np.uint64, copy=False),
                tuple((own - part.begin).to_slices()),
                own,
            )
            for part in parts
            if not (own := block.write.intersect(part)).empty
        ]

    def compute(self, block: Block, source: list[Around]) -> Output:
        """Of each of its objects."""
        rows = [
            deepest(
                around.labels,
                self.objects,
                inside=around.inside,
                begin=around.own.begin - self.segmentation.roi.begin,
                voxel_size=self.segmentation.voxel_size,
                depth=self.job.depth,
                in_xy=self.job.in_xy,
            )
            for around in source
        ]
        return Output(rows=np.concatenate([np.empty(0, DEEPEST), *rows]))


def measured(folder: Path) -> NDArray[Any]:
    """Rows of MEASURE of all objects, ascending, from the folder of a step that measured them."""
    return together(rows_of(folder, MEASURE))


def rows_of(folder: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    """All rows of a step, which are all that its blocks gave."""
    parts = [part for _, part in read_ledger(folder).rows(dtype, alone=True)]
    return np.concatenate([np.empty(0, dtype), *parts])
