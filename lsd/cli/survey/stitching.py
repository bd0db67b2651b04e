"""What stitching would do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from lsd.blockwise.on_disk.inspect import status
from lsd.blockwise.on_disk.step import load_step
from lsd.cli.survey.words import amount, times
from lsd.segmentation.stitching.blocks import BlockFiles
from lsd.segmentation.stitching.run import begun, other_blocks, overview, steps
from lsd.spec import Stitch
from lsd.spec.plurals import counted


def survey(blocks: BlockFiles, target: Path, settings: Stitch) -> Iterator[str]:
    """The blocks, the rule, the volume, and which steps are done."""
    boxes = blocks.open(target).boxes
    yield from overview(blocks, boxes, boxes.pairs(touching=settings.touching))
    sizes = sorted({tuple(file.shape) for file in blocks.files}, key=math.prod)
    extent = times(sizes[0]) if len(sizes) == 1 else f"{times(sizes[0])} to {times(sizes[-1])}"
    size = f"voxels of {times(blocks.voxel_size)} nm" if blocks.calibrated else "no voxel size"
    yield f"blocks of {extent}, {size}; rule: {settings.rule}"
    grid = steps(blocks, target, settings=settings)[-1].grid
    yield (
        f"{target}: {times(grid.roi.shape)} in {counted(len(grid), 'piece')} of at most "
        f"{times(grid.write_shape)}, {amount(8 * math.prod(grid.roi.shape))} before compression; "
        f"{counted(settings.workers.count or 1, 'process')}"
    )
    yield from _done(blocks, target, settings)
    yield "nothing was changed"


def _done(blocks: BlockFiles, target: Path, settings: Stitch) -> Iterator[str]:
    container = begun(target)
    wanted = [
        step
        for step in steps(blocks, container, settings=settings)
        if (step.folder / "step.json").exists()
    ]
    if not wanted:
        yield "no step is begun"
        return
    for one in status(container):
        running = f", {one.running}" if one.running else ""
        yield f"  {one.name}: {one.done} of {counted(one.blocks, 'block')} done{running}"
    yield from other_blocks(blocks, container)
    differing = [line for step in wanted for line in step.differs(load_step(step.folder))]
    if differing:
        is_partial = container != target
        outcome = "refused, for the earlier run is not finished" if is_partial else "made anew"
        yield f"what is done otherwise would be {outcome}: {differing[0]}"
