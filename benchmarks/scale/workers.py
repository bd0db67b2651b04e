"""A second worker: blocks of about a second that one core computes, done by one worker and by
two."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from funlib.geometry import Roi

from benchmarks.scale.process import fresh
from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.run import run as run_step
from lsd.spec import Workers

WANTED = 1.8


class BusyJob(Job):
    """Arguments of `Busy`."""

    rounds: int

    def open(self, container: Path, worker: int) -> Busy:
        return Busy(self.rounds, container)


class Busy:
    """Keeps one core busy; notes when."""

    def __init__(self, rounds: int, container: Path) -> None:
        self.rounds, self.file = rounds, container / f"times-{os.getpid()}"

    def read(self, block: Block) -> None:
        """Nothing."""

    def compute(self, block: Block, source: None) -> Output:
        """Hashes of hashes."""
        begin = time.time()
        _hash(self.rounds)
        with self.file.open("a") as file:
            file.write(f"{begin} {time.time()}\n")
        return Output()


def run(scale: float) -> dict[str, Any]:
    """Blocks a second of both, once all workers are at work; their ratio."""
    count, rounds = max(8, int(40 * scale)), _rounds(1.0 if scale > 0.1 else 0.1)
    one, two = (
        fresh("benchmarks.scale.workers:rate", workers=n, count=count, rounds=rounds)
        for n in (1, 2)
    )
    return {
        "busy blocks": count,
        "busy block, CPU s": one.result["seconds"],
        "one worker, blocks/s": one.result["rate"],
        "two workers, blocks/s": two.result["rate"],
        "two workers over one": two.result["rate"] / one.result["rate"],
        "two workers over one, wanted": WANTED,
    }


def rate(*, workers: int, count: int, rounds: int) -> dict[str, float]:
    """Blocks a second from when the last worker has begun, and the CPU seconds of one."""
    since = time.process_time()
    _hash(rounds)
    seconds = time.process_time() - since
    with tempfile.TemporaryDirectory() as folder:
        grid = tile(Roi((0,), (count,)), (1,), step=(1,), context=((0,), (0,)))
        step = Step("busy", Path(folder) / "out.zarr", grid, BusyJob(rounds=rounds))
        run_step(step, workers=Workers(count=workers), progress=False)
        noted = [file.read_text().splitlines() for file in step.container.glob("times-*")]
    times = [[tuple(map(float, line.split())) for line in lines] for lines in noted]
    assert len(times) == workers, "a worker did nothing; take more blocks"
    start = max(min(begin for begin, _ in each) for each in times)
    ends = sorted(end for each in times for begin, end in each if begin >= start)
    return {"rate": len(ends) / (ends[-1] - start), "seconds": seconds}


def _hash(rounds: int) -> None:
    hashlib.pbkdf2_hmac("sha256", b"one core", b"", rounds)


def _rounds(seconds: float) -> int:
    """That take so long here."""
    since = time.process_time()
    _hash(200_000)
    return int(200_000 * seconds / (time.process_time() - since))
