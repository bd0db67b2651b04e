"""A function over blocks that doubles an array, and can be told to go wrong."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path
from typing import Annotated

import numpy as np
from faulty import tear_next_chunk
from funlib.geometry import Roi

from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.spec.effect import NoEffect
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.inputs import ArrayInput, ArrayState

ROWS = np.dtype([("value", "<u8")])
ROI = Roi((3, 0, -4), (20, 12, 16))


class ToyJob(Job):
    """Arguments of `Toy`: what it is to do wrong changes no value."""

    source: ArrayInput
    wrong: Annotated[dict[str, str], NoEffect("a block that went wrong is done again")] = {}
    broken: Annotated[bool, NoEffect("it does not start")] = False
    frozen: Annotated[bool, NoEffect("it does not go on")] = False
    seconds: Annotated[float, NoEffect("it only takes longer")] = 0.0

    def open(self, container: Path, worker: int):
        return Toy(self, container)


class Toy:
    """wrong: {block: what happens there}: "raise", "once" (raise the first time), "alike" (raise
    the same in each block), "kill" and "tear"
    (the first time: SIGKILL at once, or in the middle of a chunk), "hang", "full", "memory" (more
    is asked for than the process may have), "freeze" (the first time: SIGSTOP), "halt" (the same in
    the middle of a chunk); frozen: SIGSTOP before any block.  frozen-<pid> beside the container
    names those."""

    def __init__(self, job: ToyJob, container: Path) -> None:
        if job.frozen:
            freeze(container)
        if job.broken:
            raise ImportError("no module named 'elephant'")
        self.container, self.source, self.seconds = container, job.source.open(), job.seconds
        self.wrong = {int(key): value for key, value in job.wrong.items()}

    def read(self, block):
        return self.source.read(block.read.intersect(self.source.roi))

    def compute(self, block, source) -> Output:
        what = self.wrong.get(block.index)
        time.sleep(self.seconds)
        if what == "raise" or (what == "once" and self._first(block)):
            raise RuntimeError(f"an elephant in block {block.index}")
        if what == "alike":
            raise RuntimeError("elephants everywhere")
        if what == "kill" and self._first(block):
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "tear" and self._first(block):
            tear_next_chunk()
        if what == "memory":
            resource.setrlimit(
                resource.RLIMIT_AS, (_address_space() + (1 << 30), resource.RLIM_INFINITY)
            )
            try:
                np.ones(1 << 31, np.uint8)
            finally:
                resource.setrlimit(
                    resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                )
        if what == "freeze" and self._first(block):
            freeze(self.container)
        if what == "halt" and self._first(block):
            name_frozen(self.container)
            tear_next_chunk(number=signal.SIGSTOP)
        if what == "hang":
            time.sleep(1000)
        if what == "full":
            raise OSError(28, "No space left on device")
        begin = block.read.intersect(self.source.roi).begin
        own = source[(block.write - begin).to_slices()]
        rows = np.full(block.index % 4, block.index, ROWS["value"]).view(ROWS)
        return Output({"out": own * 2 + np.uint64(source.sum() % 7)}, rows)

    def _first(self, block) -> bool:
        try:
            (self.container / f"tried-{block.index}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def freeze(container: Path) -> None:
    """As a control group's freezer does it, or Ctrl-Z."""
    name_frozen(container)
    os.kill(os.getpid(), signal.SIGSTOP)


def name_frozen(container: Path) -> None:
    """Leaves a file that names this process."""
    (container.parent / f"frozen-{os.getpid()}").touch()


def _address_space() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def step(folder: Path, *, shape=(6, 4, 8), context=(1, 2, 0), **arguments) -> Step:
    """Toy over an array of random numbers in `folder`, made if it is not there, as its output."""
    source = folder / "source.zarr"
    if not source.exists():
        data = np.random.default_rng(0).integers(0, 1 << 60, ROI.shape).astype(np.uint64)
        create_array(source, "in", roi=ROI, voxel_size=(4, 4, 4), dtype=np.uint64).write(data, ROI)
    grid = tile(ROI, shape, step=(1, 1, 1), context=(context, context))
    container = folder / "result.zarr"
    create_array(
        container, "out", roi=ROI, voxel_size=(4, 4, 4), dtype=np.uint64, chunks=grid.write_shape
    )
    arguments["wrong"] = {str(key): value for key, value in arguments.get("wrong", {}).items()}
    given = ArrayInput(
        path=str(source), name="in", state=ArrayState.of(open_array(source, "in"), where="in")
    )
    return Step("toy", container, grid, ToyJob(source=given, **arguments), ("out",), ROWS)


def expected(step: Step) -> np.ndarray:
    """The same without blocks of another file."""
    source = open_array(step.container.parent / "source.zarr", "in")
    whole = source.read(ROI)
    out = np.empty_like(whole)
    for block in step.grid:
        read = whole[(block.read.intersect(ROI) - ROI.begin).to_slices()]
        here = (block.write - ROI.begin).to_slices()
        out[here] = whole[here] * 2 + np.uint64(read.sum() % 7)
    return out
