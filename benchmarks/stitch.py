"""Stitching of blocks that are made on the fly: blocks of 32^3 that overlap by 8, about twenty
objects in each, in this process and by two workers; whether the volume is what it was before it was
cut.

The volume is never in memory, neither as it is made nor as it is checked.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi

from benchmarks.scale.process import fresh
from lsd.arrays.contingency import Contingency
from lsd.blockwise.on_disk.grid import Grid, chunk_shape, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.run import prepare
from lsd.blockwise.running.run import run as run_step
from lsd.segmentation.stitching.blocks import SideBySide, placed, side_by_side
from lsd.segmentation.stitching.run import write_stitched
from lsd.spec import Rule, Stitch, Workers
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.inputs import OwnArray

WRITE, AROUND, PERIOD = 24, 4, 14
# voxels from the point of a cell to its border, squared, at most
_FAR = 48
WORKERS = {"in this process": 0, "two workers": 2}


def truth(roi: Roi) -> np.ndarray:
    """Objects of the endless volume in `roi`: cells around the points of a lattice that are moved a
    little, each by its number alone, with gaps between them; uint64."""
    axes = [np.arange(b, e) for b, e in zip(roi.begin, roi.end, strict=True)]
    nearest = np.full(roi.shape, np.inf, np.float32)
    labels = np.zeros(roi.shape, np.uint64)
    cells = [range(a[0] // PERIOD - 1, a[-1] // PERIOD + 2) for a in axes]
    for cell in np.stack(np.meshgrid(*cells, indexing="ij"), axis=-1).reshape(-1, 3):
        number = np.uint64((cell + 1) @ np.array([1 << 40, 1 << 20, 1]))
        moved = np.array([_hash(int(number), axis) for axis in range(3)])
        point = (cell + 0.25 + 0.5 * moved) * PERIOD
        parts = [(a - p) ** 2 for a, p in zip(axes, point, strict=True)]
        apart = (parts[0][:, None, None] + parts[1][:, None] + parts[2]).astype(np.float32)
        is_nearer = apart < nearest
        nearest[is_nearer] = apart[is_nearer]
        labels[is_nearer] = number
    labels[nearest > _FAR] = 0
    return labels


def _hash(number: int, axis: int) -> float:
    mixed = (number * 0x9E3779B97F4A7C15 + axis * 0xC2B2AE3D27D4EB4F) % (1 << 64)
    mixed = ((mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9) % (1 << 64)
    return (mixed >> 40) / (1 << 24)


class MadeJob(Job):
    """Blocks of the endless volume, each under ids of its own; blocks: along an axis."""

    blocks: int

    def open(self, container: Path, worker: int) -> Made:
        """Ready to be called."""
        return Made(grid(self.blocks))


class Made:
    """See `MadeJob`."""

    def __init__(self, blocks: Grid) -> None:
        self.grid = blocks

    def read(self, block):
        """Nothing is read."""
        return

    def compute(self, block, source) -> Output:
        """Ids are those of the volume, and the block's number above them."""
        labels = truth(self.grid.block(block.index).read.intersect(self.grid.roi))
        labels[labels > 0] ^= np.uint64(block.index + 1) << np.uint64(44)
        return Output({"blocks": placed(labels, self.grid)})


def grid(blocks: int) -> Grid:
    """So many blocks along each axis."""
    around = (AROUND,) * 3
    roi = Roi((0, 0, 0), (blocks * WRITE,) * 3)
    return tile(roi, (WRITE,) * 3, step=(1, 1, 1), context=(around, around))


def stitch(*, folder: str, blocks: int, workers: int) -> dict[str, float]:
    """Seconds of making and stitching so many blocks an axis."""
    container, whole = Path(folder) / f"{workers}.zarr", grid(blocks)
    stored, asked = side_by_side(whole), Workers(count=workers)
    making = Step("making", container, stored, MadeJob(blocks=blocks), arrays=("blocks",))
    prepare(making)
    create_array(
        container,
        "blocks",
        roi=stored.roi,
        voxel_size=(8, 8, 8),
        dtype=np.uint64,
        chunks=chunk_shape(stored.write_shape),
    )
    since = time.perf_counter()
    run_step(making, workers=asked)
    made = time.perf_counter()
    source = SideBySide.of(OwnArray.of(container, "blocks"), whole)
    settings = Stitch(rule=Rule(None, 0, 0.5, 0.5), workers=asked)
    found = write_stitched(source, container, settings=settings, made_from=making.digest)
    stitched = time.perf_counter()
    return {
        "making": made - since,
        "stitching": stitched - made,
        "objects": found.objects,
        "wrong": wrong(container),
    }


def wrong(container: Path) -> int:
    """Objects that are not one of the volume each."""
    array, table = open_array(container, "segmentation"), Contingency.empty()
    for block in tile(array.roi, (96,) * 3, step=(1, 1, 1), context=((0,) * 3, (0,) * 3)):
        table += Contingency.of(array.read(block.write), truth(block.write))
    counts = [
        np.unique(column, return_counts=True)[1] for column in (table.segments, table.objects)
    ]
    return int(sum((count > 1).sum() for count in counts))


def run(*, blocks: int = 12) -> dict[str, Any]:
    """Blocks a second, of so many along each axis, and memory."""
    results: dict[str, Any] = {"blocks": blocks**3}
    with tempfile.TemporaryDirectory() as folder:
        for name, workers in WORKERS.items():
            cost = fresh("benchmarks.stitch:stitch", folder=folder, blocks=blocks, workers=workers)
            seconds = cost.result
            results |= {
                f"{name}, blocks stitched/s": blocks**3 / seconds["stitching"],
                f"{name}, peak MB": max(cost.peak, cost.child),
                f"{name}, objects": seconds["objects"],
                f"{name}, wrong": seconds["wrong"],
            }
    return results


def main() -> None:
    """Prints what was measured; `python -m benchmarks.stitch 47` is 103823 blocks."""
    for name, value in run(blocks=int(sys.argv[1]) if sys.argv[1:] else 12).items():
        print(f"{name:36} {value:10.4g}")


if __name__ == "__main__":
    main()
