"""The scripts, with blocks that go wrong as planned: python faulty.py script.py arguments, with
$FAULTS naming a folder.

<folder>/plan.json says what a block meets when it is computed for the first time, {"Heads 3":
"kill"}: by the class of the step's function and the number of the block.

    kill     SIGKILL to the process that computes it
    driver   SIGKILL to the script, which is another process where there are workers
    tear     SIGKILL to the process that computes it, in the middle of the next chunk that it writes
    crash    the same, and to the script at the same time
    term     SIGTERM to the script
    wait     goes on for ever

<folder>/met is a pipe that is told of each; <folder>/pids holds a file for every process that did
blocks.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import threading
from pathlib import Path

TEARING = threading.Event()


class Faulty:
    """A step's function, where blocks go wrong before they are computed."""

    def __init__(self, function) -> None:
        self.function, self.name, self.folder = (
            function,
            type(function).__name__,
            Path(os.environ["FAULTS"]),
        )
        self.read, self.plan = function.read, json.loads((self.folder / "plan.json").read_bytes())
        (self.folder / "pids" / str(os.getpid())).touch()

    def compute(self, block, source):
        """The function's own output, if it comes to that."""
        key = f"{self.name} {block.index}"
        if key in self.plan and self._first(key):
            with (self.folder / "met").open("w") as told:
                told.write(f"{key}\n")
            meet(self.plan[key])
        return self.function.compute(block, source)

    def _first(self, key: str) -> bool:
        try:
            (self.folder / key).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def meet(what: str) -> None:
    """Does what the plan says."""
    driver = int(os.environ["FAULTS_DRIVER"])
    if TEARING.is_set():
        # this process ends in the middle of the chunk that its other thread is about to write, not
        # before
        threading.Event().wait()
    if what in ("kill", "driver"):
        os.kill(os.getpid() if what == "kill" else driver, signal.SIGKILL)
    elif what == "term":
        os.kill(driver, signal.SIGTERM)
    elif what == "tear":
        tear_next_chunk()
    elif what == "crash":
        tear_next_chunk(driver)
    else:
        threading.Event().wait()


def tear_next_chunk(*others: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Half of the next chunk that this process writes reaches the disk, and nothing after; then it
    and others get a signal."""
    from zarr.storage import DirectoryStore

    TEARING.set()
    whole = DirectoryStore._tofile

    def torn(data, path: str) -> None:
        Path(path).write_bytes(bytes(data)[: len(data) // 2])
        for pid in (*others, os.getpid()):
            os.kill(pid, number)
        # thawed
        whole(data, path)

    DirectoryStore._tofile = staticmethod(torn)


def __getattr__(name: str):
    """faulty:<module>.<class> is that class of jobs, whose functions are Faulty."""
    module, _, job = name.rpartition(".")
    if not module.startswith("lsd."):
        raise AttributeError(name)
    base = getattr(__import__(module, fromlist=[job]), job)

    def opened(job, container, worker):
        return Faulty(base.open(job, container, worker))

    return type(job, (base,), {"open": opened, "__module__": __name__})


def main() -> None:
    """Runs a script whose steps are Faulty, here and in its workers."""
    from lsd.blockwise.on_disk.step import Step
    from lsd.blockwise.running import in_process, scheduler
    from lsd.blockwise.running.worker import Worker

    def worker(folder, function, *rest):
        return Worker(folder, "faulty:" + function.replace(":", "."), *rest)

    opened = Step.open
    assert in_process.Step is Step
    Step.open = lambda step, number: Faulty(opened(step, number))
    scheduler.Worker = worker
    os.environ["FAULTS_DRIVER"] = str(os.getpid())
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
