"""Stitching of blocks that are made on the fly: blocks of 32^3 that overlap by 8, about twenty
objects in each, in this process and by two workers (more blocks than the usual by these alone);
whether the volume is what it was before it was cut, and whether it is the same to the bit where
stitching is killed again and again.

The volume is never in memory, neither as it is made nor as it is checked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from benchmarks.scale.process import ROOT, command, fresh
from lsd.arrays.contingency import Contingency
from lsd.blockwise.on_disk.grid import Block, Grid, chunk_shape, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.ledger import RECORD
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step, load_step, step_folder
from lsd.blockwise.running.run import prepare
from lsd.blockwise.running.run import run as run_step
from lsd.segmentation.stitching import joins, labels, names, stitched
from lsd.segmentation.stitching.blocks import SideBySide, placed, side_by_side
from lsd.segmentation.stitching.run import ARRAY, write_stitched
from lsd.spec import Rule, Stitch, Workers
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.inputs import OwnArray

WRITE, AROUND, PERIOD = 24, 4, 14
# voxels from the point of a cell to its border, at most
REACH = 7
WORKERS = {"in this process": 0, "two workers": 2}
USUAL = 12
STEPS = (labels, joins, names, stitched)
KILLS = 3


def truth(roi: Roi) -> NDArray[np.uint64]:
    """Objects of the endless volume in `roi`: cells around the points of a lattice that are moved a
    little, each by its number alone, with gaps between them."""
    nearest = np.full(roi.shape, REACH**2 + 1.0, np.float32)
    labels = np.zeros(roi.shape, np.uint64)
    cells = [
        range(b // PERIOD - 1, (e - 1) // PERIOD + 2)
        for b, e in zip(roi.begin, roi.end, strict=True)
    ]
    for cell in np.stack(np.meshgrid(*cells, indexing="ij"), axis=-1).reshape(-1, 3):
        number = int((cell + 1) @ np.array([1 << 40, 1 << 20, 1]))
        moved = np.array([_hash(number, axis) for axis in range(3)])
        _draw(nearest, labels, (cell + 0.25 + 0.5 * moved) * PERIOD - roi.begin, number)
    return labels


def _draw(
    nearest: NDArray[np.float32],
    labels: NDArray[np.uint64],
    point: NDArray[np.float64],
    number: int,
) -> None:
    """A cell into the voxels that no other point is nearer to."""
    begins = np.maximum(np.ceil(point - REACH), 0).astype(int)
    ends = np.minimum(np.floor(point + REACH) + 1, nearest.shape).astype(int)
    if (begins >= ends).any():
        return
    box = tuple(map(slice, begins, ends))
    apart = [(np.arange(b, e) - p) ** 2 for b, e, p in zip(begins, ends, point, strict=True)]
    distance = (apart[0][:, None, None] + apart[1][:, None] + apart[2]).astype(np.float32)
    is_nearer = distance < nearest[box]
    nearest[box][is_nearer] = distance[is_nearer]
    labels[box][is_nearer] = number


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

    def read(self, block: Block) -> None:
        """Nothing is read."""

    def compute(self, block: Block, source: None) -> Output:
        """Ids are those of the volume, and the block's number above them."""
        labels = truth(self.grid.block(block.index).read.intersect(self.grid.roi))
        labels[labels > 0] ^= np.uint64(block.index + 1) << np.uint64(44)
        return Output({"blocks": placed(labels, self.grid)})


def grid(blocks: int) -> Grid:
    """So many blocks along each axis."""
    around = (AROUND,) * 3
    roi = Roi((0, 0, 0), (blocks * WRITE,) * 3)
    return tile(roi, (WRITE,) * 3, step=(1, 1, 1), context=(around, around))


def make(*, container: str, blocks: int, workers: int) -> None:
    """Writes so many blocks an axis, side by side."""
    stored = side_by_side(grid(blocks))
    making = Step("making", Path(container), stored, MadeJob(blocks=blocks), arrays=("blocks",))
    prepare(making)
    create_array(
        container,
        "blocks",
        roi=stored.roi,
        voxel_size=(8, 8, 8),
        dtype=np.uint64,
        chunks=chunk_shape(stored.write_shape),
    )
    run_step(making, workers=Workers(count=workers))


def stitch(*, container: str, blocks: int, workers: int) -> dict[str, float]:
    """Stitches them: seconds, and numbers of labels and objects."""
    path = Path(container)
    source = SideBySide.of(OwnArray.of(path, "blocks"), grid(blocks))
    settings = Stitch(rule=Rule(None, 0, 0.5, 0.5), workers=Workers(count=workers))
    making = load_step(step_folder(path, "making"))
    since = time.perf_counter()
    result = write_stitched(source, path, settings=settings, made_from=making.digest)
    return {
        "seconds": time.perf_counter() - since,
        "labels": result.labels,
        "objects": result.objects,
    }


def wrong(*, container: str) -> int:
    """Objects that are not one of the volume each."""
    array, table = open_array(container, ARRAY), Contingency.empty()
    for block in tile(array.roi, (96,) * 3, step=(1, 1, 1), context=((0,) * 3, (0,) * 3)):
        table += Contingency.of(array.read(block.write), truth(block.write))
    counts = [
        np.unique(column, return_counts=True)[1] for column in (table.segments, table.objects)
    ]
    return int(sum((count > 1).sum() for count in counts))


def digest(container: Path) -> str:
    """Of all files of the stitched volume."""
    total = hashlib.sha256()
    for path in sorted(path for path in (container / ARRAY).rglob("*") if path.is_file()):
        total.update(str(path.relative_to(container)).encode() + path.read_bytes())
    return total.hexdigest()


def forget(container: Path) -> None:
    """Leaves the blocks alone."""
    shutil.rmtree(container / ARRAY)
    for step in STEPS:
        shutil.rmtree(step_folder(container, step.STEP))


def done(container: Path) -> int:
    """Blocks of all steps of stitching that are done."""
    folders = [step_folder(container, step.STEP) for step in STEPS]
    sizes = [path.stat().st_size for folder in folders for path in folder.glob("*.done")]
    return sum(sizes) // RECORD.itemsize


def kill_and_resume(arguments: dict[str, Any], blocks: int) -> int:
    """Stitches, killed again and again on its way to so many blocks of all steps; how often it
    was."""
    killed = 0
    for number in range(1, KILLS + 1):
        process = subprocess.Popen(
            command("benchmarks.stitch:stitch", arguments),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while process.poll() is None and done(Path(arguments["container"])) < (
            number * blocks / (KILLS + 1)
        ):
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    fresh("benchmarks.stitch:stitch", **arguments)
    return killed


def run(*, blocks: int = USUAL) -> dict[str, Any]:
    """Blocks a second, of so many along each axis, and memory."""
    results: dict[str, Any] = {"blocks": blocks**3}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blocks.zarr"
        arguments: dict[str, Any] = {"container": str(path), "blocks": blocks}
        made = fresh("benchmarks.stitch:make", **arguments, workers=2)
        results |= {"making, s": made.wall}
        digests = set()
        for name, workers in WORKERS.items():
            if blocks > USUAL and not workers:
                continue
            cost = fresh("benchmarks.stitch:stitch", **arguments, workers=workers)
            results |= {
                f"{name}, s": cost.result["seconds"],
                f"{name}, blocks/s": blocks**3 / cost.result["seconds"],
                f"{name}, CPU s": cost.cpu,
                f"{name}, peak MB": max(cost.peak, cost.child),
            }
            blocks_of_steps = done(path)
            digests.add(digest(path))
            forget(path)
        results |= {
            "labels of a block": cost.result["labels"] / blocks**3,
            "objects": cost.result["objects"],
            "killed": kill_and_resume({**arguments, "workers": workers}, blocks_of_steps),
        }
        digests.add(digest(path))
        checked = fresh("benchmarks.stitch:wrong", container=str(path))
        results |= {"volumes that differ": len(digests) - 1, "wrong objects": checked.result}
    return results


def main() -> None:
    """Prints what was measured; `python -m benchmarks.stitch 47` is 103823 blocks."""
    for name, value in run(blocks=int(sys.argv[1]) if sys.argv[1:] else USUAL).items():
        print(f"{name:36} {value:10.4g}")


if __name__ == "__main__":
    main()
