"""Objects of a run's volumes at located points: blocks of them to disk, and stitched to one volume.

seeds -> labels -> joins -> names -> stitched
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lsd.blockwise.on_disk.container import working
from lsd.blockwise.on_disk.grid import chunk_shape
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.checked import check_workers
from lsd.blockwise.running.run import prepare, run
from lsd.objects.at_seeds import ARRAY, SEED, counts
from lsd.objects.task import Task, stitching, task_of, wanted_of
from lsd.prediction.config_file import keep_config
from lsd.prediction.usage_file import noting_usage
from lsd.segmentation.stitching.run import write_stitched
from lsd.spec import Config
from lsd.spec.paths import objects
from lsd.spec.plurals import counted
from lsd.system.allocator import keep_freed_memory
from lsd.volumes.create import create_array
from lsd.volumes.find import expand

log = logging.getLogger(__name__)
Progress = Callable[[str], object]


@noting_usage("objects", before=keep_freed_memory)
def segment_at_seeds(config: Config, *, progress: Progress = log.info) -> list[Path]:
    """Segments the objects at the located points of every volume of predict.volumes; returns the
    containers, in that order.

    runs/<name>/objects/<volume>.zarr holds `segmentation`, uint64, ids 1..n; in it blocks/seeds
    what became of each located point (rows of `at_seeds.SEED`).  A network sees a window around
    each point, and more where the object reaches the window's face; segment.decoder makes objects
    of what it says, and the one at the point is kept.  Blocks are those of config.seeds; one
    without a point costs nothing.  Neither the number of workers nor an interruption changes a
    value, and what is done stays done.

    progress: called with a line about what was done
    Raises ValueError where a table, the checkpoint or a volume is missing or does not fit,
    BlocksFailed where blocks failed.
    """
    config = expand(config)
    check_workers(config.seeds.workers, section="seeds")
    wanted = wanted_of(config)
    tasks = [task_of(config, name, wanted) for name in config.dataset.named(config.predict.volumes)]
    keep_config(config, sections=("dataset", "predict", "segment", "seeds"))
    return [_run(config, task, progress) for task in tasks]


def _run(config: Config, task: Task, progress: Progress) -> Path:
    target, name = objects(config, task.volume.name), task.volume.name
    with working(target, task.step(target)) as container:
        step = task.step(container)
        prepare(step)
        create_array(
            container,
            ARRAY,
            roi=step.grid.roi,
            voxel_size=task.volume.voxel_size,
            dtype=np.uint64,
            labels=True,
            chunks=chunk_shape(step.grid.write_shape),
            remainder=task.volume.raw.remainder,
            calibrated=task.volume.calibrated,
        )
        summary = run(step, workers=config.seeds.workers, title=f"{name} seeds")
        progress(f"{name}: {summary}")
        for line in _told(task, step):
            progress(f"{name}: {line}")
        write_stitched(
            task.blocks(container),
            container,
            settings=stitching(config.seeds, task.volume),
            made_from=step.digest,
            progress=lambda line: progress(f"{name}: {line}"),
        )
    return target


def _told(task: Task, step: Step) -> list[str]:
    """What became of the seeds."""
    rows = [rows for _, rows in read_ledger(step.folder).rows(SEED)]
    count, grid = counts(np.concatenate([np.empty(0, SEED), *rows])), task.job.grid
    share = count["predicted"] / int(grid.roi.size)
    lines = [
        f"{counted(len(task.seeds), 'located point')} in {len(step.grid)} of "
        f"{counted(len(grid), 'block')}; {count['found']} have an object",
        f"{counted(count['windows'], 'window')} of at most "
        f"{'x'.join(map(str, task.job.window))} voxels, {share:.1%} of the volume's",
    ]
    if count["cut"]:
        lines.append(
            f"{counted(count['cut'], 'object')} may go on beyond what was looked at; more "
            f"seeds.margin (now {'x'.join(map(str, task.job.margin))}) or windows (seeds.most, now "
            f"{task.job.most}) would show it"
        )
    return lines
