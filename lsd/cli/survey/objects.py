"""What segmenting objects at located points would do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from lsd.blockwise.on_disk.inspect import status
from lsd.cli.survey.words import amount, made_anew, times
from lsd.objects.locator import locator_of, table_path
from lsd.objects.results import other_than_asked
from lsd.objects.task import Task, task_of, wanted_of
from lsd.segmentation.stitching.run import begun
from lsd.spec import Config
from lsd.spec.paths import objects, run_folder
from lsd.spec.plurals import counted
from lsd.volumes.find import expand


def survey(config: Config, shared: bool) -> Iterator[str]:
    """Of each volume its points, the blocks that have any, which steps are done, and what would
    become of what was done otherwise."""
    config = expand(config)
    if config.seeds.asks_locator:
        run, folder = Path(str(config.seeds.locator)).name, run_folder(locator_of(config))
        yield f"run {run!r} locates; what is not done in {folder} is done first"
    wanted = wanted_of(config)
    yield f"{wanted.checkpoint} sees windows; decoder {config.segment.decoder.kind}"
    for name in config.dataset.named(config.predict.volumes):
        table = table_path(config, name)
        if config.seeds.asks_locator and not table.is_file():
            yield f"{name}: there is no {table} yet"
            continue
        yield from _volume(config, task_of(config, name, wanted))
    yield "nothing was changed"


def _volume(config: Config, task: Task) -> Iterator[str]:
    job, name = task.job, task.volume.name
    line = task.step(objects(config, name)).grid
    points = counted(len(task.seeds), "point")
    yield (
        f"{name}: {points} in {len(line) if len(task.seeds) else 0} of "
        f"{counted(len(job.grid), 'block')} of {times(job.block)}, each with {times(job.margin)} "
        f"voxels around it ({amount(8 * math.prod(line.write_shape))} of memory); windows of "
        f"{times(job.window)}, at least one a point"
    )
    container = begun(objects(config, name))
    steps = status(container) if (container / "blocks").exists() else []
    for step in steps:
        running = f", {step.running}" if step.running else ""
        yield f"  {step.name}: {step.done} of {counted(step.blocks, 'block')} done{running}"
    if not steps:
        yield "  no step is begun"
    differences = other_than_asked(config, task, container)
    if other := made_anew(differences, is_partial=container != objects(config, name)):
        yield f"  {other}"
