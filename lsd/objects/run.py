"""The objects of a run's volumes: from the predicted heads on disk to a table of each volume."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from funlib.geometry import Roi

from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.on_disk.lock import exclusive
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.checked import check_workers
from lsd.blockwise.running.run import run
from lsd.objects.locate import located_of, of_size
from lsd.objects.located import Located
from lsd.objects.measures import MEASURE
from lsd.objects.over_blocks import MeasuresJob, PointsJob, rows_of
from lsd.objects.points import DEEPEST
from lsd.objects.tables import check_writable, write_located
from lsd.prediction.config_file import keep_config
from lsd.prediction.usage_file import noting_usage
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.on_disk.results import Results, segmentation_input
from lsd.segmentation.over_blocks.inputs import segmentation_grid
from lsd.segmentation.results import open_results
from lsd.segmentation.run import Task, segment_volume, task_of
from lsd.segmentation.threshold import chosen
from lsd.spec import Config, Segment
from lsd.spec.paths import located, run_folder
from lsd.spec.plurals import counted
from lsd.volumes.array import Array
from lsd.volumes.find import expand
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.units import lengths
from lsd.volumes.volume import needs_nm

log = logging.getLogger(__name__)
Progress = Callable[[str], object]


@dataclass(frozen=True)
class _Volume:
    """A segmented volume whose objects are to be listed."""

    config: Config
    name: str
    results: Results
    threshold: float
    settings: Segment
    images: VolumeInput | None

    @property
    def container(self) -> Path:
        """Where the rows of its blocks stand."""
        return run_folder(self.config) / "located" / self.name


@noting_usage("locate")
def locate(config: Config, *, progress: Progress = log.info) -> list[Path]:
    """Lists the objects of every volume of predict.volumes; returns the tables, in that order.

    runs/<name>/located/<volume>.csv (or .parquet) holds a row for each object of the segmentation
    at locate.threshold: see `lsd.objects.located.Located`.  The segmentation is made first, as far
    as it is not there; an object that crosses faces of blocks is one.  What is done stays done, and
    neither the number of workers, the blocks nor an interruption changes a row.

    Raises ValueError if a prediction is missing, a volume has no voxel size, and where the decoder
    does not say how surely a voxel is of an object; BlocksFailed where blocks failed.
    """
    config = expand(config)
    check_workers(config.locate.workers, section="locate")
    check_decoder(config)
    threshold = chosen_threshold(config)
    volumes = config.dataset.named(config.predict.volumes)
    for name in volumes:
        check_writable(located(config, name))
    tasks = [
        task_of(config, name, volume, thresholds=(threshold,)) for name, volume in volumes.items()
    ]
    for task in tasks:
        if not task.prediction.calibrated:
            raise ValueError(f"volume {task.name!r}: {needs_nm('a table of objects')}")
    keep_config(config, sections=("segment", "locate"))
    return [_locate(task, threshold, progress) for task in tasks]


def check_decoder(config: Config) -> None:
    """ValueError for a decoder that does not say how surely a voxel is of an object."""
    if not decoder_of(config.segment).has_foreground:
        raise ValueError(
            f"segment.decoder {config.segment.decoder.kind!r} does not say how surely a voxel is "
            f"of an object, which locating goes by; take components or consensus"
        )


def chosen_threshold(config: Config) -> float:
    """That of the config, else the one that validation picked.  ValueError where there is none."""
    return chosen(config, config.locate.threshold, field="locate.threshold")


def _locate(task: Task, threshold: float, progress: Progress) -> Path:
    segment_volume(task, progress=progress)
    results = open_results(task.config, task.name)
    inputs = task.inputs
    volume = _Volume(task.config, task.name, results, threshold, inputs.settings, inputs.images)
    with exclusive(volume.container):
        table = _table(volume, progress)
    path, locate = located(task.config, task.name), task.config.locate
    listed = of_size(table, min_size=locate.min_size, max_size=locate.max_size)
    write_located(listed, path)
    progress(
        f"{task.name}: {counted(len(listed), 'object')} in {path}"
        + (
            f", {len(table) - len(listed)} of other sizes left out"
            if len(listed) < len(table)
            else ""
        )
    )
    return path


def _table(volume: _Volume, progress: Progress) -> Located:
    """All objects, whatever their size; runs what is not done of its steps."""
    measures = _measures(volume)
    _run(volume, measures, progress)
    points = _points(volume, measures)
    _run(volume, points, progress)
    array = volume.results.array
    return located_of(
        rows_of(measures.folder, MEASURE),
        rows_of(points.folder, DEEPEST),
        voxel_size=array.voxel_size,
        offset=lengths(array.roi.begin, array.voxel_size, array.remainder),
    )


def _run(volume: _Volume, step: Step, progress: Progress) -> None:
    workers = volume.config.locate.workers
    summary = run(step, workers=workers, title=f"{volume.name} {step.name}")
    if len(step.grid) > 1:
        progress(f"{volume.name}: {summary}")


def _measures(volume: _Volume) -> Step:
    foreground, revision = volume.results.foreground, volume.settings.revision
    assert foreground is not None, "the decoder was asked"
    segmented, roi = volume.results.at(volume.threshold), volume.results.array.roi
    job = MeasuresJob(
        segmentation=segmented.as_input(roi, revision=revision),
        foreground=segmentation_input(
            foreground, roi, made_from=segmented.made_from, revision=revision
        ),
    )
    grid = segmentation_grid(roi, volume.settings)
    no_context = (0,) * roi.dims
    blocks = tile(roi, grid.compute_shape, step=(1,) * roi.dims, context=(no_context, no_context))
    return Step(_title("measures", volume), volume.container, blocks, job, rows=MEASURE)


def _points(volume: _Volume, measures: Step) -> Step:
    job, array = measures.job, volume.results.array
    assert isinstance(job, MeasuresJob), "it was made here"
    in_xy = volume.settings.objects.connectivity in (4, 8)
    depth = _depth(volume.settings, array, in_xy=in_xy)
    beside = [ceil(depth / size) + 1 for size in array.voxel_size]
    around = (*(0 if in_xy else n for n in beside[:-2]), *beside[-2:])
    wanted = PointsJob(
        segmentation=job.segmentation,
        measures=measures.name,
        made_from=measures.digest,
        depth=depth,
        in_xy=in_xy,
        images=volume.images,
    )
    roi: Roi = array.roi
    grid = tile(roi, measures.grid.compute_shape, step=(1,) * roi.dims, context=(around, around))
    return Step(_title("points", volume), volume.container, grid, wanted, rows=DEEPEST)


def _depth(settings: Segment, array: Array, *, in_xy: bool) -> float:
    """nm that the context of a block reaches, along each axis that objects reach along.

    in_xy: they end with their section
    """
    axes = 2 if in_xy else array.roi.dims
    context, sizes = settings.context[-axes:], array.voxel_size[-axes:]
    return min(n * size for n, size in zip(context, sizes, strict=True))


def _title(name: str, volume: _Volume) -> str:
    # steps have no dots in their names
    return f"{name}_{volume.threshold!r}".replace(".", "_")


__all__ = ["locate"]
