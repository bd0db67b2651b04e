"""Error sites of a segmentation on disk: looked for block by block, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.arrays.contingency import Contingency
from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.lock import exclusive
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.on_disk.written import forget_other
from lsd.blockwise.running.run import run
from lsd.evaluation.boundaries import read_compared
from lsd.evaluation.counting import (
    no_objects,
    no_objects_in_tables,
    objects_of,
    read_of_truth,
)
from lsd.evaluation.error_sites.placing import counted, placed
from lsd.evaluation.error_sites.sites import Site
from lsd.evaluation.error_sites.touching import (
    NEAREST,
    TOUCH,
    Aim,
    Voxels,
    best,
    nearest,
    together,
    touching,
)
from lsd.evaluation.error_sites.worst import Part, worst_parts
from lsd.evaluation.metric import Background
from lsd.evaluation.partition import scored_rows
from lsd.evaluation.scored import where_scored
from lsd.segmentation.on_disk.results import Segmented
from lsd.segmentation.on_disk.segments import SegmentsInput
from lsd.spec import Config, Evaluate
from lsd.spec.paths import data_root, run_folder
from lsd.volumes.inputs import Box, VolumeInput, box_of
from lsd.volumes.units import lengths
from lsd.volumes.volume import OpenVolume, open_volume

Rows = NDArray[np.void]


def sites_of_volume(
    config: Config,
    name: str,
    table: Contingency,
    *,
    segmented: Segmented,
    roi: Roi,
    labels: NDArray[np.uint64] | None = None,
) -> list[Site]:
    """The worst splits and merges of a segmentation of a volume, worst first: as many of each as
    evaluate.sites says, as `error_sites` finds them in arrays.

    table: what it shares with the truth in `roi` (voxels)
    labels: of pieces of the truth, which sites are then named by (`labels_of_pieces`)

    The table of overlaps says which they are; the volume is looked at twice for where they are,
    the second time only around them.  What was found of blocks stands in
    runs/<name>/evaluation/<volume>/blocks.
    """
    settings, spec = config.evaluate, config.dataset.volumes()[name]
    ignore, background = no_objects_in_tables(settings), _background(settings)
    parts = worst_parts(table, count=settings.sites, ignore=ignore, background=background)
    if not parts:
        return []
    volume = open_volume(spec, name=name, data_root=data_root(config))
    look = _Look(config, volume, segmented, roi, parts)
    found = placed(
        parts,
        table,
        look.touching,
        look.nearest,
        voxel_size=volume.voxel_size,
        offset=lengths((0,) * roi.dims, volume.voxel_size, volume.raw.remainder),
        scored=scored_rows(table, ignore=ignore, background=background),
    )
    if labels is None:
        return found
    return [
        replace(site, truth=tuple(int(labels[piece]) for piece in site.truth)) for site in found
    ]


class SitesJob(Job):
    """What is looked at for sites.

    roi:    that is scored
    ignore: labels of the truth that are left out
    boundary: nm from a boundary of the truth within which it is not compared; None: all is
    """

    segmentation: SegmentsInput
    truth: VolumeInput
    roi: Box
    use_mask: bool
    connected: bool
    ignore: tuple[int, ...]
    background: Background
    boundary: float | None
    parts: tuple[Part, ...]


class TouchJob(SitesJob):
    """What the parts touch in each block; see `TouchFunction`."""

    version: Version = 1

    def open(self, container: Path, worker: int) -> TouchFunction:
        """Ready to be called."""
        return TouchFunction(self)


class NearestJob(SitesJob):
    """The voxels that are aimed at in each block; see `NearestFunction`."""

    version: Version = 1
    aims: tuple[Aim, ...]

    def open(self, container: Path, worker: int) -> NearestFunction:
        """Ready to be called."""
        return NearestFunction(self, self.aims)


class SitesFunction:
    """What functions that look for sites read: a block and a voxel around it."""

    def __init__(self, job: SitesJob) -> None:
        self.volume, self.job = job.truth.open(), job
        self.segments = job.segmentation.open(self.volume.raw.remainder)

    def voxels(self, block: Block) -> Voxels:
        """Segments, objects and what is scored of them."""
        around = block.read.intersect(Roi(*self.job.roi))
        truth, known = read_compared(self.volume, around, boundary=self.job.boundary)
        by_image = self.volume.image_sizes is not None
        objects, mask = objects_of(
            truth,
            known=where_scored(self.volume, around, known, use_mask=self.job.use_mask),
            connected=self.job.connected,
            ignore=self.job.ignore,
            by_image=by_image,
        )
        # pieces have names of their own, and what is no object is not among what is known of them
        ignore = () if self.job.connected else self.job.ignore
        segments = self.segments.read(around)
        return Voxels(
            segments,
            objects.astype(np.uint64, copy=False),
            counted(segments, objects, known=mask, ignore=ignore, background=self.job.background),
            (block.write - around.begin).to_slices(),
            tuple(int(n) for n in around.begin),
            sections_touch=not by_image,
        )


class TouchFunction(SitesFunction):
    """Rows: the voxels of each part in a block, and its faces on others; what workers run."""

    def read(self, block: Block) -> Voxels:
        """The block and a voxel around it."""
        return self.voxels(block)

    def compute(self, block: Block, source: Voxels) -> Output:
        """In ascending order."""
        return Output(rows=touching(source, self.job.parts))


class NearestFunction(SitesFunction):
    """Rows: the voxel of each part in a block that is nearest to what is aimed at."""

    def __init__(self, job: SitesJob, aims: Sequence[Aim]) -> None:
        super().__init__(job)
        self.aims = aims

    def read(self, block: Block) -> Voxels | None:
        """The block and a voxel around it; None where nothing is aimed at in it."""
        near = any(_overlap(aim, block.write) for aim in self.aims)
        return self.voxels(block) if near else None

    def compute(self, block: Block, source: Voxels | None) -> Output:
        """In ascending order."""
        if source is None:
            return Output(rows=np.empty(0, NEAREST))
        size = self.volume.voxel_size
        return Output(rows=nearest(source, self.job.parts, self.aims, voxel_size=size))


class _Look:
    """Runs the steps that look at a volume for some parts."""

    def __init__(
        self,
        config: Config,
        volume: OpenVolume,
        segmented: Segmented,
        roi: Roi,
        parts: Sequence[Part],
    ) -> None:
        self.settings, self.volume = config.evaluate, volume
        self.segmented, self.roi, self.parts = segmented, roi, parts
        self.container = run_folder(config) / "evaluation" / volume.name
        self.revision, self.root = config.segment.revision, data_root(config)

    def touching(self) -> Rows:
        """Rows of TOUCH of the volume."""
        job = TouchJob(**self._inputs)
        return together(self._rows("sites_touch", job, TOUCH))

    def nearest(self, aims: Sequence[Aim]) -> Rows:
        """Rows of NEAREST of the volume."""
        job = NearestJob(**self._inputs, aims=tuple(aims))
        return best(self._rows("sites_place", job, NEAREST))

    @cached_property
    def _inputs(self) -> dict[str, Any]:
        """Made once: the state of many chunks is looked at."""
        settings, boundary = self.settings, self.settings.metric.left_out_at_boundaries
        read = read_of_truth(self.volume, self.roi, boundary)
        with exclusive(self.container):
            segments = self.segmented.in_blocks(self.roi, self.container, revision=self.revision)
        return {
            "segmentation": segments,
            "truth": VolumeInput.truth(self.volume, self.root, roi=read),
            "roi": box_of(self.roi),
            "use_mask": settings.use_mask,
            "connected": settings.connected,
            "ignore": tuple(sorted(no_objects(settings))),
            "background": _background(settings),
            "boundary": boundary,
            "parts": tuple(self.parts),
        }

    def _rows(self, name: str, job: SitesJob, dtype: np.dtype[np.void]) -> Rows:
        dims = self.roi.dims
        whole = self.settings.connected
        shape = self.roi.shape if whole else self.settings.block[-dims:]
        beside = Coordinate((0 if whole else 1,) * dims)
        grid = tile(self.roi, shape, step=(1,) * dims, context=(beside, beside))
        step = Step(name, self.container, grid, job, rows=dtype)
        with exclusive(self.container):
            forget_other(step)
            run(step, workers=self.settings.workers, title=f"{self.volume.name} {name}")
            rows = [part for _, part in read_ledger(step.folder).rows(dtype, alone=True)]
        return np.concatenate([np.empty(0, dtype), *rows])


def _background(settings: Evaluate) -> Background:
    """What segment 0 is: to metrics that have a background nothing that holds or cuts objects."""
    return "ignore" if settings.metric.has_background else settings.background


def _overlap(aim: Aim, roi: Roi) -> bool:
    places = zip(aim.first[-roi.dims :], aim.last[-roi.dims :], roi.begin, roi.end, strict=True)
    return all(first < end and begin <= last for first, last, begin, end in places)
