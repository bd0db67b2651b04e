"""The blocks of a step in this process, without a scheduler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from lsd.blockwise.on_disk.ledger import Journal
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.work import Stopped, Taken, work


@dataclass(frozen=True)
class _Taken:
    index: int
    given_up: threading.Event

    def failed(self) -> None:
        """The journal knows."""

    def wanted(self) -> bool:
        return not self.given_up.is_set()


def run_in_process(
    step: Step, indices: Iterable[int], *, progress: Callable[[], object], overlap: bool
) -> None:
    """Does the blocks `indices`; what fails is in the journal.  progress: called after each.

    Ctrl-C ends it after the blocks that are under way, which are done then; a second one at once,
    and they are not written.  Raises OSError where nothing more can be written.
    """
    waiting, stop, given_up, handing = (
        iter(indices),
        threading.Event(),
        threading.Event(),
        threading.Lock(),
    )

    @contextmanager
    def take() -> Iterator[Taken | None]:
        with handing:
            index = None if stop.is_set() else next(waiting, None)
        yield None if index is None else _Taken(int(index), given_up)
        if index is not None:
            progress()

    function, journal = step.open(0), Journal(step.folder)
    try:
        pool = ThreadPoolExecutor(1, "blocks of " + step.name)
        worker = pool.submit(work, step, function, lambda: take, journal=journal, overlap=overlap)
        try:
            _wait(worker)
        except KeyboardInterrupt:
            stop.set()
            _wait(worker)
            raise
        finally:
            stop.set()
            # the lock is given back soon, and another run may be at work before a block that nobody
            # waits for has ended
            if not worker.done():
                given_up.set()
            pool.shutdown(wait=False)
        worker.result()
    except Stopped:
        # it may not have been noted on a full disk
        raise OSError(next(failure.end for failure in journal.failures if failure.fatal)) from None
    finally:
        journal.close()


def _wait(worker: Future[None]) -> None:
    # a thread that waits without end hears no Ctrl-C
    while not worker.done():
        wait([worker], timeout=0.2)
