"""Scheduling and bookkeeping: blocks in which nothing is done, by this process, one worker and
two."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from funlib.geometry import Roi

from benchmarks.scale.process import fresh
from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.run import run as run_step
from lsd.spec import Workers

WANTED_MS = 1.0


class EmptyJob(Job):
    """Has no arguments."""

    def open(self, container: Path, worker: int) -> Empty:
        return Empty()


class Empty:
    """Reads nothing, gives nothing."""

    def read(self, block: Block) -> None:
        """Nothing."""

    def compute(self, block: Block, source: None) -> Output:
        """Nothing."""
        return Output()


def run(scale: float) -> dict[str, Any]:
    """Milliseconds a block of 10,000, start-up excluded: the time of all, less that of a tenth of
    them."""
    many = max(200, int(10_000 * scale))
    results: dict[str, float] = {"empty blocks": many}
    for workers, name in ((0, "in this process"), (1, "one worker"), (2, "two workers")):
        few, all_of_them = (
            fresh("benchmarks.scale.scheduling:empty", count=n, workers=workers)
            for n in (many // 10, many)
        )
        blocks = many - many // 10
        results[f"empty block, {name}, ms"] = (all_of_them.wall - few.wall) / blocks * 1e3
        results[f"empty block, {name}, CPU ms"] = (all_of_them.cpu - few.cpu) / blocks * 1e3
        results[f"start and end of a step, {name}, s"] = (
            few.wall - (all_of_them.wall - few.wall) / 9
        )
    return {**results, "empty block, ms, at most wanted": WANTED_MS}


def empty(*, count: int, workers: int) -> None:
    """So many empty blocks."""
    none = ((0,), (0,))
    with tempfile.TemporaryDirectory() as folder:
        grid = tile(Roi((0,), (count,)), (1,), step=(1,), context=none)
        step = Step("empty", Path(folder) / "out.zarr", grid, EmptyJob())
        run_step(step, workers=Workers(count=workers), progress=False)
        assert len(read_ledger(step.folder)) == count
