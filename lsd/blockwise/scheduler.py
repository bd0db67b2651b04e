"""The blocks of a step in many processes, here or elsewhere; daisy hands them out.

daisy sees blocks as a line of numbers, those of the blocks that are left.  Where they lie is no concern of its: they are
written without overlap and need no order, and what they depend on was done by an earlier step.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.launch import Launch, cancel
from lsd.blockwise.ledger import read_failures
from lsd.blockwise.step import Step
from lsd.blockwise.worker import PENDING, Worker
from lsd.spec import Workers

# workers that may die before any of them has begun
_START_FAILURES = 3


def run_workers(
    step: Step, indices: NDArray[np.uint64], *, workers: Workers, progress: Callable[[int], object], overlap: bool
) -> str:
    """Does the blocks `indices`; what fails is in the journals.  Returns what the last worker that died said, "" if none did.

    progress: told now and then how many are done.  Raises RuntimeError with the first reason where workers cannot start, and
    KeyboardInterrupt on Ctrl-C and SIGTERM; workers are gone, and jobs cancelled, before it does.
    """
    # its own log lines repeat what is in the journals
    os.environ.setdefault("RUST_LOG", "error")
    import daisy

    daisy.logging.set_log_basedir(str(step.folder / "logs"))
    daisy.logging.set_log_mode("file")
    daisy.logging.set_log_level("ERROR")
    _save(step, indices)
    launch = Launch(step.folder, step.name, step.function, overlap, workers) if workers.launch else None
    count = min(workers.count, len(indices))
    roi, one = daisy.Roi((0,), (len(indices),)), daisy.Roi((0,), (1,))
    task = daisy.Task(
        step.name,
        roi,
        one,
        one,
        Worker(step.folder, step.function, overlap, launch),
        read_write_conflict=False,
        max_workers=count,
        max_retries=0,
        # each block may cost a worker; workers that cannot even start are noticed by the observer
        max_worker_restarts=len(indices) + 10 * count,
        timeout=workers.timeout,
    )
    observer = _Observer(step, count, progress)
    cancel(step)
    try:
        with _terminable():
            states = daisy.run_blockwise(
                task,
                progress=observer,
                summary=False,
                return_states=True,
                block_tracking=False,
                host=workers.host or (None if launch else "127.0.0.1"),
            )
    except KeyboardInterrupt:
        if observer.reason:
            raise RuntimeError(observer.reason) from None
        raise
    finally:
        cancel(step)
    return str(states[step.name].last_worker_error or "")


class _Observer:
    """Watches a run from the thread that started it, twice a second."""

    def __init__(self, step: Step, count: int, progress: Callable[[int], object]) -> None:
        self.step, self.count, self.progress = step, count, progress
        self.reason = ""
        self._seen = (0, 0)

    def on_start(self, states: Mapping[str, Any]) -> None:
        """Nothing is done yet."""

    def on_progress(self, states: Mapping[str, Any]) -> None:
        """Ends a run that cannot go on: workers die at their start, or nothing can be written."""
        state = states[self.step.name]
        self.progress(state.completed_count)
        seen = (state.failed_count, state.worker_failure_count)
        if seen != self._seen and not self.reason:
            self._seen = seen
            self.reason = self._hopeless(state)
            if self.reason:
                os.kill(os.getpid(), signal.SIGINT)

    def on_finish(self, states: Mapping[str, Any]) -> None:
        """The last count."""
        self.progress(states[self.step.name].completed_count)

    def _hopeless(self, state: Any) -> str:
        failures = read_failures(self.step.folder)
        fatal = [failure for failure in failures if failure.fatal]
        if fatal:
            return f"{fatal[0].error}; make room, then the same command goes on from here"
        if state.completed_count or state.failed_count or state.worker_failure_count < min(_START_FAILURES, self.count + 1):
            return ""
        starts = [failure for failure in failures if failure.index is None]
        reason = f"{starts[0].error}\n{starts[0].trace}" if starts else state.first_worker_error
        return f"workers of {self.step.name} cannot start: {reason}"


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM as Ctrl-C, which the scheduler ends cleanly on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _save(step: Step, indices: NDArray[np.uint64]) -> None:
    partial = step.folder / f"{PENDING}.partial"
    with partial.open("wb") as file:
        np.save(file, indices)
    os.replace(partial, step.folder / PENDING)
