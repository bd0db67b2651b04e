"""Error maps of a run's volumes: from predicted heads and segmentations on disk to an image and a
table of suspects, block by block.  No truth is read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from funlib.geometry import Roi

from lsd.blockwise.levels import make_levels
from lsd.blockwise.on_disk.container import delete_torn_files
from lsd.blockwise.on_disk.grid import chunk_shape, tile
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.lock import exclusive
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.on_disk.written import forget_other
from lsd.blockwise.running.checked import check_workers
from lsd.blockwise.running.run import prepare, run
from lsd.evaluation.error_map.blocks import ARRAY, DisagreementJob, SuspectsJob
from lsd.evaluation.error_map.suspects import (
    SUSPECT,
    Suspect,
    box_sides,
    suspect_of,
    worst,
    write_suspects,
)
from lsd.prediction.config_file import keep_config
from lsd.prediction.usage_file import noting_usage
from lsd.segmentation.decoders.decoder import chosen_threshold
from lsd.segmentation.disagreement import STEPS
from lsd.segmentation.on_disk.results import Segmented
from lsd.segmentation.on_disk.segments import SegmentsInput
from lsd.segmentation.predicted import LearnedHead, learned, prediction_input
from lsd.segmentation.results import open_results
from lsd.spec import Config, ErrorMap, paths
from lsd.spec.paths import data_root
from lsd.spec.plurals import counted
from lsd.targets.sections import reach_for, whole_strides
from lsd.targets.target import check_of_labels
from lsd.volumes.create import create_array
from lsd.volumes.find import expand
from lsd.volumes.inputs import OwnArray, VolumeInput
from lsd.volumes.levels import How
from lsd.volumes.units import lengths
from lsd.volumes.volume import needs_nm, open_volume

log = logging.getLogger(__name__)
Progress = Callable[[str], object]


@noting_usage("error_map")
def error_maps(config: Config, *, progress: Progress = log.info) -> list[Path]:
    """Compares what was predicted of each volume of predict.volumes with its segmentation; returns
    the tables of suspects, in that order.

    runs/<name>/error_map/<volume>.zarr holds the image `disagreement`, uint8 whose 0..255 mean 0..1
    (see `lsd.segmentation.disagreement`), <volume>.csv beside it the places where a segment
    disagrees most, worst first.  What is done stays done; neither the number of workers nor an
    interruption changes a value, the size of blocks hardly.

    Raises ValueError if a prediction or a segmentation is missing, the head learns from more than
    labels, or error_map.threshold is set of a decoder that has none; BlocksFailed where blocks
    failed.
    """
    config = expand(config)
    check_workers(config.error_map.workers, section="error_map")
    threshold = compared_threshold(config)
    volumes = [
        open_compared(config, name, threshold)
        for name in config.dataset.named(config.predict.volumes)
    ]
    keep_config(config, sections=("segment", "error_map"))
    return [_compare(volume, progress) for volume in volumes]


def compared_threshold(config: Config) -> float | None:
    """That of the segmentation that is compared; None: the decoder has none."""
    return chosen_threshold(config, config.error_map.threshold, field="error_map.threshold")


@dataclass(frozen=True)
class Compared:
    """A volume whose prediction and segmentation, at a threshold, are to be compared; None: it has
    none."""

    config: Config
    name: str
    threshold: float | None
    head: LearnedHead
    segmented: Segmented

    @property
    def settings(self) -> ErrorMap:
        """How."""
        return self.config.error_map

    @property
    def by_image(self) -> bool:
        """Whether its sections are images of their own."""
        return self.config.dataset.volumes()[self.name].images is not None

    @property
    def images(self) -> VolumeInput | None:
        """Where these lie."""
        spec, root = self.config.dataset.volumes()[self.name], data_root(self.config)
        if not self.by_image:
            return None
        return VolumeInput.inside(open_volume(spec, name=self.name, data_root=root), root)

    @property
    def path(self) -> Path:
        """Of the container."""
        return paths.error_map(self.config, self.name)

    @property
    def roi(self) -> Roi:
        """Where both are, voxels."""
        array = self.head.array
        roi: Roi = self.segmented.array.on_grid(array.remainder).roi.intersect(array.roi)
        return roi

    def segments(self) -> SegmentsInput:
        """The segmentation as blocks read it."""
        revision = self.config.segment.revision
        return self.segmented.in_blocks(self.roi, self.path, revision=revision)


def open_compared(config: Config, name: str, threshold: float | None) -> Compared:
    """Raises ValueError where one of both is missing, or they cannot be compared."""
    head = learned(config, name, config.error_map.head)
    if not head.array.calibrated:
        raise ValueError(f"volume {name!r}: {needs_nm('an error map')}")
    try:
        check_of_labels(head.target)
    except ValueError as error:
        raise ValueError(f"error_map.head names {config.error_map.head!r}: {error}") from error
    segmented = open_results(config, name).at(threshold)
    return Compared(config, name, threshold, head, segmented)


def _compare(volume: Compared, progress: Progress) -> Path:
    path = paths.suspects(volume.config, volume.name)
    with exclusive(volume.path) as killed:
        if killed:
            delete_torn_files(volume.path)
        # whoever is stopped before the end has none, rather than those of another map
        path.unlink(missing_ok=True)
        segments = volume.segments()
        step = _map_step(volume, segments)
        forget_other(step)
        prepare(step)
        _create(volume, step)
        _run(volume, step, progress)
        means: dict[str, How] = {ARRAY: "mean"}
        for summary in make_levels(
            step,
            means,
            levels=volume.settings.levels,
            by_image=volume.by_image,
            workers=volume.settings.workers,
            title=f"{volume.name} {step.name}",
        ):
            progress(f"{volume.name}: {summary}")
        listed = _suspects(volume, _suspects_step(volume, segments, step), progress)
    write_suspects(listed, path)
    progress(f"{volume.name}: {counted(len(listed), 'suspect')} in {path}")
    return path


def _map_step(volume: Compared, segments: SegmentsInput) -> Step:
    head, roi = volume.head, volume.roi
    job = DisagreementJob(
        head=prediction_input(head.array, revision=volume.config.segment.revision),
        segmentation=segments,
        target=head.target,
        dims=head.dims,
        images=volume.images,
    )
    context = reach_for(head.target, head.array.voxel_size, dims=head.dims)
    shape = whole_strides(volume.settings.block[-roi.dims :], head.target, dims=head.dims)
    grid = tile(roi, shape, step=(1,) * roi.dims, context=(context, context))
    return Step(ARRAY, volume.path, grid, job, arrays=(ARRAY,))


def _create(volume: Compared, step: Step) -> None:
    like = volume.head.array
    create_array(
        step.container,
        ARRAY,
        roi=step.grid.roi,
        voxel_size=like.voxel_size,
        remainder=like.remainder,
        calibrated=like.calibrated,
        dtype=np.uint8,
        chunks=chunk_shape(step.grid.write_shape),
        attributes={
            "range": [0, STEPS],
            "values": [0, 1],
            "head": volume.settings.head,
            "threshold": volume.threshold,
        },
    )


def _suspects_step(volume: Compared, segments: SegmentsInput, of: Step) -> Step:
    job = SuspectsJob(
        disagreement=OwnArray.of(volume.path, ARRAY),
        made_from=of.digest,
        segmentation=segments,
        cell=volume.settings.cell,
        count=volume.settings.suspects,
    )
    roi = of.grid.roi
    # a box, and the one beside it
    around = [2 * side for side in box_sides(job.cell, volume.head.array.voxel_size)]
    grid = tile(roi, of.grid.write_shape, step=(1,) * roi.dims, context=(around, around))
    return Step("suspects", volume.path, grid, job, rows=SUSPECT)


def _suspects(volume: Compared, step: Step, progress: Progress) -> list[Suspect]:
    """Of the whole volume, worst first."""
    forget_other(step)
    _run(volume, step, progress)
    rows = [part for _, part in read_ledger(step.folder).rows(SUSPECT, alone=True)]
    found = worst(np.concatenate([np.empty(0, SUSPECT), *rows]), volume.settings.suspects)
    array = volume.head.array
    origin = lengths((0,) * array.roi.dims, array.voxel_size, array.remainder)
    return [suspect_of(row, array.voxel_size, origin) for row in found]


def _run(volume: Compared, step: Step, progress: Progress) -> None:
    summary = run(step, workers=volume.settings.workers, title=f"{volume.name} {step.name}")
    progress(f"{volume.name}: {summary}")
