"""Blocks that hold the objects of their own alone: each object whole, whoever has it."""

import numpy as np
import pytest
from cut_blocks import is_renaming
from funlib.geometry import Coordinate, Roi

from lsd.blockwise.on_disk.grid import chunk_shape, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.run import prepare, run
from lsd.segmentation.stitch import Rule, stitch
from lsd.segmentation.stitching.blocks import SideBySide, in_line, placed
from lsd.segmentation.stitching.boxes import boxes_of
from lsd.segmentation.stitching.run import write_stitched
from lsd.spec import Stitch, Workers
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.inputs import OwnArray

RULE = Rule()
REGION = Roi((5, -3, 10), (20, 24, 24))
GRID = tile(REGION, (10, 8, 8), step=(1, 1, 1), context=((6, 6, 6), (6, 6, 6)))


def scattered(seed, count=14):
    """Boxes of up to 7 voxels that touch now and then; the middle of each lies in one block."""
    rng = np.random.default_rng(seed)
    volume = np.zeros(REGION.shape, np.uint64)
    for label in range(1, count + 1):
        begin = [int(rng.integers(0, n - 3)) for n in volume.shape]
        inside = tuple(slice(b, b + int(rng.integers(2, 8))) for b in begin)
        volume[inside] = np.where(volume[inside] == 0, label, volume[inside])
    return volume


def own_blocks(volume):
    """What each block that is not empty holds: (number, labels) of the objects whose first voxel is
    in it."""
    blocks = {}
    for label in np.unique(volume)[1:]:
        first = REGION.begin + Coordinate(np.argwhere(volume == label)[0].tolist())
        number = next(block.index for block in GRID if block.write.contains(first))
        box = boxes_of(GRID).roi(number)
        held = volume[(box - REGION.begin).to_slices()]
        labels = blocks.setdefault(number, np.zeros(box.shape, np.uint64))
        labels[held == label] = label + 2**40
    return sorted(blocks.items())


@pytest.mark.parametrize("seed", range(5))
def test_arrays_of_partial_blocks_are_the_whole(seed) -> None:
    volume = scattered(seed)
    numbers, labels = zip(*own_blocks(volume), strict=True)
    boxes = boxes_of(GRID, numbers)
    stitched = stitch(labels, boxes.begins, rule=RULE, partial=True)
    inside = volume[(boxes.hull - REGION.begin).to_slices()]
    assert is_renaming(stitched, inside)
    # without it what a block does not know of is cut off
    whole = stitch(labels, boxes.begins, rule=RULE)
    assert np.count_nonzero(whole) < np.count_nonzero(stitched)


class PartialJob(Job):
    """Labels of the blocks that are not empty, one after another."""

    seed: int

    def open(self, container, worker):
        return self

    def read(self, block):
        return own_blocks(scattered(self.seed))[block.index][1]

    def compute(self, block, source):
        return Output({"blocks": placed(source, GRID)})


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_partial_blocks_on_disk_are_the_whole_region(tmp_path, workers) -> None:
    volume = scattered(1)
    numbers = [number for number, _ in own_blocks(volume)]
    assert len(numbers) < len(GRID)
    stored = in_line(GRID, len(numbers))
    step = Step("seeds", tmp_path / "a.zarr", stored, PartialJob(seed=1), arrays=("blocks",))
    prepare(step)
    create_array(
        step.container,
        "blocks",
        roi=stored.roi,
        voxel_size=(8, 8, 8),
        dtype=np.uint64,
        chunks=chunk_shape(stored.write_shape),
    )
    run(step)
    own = OwnArray.of(step.container, "blocks")
    blocks = SideBySide.of(own, GRID, numbers=numbers, partial=True)
    settings = Stitch(rule=RULE, piece=(7, 8, 9), workers=Workers(count=workers))
    write_stitched(blocks, step.container, settings=settings, made_from=step.digest)
    array = open_array(step.container, "segmentation")
    # all of the region, also where no block is
    assert array.roi == REGION
    assert is_renaming(array.read(array.roi), volume)


def test_of_two_that_have_a_voxel_the_nearer_middle_has_it() -> None:
    first, second = np.zeros((1, 10), np.uint8), np.zeros((1, 10), np.uint8)
    first[0, 4:9], second[0, 1:5] = 1, 2
    # voxels 4..8 are of the first, 7..10 of the second, which begins at 6; 7 and 8 are of both
    stitched = stitch([first, second], [(0, 0), (0, 6)], rule=Rule(one=1, both=1), partial=True)
    assert stitched[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0]
