"""What stitching would do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from lsd.blockwise.on_disk.container import partial_of
from lsd.blockwise.on_disk.inspect import status
from lsd.blockwise.on_disk.step import load_step
from lsd.cli.survey.words import amount, times
from lsd.segmentation.stitching.blocks import BlockFiles
from lsd.segmentation.stitching.run import first_step, overview, volume_grid
from lsd.spec import Stitch
from lsd.spec.plurals import counted


def survey(blocks: BlockFiles, target: Path, settings: Stitch) -> Iterator[str]:
    """The blocks, the rule, the volume, and which steps are done."""
    boxes = blocks.open(target).boxes
    yield from overview(blocks, boxes, boxes.pairs(touching=settings.touching))
    sizes = sorted({tuple(file.shape) for file in blocks.files}, key=math.prod)
    extent = times(sizes[0]) if len(sizes) == 1 else f"{times(sizes[0])} to {times(sizes[-1])}"
    yield f"blocks of {extent}, voxels of {times(blocks.voxel_size)} nm; {settings.rule}"
    grid = volume_grid(boxes.hull, settings.piece)
    yield (
        f"{target}: {times(grid.roi.shape)} in {counted(len(grid), 'piece')} of at most "
        f"{times(grid.write_shape)}, {amount(8 * math.prod(grid.roi.shape))} before compression; "
        f"{counted(settings.workers.count or 1, 'process')}"
    )
    yield from _done(blocks, target)
    yield "nothing was changed"


def _done(blocks: BlockFiles, target: Path) -> Iterator[str]:
    container = partial_of(target) if partial_of(target).exists() else target
    step = first_step(blocks, container)
    if not (step.folder / "step.json").exists():
        yield "no step is begun"
        return
    for one in status(container):
        running = f", {one.running}" if one.running else ""
        yield f"  {one.name}: {one.done} of {counted(one.blocks, 'block')} done{running}"
    differing = step.differs(load_step(step.folder))
    if differing:
        yield f"it is of other blocks, and would be made anew: {'; '.join(differing)}"
