"""A volume from its labelled blocks: the steps, one after another, into one container.

    labels -> joins -> names -> stitched

Each is made from the one before, whose digest it notes, so what is done stays done, and nothing is
taken for what it is not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.blockwise.levels import make_levels
from lsd.blockwise.on_disk.container import partial_of, working
from lsd.blockwise.on_disk.grid import Grid, chunk_shape, tile
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import Step, step_folder
from lsd.blockwise.running.run import prepare, run
from lsd.segmentation.stitching import joins, labels, names, stitched
from lsd.segmentation.stitching.blocks import BlockFiles, Blocks, LabelledBlocks
from lsd.segmentation.stitching.boxes import Boxes
from lsd.segmentation.stitching.joins import JOIN, JoinsJob
from lsd.segmentation.stitching.labels import LABEL, LabelsJob, labels_job, one_by_one
from lsd.segmentation.stitching.names import NAME, NamesJob
from lsd.segmentation.stitching.stitched import StitchedJob
from lsd.spec import Stitch, Workers
from lsd.spec.plurals import are, counted, some
from lsd.volumes.array import text
from lsd.volumes.create import create_array, refuse_same

log = logging.getLogger(__name__)

# voxels that are written at once, along each axis
PIECE = {2: 1024, 3: 128}
ARRAY = "segmentation"
# blocks that a line names
_NAMED = 5
Progress = Callable[[str], object]


@dataclass(frozen=True)
class Stitched:
    """What came of it: how many blocks there are and pairs of them that were compared, labels of
    all blocks, pairs of labels that are one, and objects, whose ids are 1..objects."""

    blocks: int
    pairs: int
    labels: int
    joins: int
    objects: int


def stitch_files(
    blocks: BlockFiles, target: Path, *, settings: Stitch, progress: Progress = log.info
) -> Stitched:
    """Stitches blocks in files to `segmentation` of the zarr folder `target`.

    An earlier result of other blocks stays there until the new one is whole.  Raises ValueError
    where the output would lie in the input, and what `write_stitched` raises.
    """
    refuse_same(target, {str(Path(blocks.folder) / file.path) for file in blocks.files})
    for line in other_blocks(blocks, begun(target)):
        progress(line)
    first = steps(blocks, target, settings=settings)[0]
    with working(target, first, elsewhere="name another output") as container:
        return write_stitched(blocks, container, settings=settings, progress=progress)


def write_stitched(
    blocks: Blocks,
    container: Path,
    *,
    settings: Stitch,
    made_from: str = "",
    array: str = ARRAY,
    progress: Progress = log.info,
) -> Stitched:
    """Stitches blocks to an array of `container`, which this process may write (see `working`).

    made_from: digest of the step that wrote the blocks, where one of the container did
    The result is the same for any number of workers, any order of blocks, and after any
    interruption.  Raises BlocksFailed where blocks failed, ValueError where the container holds
    what cannot be gone on with.
    """
    opened = blocks.open(container)
    pairs = opened.boxes.pairs(touching=settings.touching)
    for line in overview(blocks, opened.boxes, pairs):
        progress(line)
    counting, joining, naming, writing = steps(
        blocks, container, settings=settings, made_from=made_from, array=array
    )
    _run(counting, settings.workers, progress)
    _run(joining, settings.workers, progress)
    _run(naming, Workers(), progress)
    label_count, joined = (
        int(read_ledger(step.folder).records["count"].sum()) for step in (counting, joining)
    )
    objects = int(read_ledger(naming.folder).block_rows(0, NAME)["name"].max(initial=0))
    progress(
        f"{counted(label_count, 'label')} in the blocks, {counted(joined, 'pair')} of them joined: "
        f"{counted(objects, 'object')}"
    )
    _write(writing, opened, settings, progress)
    return Stitched(len(opened.boxes), len(pairs), label_count, joined, objects)


def steps(
    blocks: Blocks,
    container: Path,
    *,
    settings: Stitch,
    made_from: str = "",
    array: str = ARRAY,
) -> tuple[Step, Step, Step, Step]:
    """What is done, one after another; made_from and array: see `write_stitched`.  Raises
    ValueError where `settings.piece` has another number of axes than the blocks."""
    opened = blocks.open(container)
    in_line = one_by_one(len(opened.boxes))
    labelled = LabelsJob(blocks=blocks, made_from=made_from)
    counting = Step(labels.STEP, container, in_line, labelled, rows=LABEL)
    joined = JoinsJob(made_from=counting.digest, rule=settings.rule, touching=settings.touching)
    joining = Step(joins.STEP, container, in_line, joined, rows=JOIN)
    named = NamesJob(made_from=joining.digest)
    naming = Step(names.STEP, container, one_by_one(1), named, rows=NAME)
    written = StitchedJob(made_from=naming.digest, array=array)
    grid = volume_grid(opened.region, settings.piece)
    return counting, joining, naming, Step(stitched.STEP, container, grid, written, arrays=(array,))


def begun(target: Path) -> Path:
    """The container that a run for `target` goes on with, if there is one."""
    return partial_of(target) if partial_of(target).exists() else target


def other_blocks(blocks: Blocks, container: Path) -> list[str]:
    """How the blocks of an earlier run that stands in `container` differ from these, in lines."""
    if not (step_folder(container, labels.STEP) / "step.json").exists():
        return []
    others = blocks.others(labels_job(container).blocks)
    return [f"since the earlier run: {some(others, _NAMED)}"] if others else []


def overview(blocks: Blocks, boxes: Boxes, pairs: NDArray[np.int64]) -> list[str]:
    """What there is to be stitched, in lines: how many blocks, and which of them are alone."""
    lines = [
        f"{counted(len(boxes), 'block')} in {text(boxes.hull)}, of which "
        f"{counted(len(pairs), 'pair')} {are(len(pairs))} compared"
    ]
    alone = np.setdiff1d(np.arange(len(boxes)), pairs).tolist()
    if alone and len(boxes) > 1:
        named = some([blocks.title(index) for index in alone], _NAMED)
        lines.append(
            f"{counted(len(alone), 'block')} without any overlap, whose labels are joined with "
            f"none: {named}"
        )
    return lines


def volume_grid(region: Roi, piece: Sequence[int] | None) -> Grid:
    """The pieces of the volume that are written at once."""
    most = piece or (PIECE[region.dims],) * region.dims
    if len(most) != region.dims:
        raise ValueError(
            f"piece has {len(most)} numbers, the blocks {region.dims} axes; give one each"
        )
    shape = [min(n, size) for n, size in zip(region.shape, most, strict=True)]
    none = (0,) * region.dims
    return tile(region, shape, step=(1,) * region.dims, context=(none, none))


def _run(step: Step, workers: Workers, progress: Progress) -> None:
    summary = run(step, workers=workers, title=step.name)
    if len(step.grid) == 1:
        return
    before = f", {summary.skipped} done before" if summary.skipped else ""
    blocks = f"{counted(summary.done, 'block')} done{before}, {summary.seconds:.0f} s"
    progress(f"{step.name}: {blocks if summary.done else 'all done before'}")


def _write(step: Step, blocks: LabelledBlocks, settings: Stitch, progress: Progress) -> None:
    """The volume, and coarser levels of it."""
    prepare(step)
    [array] = step.arrays
    create_array(
        step.container,
        array,
        roi=step.grid.roi,
        voxel_size=blocks.voxel_size,
        remainder=blocks.remainder,
        calibrated=blocks.calibrated,
        dtype=np.uint64,
        labels=True,
        chunks=chunk_shape(step.grid.write_shape),
        attributes={"rule": settings.rule.model_dump(mode="json"), "touching": settings.touching},
    )
    _run(step, settings.workers, progress)
    for summary in make_levels(
        step, {array: "majority"}, levels=settings.levels, workers=settings.workers, title=step.name
    ):
        progress(str(summary))
