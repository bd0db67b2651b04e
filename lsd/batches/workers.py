"""Processes that make things by number, handed over in order.

A worker is a fresh interpreter on one thread: nothing is forked, so it does not matter what the
parent has computed before (a fork after torch has computed hangs), and the parent's main module is
not run again.  Each worker makes every count-th thing and has at most `ahead` of them unclaimed.
Arrays come back through memory that both processes map, which vanishes with them.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar

from lsd.batches.mailbox import Closed, receive, send
from lsd.spec.kinds import imported, take_over

Argument = TypeVar("Argument")
Made = TypeVar("Made")
Setup = Callable[[Argument], Callable[[int], Made]]

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "BLOSC_NTHREADS",
)
# gunpowder imports it wherever it is installed, which takes a second and 200 MB; batches need none
# of it
NOT_IMPORTED = ("torch",)
# seconds that a process may take to end, or to make what it is at when it is to end; milliseconds
# between two looks
ENDING, _LOOK = 5.0, 500


class BatchWorkers(Generic[Made]):
    """Iterates over make(start), make(start + 1), ... where make = setup(argument) runs in `count`
    processes.

    setup must be importable by name, argument and results picklable.  An exception of a worker is
    raised here, with the worker's traceback as a note; a worker that dies is a RuntimeError.  stop:
    asked while a thing is waited for; once it says so, it is waited for some seconds only, then
    RuntimeError: the worker may be frozen.
    """

    def __init__(
        self,
        setup: Setup[Any, Made],
        argument: object,
        *,
        count: int,
        start: int = 0,
        ahead: int = 2,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        assert count > 0
        self._stop = stop
        self._start, self._next, self._ahead = start, start, ahead
        self._processes: list[_Worker] = []
        try:
            self._processes = [_Worker() for _ in range(count)]
            for number, worker in enumerate(self._processes):
                worker.send((setup, argument))
                for turn in range(ahead):
                    worker.send(start + number + turn * count)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Made]:
        return self

    def __next__(self) -> Made:
        index = self._next
        worker = self._processes[(index - self._start) % len(self._processes)]
        batch: Made = worker.take(index, stop=self._stop)
        worker.send(index + self._ahead * len(self._processes))
        self._next += 1
        return batch

    def close(self) -> None:
        """Ends the processes; what they were making is dropped."""
        for worker in self._processes:
            worker.stop()
        # together: frozen ones must be killed, each after it was waited for
        until = time.monotonic() + ENDING
        for worker in self._processes:
            worker.join(until)
        self._processes = []

    def __enter__(self) -> BatchWorkers[Made]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Worker:
    """One process and the socket to it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        code = (
            f"import sys; sys.path[:] = {sys.path!r}\n"
            "from lsd.batches.workers import serve_batches\n"
            f"serve_batches({theirs.fileno()}, {imported()!r})"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
        )
        theirs.close()  # so that the end of the process is the end of the stream

    def send(self, message: object) -> None:
        """Puts a message into the process's queue."""
        # a process that has died says so when its next result is taken
        with contextlib.suppress(Closed):
            send(self._socket, message)

    def take(self, index: int, *, stop: Callable[[], bool]) -> Any:
        """Waits for the next result, which is number `index`; not much longer once `stop` says
        so."""
        try:
            self._wait(index, stop)
            result, error, text = receive(self._socket)
        except Closed:
            raise RuntimeError(self._why_it_ended(index)) from None
        if error is not None:
            error.add_note(f"in process {self._process.pid}, which made batch {index}:\n{text}")
            raise error
        return result

    def stop(self) -> None:
        """Tells the process to end."""
        self._socket.close()
        self._process.terminate()

    def _wait(self, index: int, stop: Callable[[], bool]) -> None:
        coming = select.poll()
        coming.register(self._socket, select.POLLIN)
        until: float | None = None
        while not coming.poll(_LOOK):
            until = until or (time.monotonic() + ENDING if stop() else None)
            if until and time.monotonic() > until:
                raise RuntimeError(
                    f"process {self._process.pid} does not make batch {index}, it may be frozen"
                )

    def join(self, until: float) -> None:
        """Waits until it has ended; kills it when that time has come."""
        try:
            self._process.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _why_it_ended(self, index: int) -> str:
        self.join(time.monotonic() + ENDING)
        status = self._process.returncode
        cause = (
            f"was killed by {signal.Signals(-status).name}"
            if status < 0
            else f"ended with exit status {status}"
        )
        return (
            f"process {self._process.pid}, which made batch {index}, {cause}; what it printed "
            f"stands above.  "
            "If memory ran out, lower train.workers, train.batch_size or network.train_shape; with "
            "train.workers=0 batches are "
            "made in the main process"
        )


def serve_batches(descriptor: int, modules: Mapping[str, str]) -> None:
    """What a worker runs: makes what it is asked for until the parent has gone, or until something
    fails.

    modules: those that define kinds, see `lsd.spec.kinds.imported`
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent as well, which ends us
    with socket.socket(fileno=descriptor) as parent, contextlib.suppress(Closed):
        try:
            take_over(modules)
            make = _set_up(parent)
            while True:
                send(parent, (make(receive(parent)), None, ""))
        except Closed:
            raise
        except Exception as error:
            send(parent, (None, _portable(error), traceback.format_exc()))


def _set_up(parent: socket.socket) -> Callable[[int], Any]:
    absent = [name for name in NOT_IMPORTED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: as if it were not installed
    try:
        setup, argument = receive(parent)
        make: Callable[[int], Any] = setup(argument)
        return make
    finally:
        for name in absent:
            sys.modules.pop(name, None)


def _portable(error: Exception) -> Exception:
    """The exception itself if it can be pickled, else one with the same words."""
    try:
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
