"""The blocks of a step in many processes, here or elsewhere; daisy hands them out.

daisy sees blocks as a line of numbers, those of the blocks that are left.  Where they lie is no
concern of its: they are written without overlap and need no order, and what they depend on was done
by an earlier step.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.container import note_torn
from lsd.blockwise.on_disk.failures import Failure, Failures
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.crew import Crew
from lsd.blockwise.running.launch import Launch, cancel, is_free
from lsd.blockwise.running.worker import PENDING, Worker
from lsd.spec import Workers
from lsd.system.atomic import replacing
from lsd.system.signals import Relay, held_back, relayed

# workers that may die before any of them has begun
_START_FAILURES = 3


def run_workers(
    step: Step,
    indices: NDArray[np.uint64],
    *,
    workers: Workers,
    progress: Callable[[int], object],
    overlap: bool,
) -> str:
    """Does the blocks `indices`; what fails is in the journals.  Returns what the last worker that
    died said, "" if none did.

    progress: told now and then how many are done.  Raises RuntimeError with the first reason where
              workers cannot start, and
    KeyboardInterrupt on Ctrl-C and SIGTERM; workers are gone, and jobs cancelled, before it does.
    """
    import daisy

    daisy.logging.set_log_basedir(str(step.folder / "logs"))
    daisy.logging.set_log_mode("file")
    daisy.logging.set_log_level("ERROR")
    _save(step, indices)
    launch = (
        Launch(step.folder, step.name, step.job.function, overlap, workers)
        if workers.launch
        else None
    )
    work = launch or Worker(step.folder, step.job.function, overlap)
    count = min(workers.count, len(indices))
    crew = Crew(work, step.folder / "logs" / step.name, timeout=workers.timeout, is_over=is_free)
    watch = _Watch(step, count, crew)
    try:
        with relayed() as relay:
            cancel(step)
            try:
                with watch:
                    _schedule(
                        step,
                        crew,
                        len(indices),
                        workers=workers,
                        count=count,
                        progress=_Progress(step.name, progress, relay),
                    )
            finally:
                crew.end()
                cancel(step)
                # a worker elsewhere that comes to itself later sees by it that nobody waits for its
                # block
                (step.folder / PENDING).unlink(missing_ok=True)
                if crew.error:
                    note_torn(step.container)
    except KeyboardInterrupt:
        if watch.reason:
            raise RuntimeError(watch.reason) from None
        # without the scheduler's own words
        raise KeyboardInterrupt from None
    return crew.error


def _schedule(
    step: Step, crew: Crew, blocks: int, *, workers: Workers, count: int, progress: _Progress
) -> None:
    """Returns when all blocks were tried and the crew has ended."""
    import daisy

    # daisy's own way to start workers has no end for those that are frozen
    from daisy import _daisy

    def spawn(*, context: Any) -> None:
        crew.run(context)

    roi, one = daisy.Roi((0,), (blocks,)), daisy.Roi((0,), (1,))
    task = daisy.Task(
        step.name,
        roi,
        one,
        one,
        spawn,
        read_write_conflict=False,
        max_workers=count,
        max_retries=0,
        # each block may cost a worker; workers that cannot even start are noticed by the observer
        max_worker_restarts=blocks + 10 * count,
        timeout=workers.timeout,
    )
    _daisy._run_blockwise_orchestrator(
        _daisy.Pipeline([task], []),
        multiprocessing=True,
        progress=progress,
        block_tracking=False,
        host=workers.host or (None if workers.launch else "127.0.0.1"),
    )


class _Watch:
    """Ends a run that cannot go on, as workers die at their start, or nothing can be written; and
    workers that do not go on.

    Looks once a second.
    """

    def __init__(self, step: Step, count: int, crew: Crew) -> None:
        self.step, self.count, self.crew, self.reason = step, count, crew, ""
        self.before = set(step.folder.glob("*.done"))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _has_begun(self) -> bool:
        return any(path not in self.before for path in self.step.folder.glob("*.done"))

    def _look(self) -> None:
        failures = Failures(self.step.folder)
        while not self._ended.wait(1.0):
            self.crew.look()
            if self.reason:
                continue
            self.reason = _hopeless(
                self.step.name, failures.all(), self.count, begun=self._has_begun()
            )
            if self.reason:
                # the scheduler, which the main thread is in, ends on it
                os.kill(os.getpid(), signal.SIGINT)


def _hopeless(name: str, failures: Sequence[Failure], count: int, *, begun: bool) -> str:
    """Why the run cannot go on; "" if it can.  begun: whether a block of it is done."""
    fatal = [failure for failure in failures if failure.fatal]
    if fatal:
        return fatal[0].end
    starts = [failure for failure in failures if failure.index is None]
    if len(starts) < min(_START_FAILURES, count + 1) or len(starts) < len(failures) or begun:
        return ""
    return f"workers of {name} cannot start: {starts[0].error}\n{starts[0].trace}".rstrip()


class _Progress:
    """Passes on how many blocks are done, and to the relay when the scheduler begins and ends."""

    def __init__(self, name: str, told: Callable[[int], object], relay: Relay | None) -> None:
        self.name, self.told, self.relay = name, told, relay

    def on_start(self, states: Mapping[str, Any]) -> None:
        """Nothing is done yet."""
        if self.relay:
            self.relay.begin()

    def on_progress(self, states: Mapping[str, Any]) -> None:
        """Now and then."""
        self.told(states[self.name].completed_count)

    def on_finish(self, states: Mapping[str, Any]) -> None:
        """The last count."""
        if self.relay:
            self.relay.end()
        self.told(states[self.name].completed_count)


@contextmanager
def stderr_to(path: Path) -> Iterator[None]:
    """What the scheduler itself writes to stderr goes to a file: it repeats, with tracebacks, what
    is in the journals.

    What Python writes inside, such as a progress bar or the log, still goes to the terminal.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    log, previous, terminal, (read_end, write_end) = (
        path.open("ab", buffering=0),
        sys.stderr,
        os.dup(2),
        os.pipe(),
    )
    # through a pipe: a scheduler that cannot write to stderr, since the disk is full, panics
    keeper = threading.Thread(target=_keep, args=(read_end, log), name="log", daemon=True)
    keeper.start()
    sys.stderr.flush()
    os.dup2(write_end, 2)
    os.close(write_end)
    # those of the log hold on to the stream that was there when they were made
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is previous
    ]
    try:
        if _number(previous) == 2:
            sys.stderr = os.fdopen(
                os.dup(terminal),
                "w",
                buffering=1,
                encoding=previous.encoding,
                errors=previous.errors,
            )
            for handler in handlers:
                handler.setStream(sys.stderr)
        yield
    finally:
        with held_back():
            os.dup2(terminal, 2)
            os.close(terminal)
            keeper.join(1.0)
            if sys.stderr is not previous:
                for handler in handlers:
                    handler.setStream(previous)
                sys.stderr.close()
                sys.stderr = previous


def _keep(read_end: int, log: IO[bytes]) -> None:
    """Writes all that comes through a pipe to a file, as long as there is room."""
    with open(read_end, "rb", buffering=0) as source, log:
        while data := source.read(1 << 16):
            with suppress(OSError):
                log.write(data)


def _number(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _save(step: Step, indices: NDArray[np.uint64]) -> None:
    with replacing(step.folder / PENDING) as staged, staged.open("wb") as file:
        np.save(file, indices)
