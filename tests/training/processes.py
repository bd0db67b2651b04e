"""Runs that are trained by several processes, and what happens to these meanwhile."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lsd.network.checkpoints import files
from lsd.spec import Config, paths
from lsd.system.process import descendants


def checkpoints(run: Config, stage: str = "main") -> list[str]:
    folder = paths.checkpoints(run, stage)
    return sorted(path.name for path in folder.glob("iteration_*.pt")) if folder.exists() else []


def process_of(rank: int, *, below: int | None = None) -> int | None:
    """The process that has this rank, of those that this one started."""
    for pid in descendants(below or os.getpid()):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            program = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        # those that make batches have the same environment
        if f"RANK={rank}".encode() in environment and b"devices.process" in program:
            return pid
    return None


@contextmanager
def meanwhile(act: Callable[[], bool], *, patience: float = 300) -> Iterator[list[float]]:
    """Calls `act` in a thread again and again until it says that it is done; yields when that
    was."""
    done: list[float] = []
    ended = threading.Event()

    def work() -> None:
        until = time.monotonic() + patience
        while time.monotonic() < until and not ended.is_set():
            if act():
                done.append(time.monotonic())
                return
            time.sleep(0.05)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()


def kills(run: Config, rank: int, number: int) -> Callable[[], bool]:
    """What sends a signal to the process of a rank once the run has a checkpoint."""

    def act() -> bool:
        pid = process_of(rank) if checkpoints(run) else None
        if pid is not None:
            os.kill(pid, number)
        return pid is not None

    return act


def newest(run: Config) -> int:
    path = files.newest_file(paths.checkpoints(run, "main"))
    return (files.iteration(path) if path else None) or 0
