"""The blocks of a step in this process, without a scheduler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from lsd.blockwise.ledger import Journal
from lsd.blockwise.step import Step
from lsd.blockwise.work import Stopped, Taken, work


@dataclass(frozen=True)
class _Taken:
    index: int

    def failed(self) -> None:
        """The journal knows."""

    def wanted(self) -> bool:
        return True


def run_here(step: Step, indices: Iterable[int], *, progress: Callable[[], object], overlap: bool) -> None:
    """Does the blocks `indices`; what fails is in the journal.  progress: called after each.

    Ctrl-C ends it after the blocks that are under way, which are done then.  Raises OSError where nothing more can be written.
    """
    waiting, stop, handing = iter(indices), threading.Event(), threading.Lock()

    @contextmanager
    def take() -> Iterator[Taken | None]:
        with handing:
            index = None if stop.is_set() else next(waiting, None)
        yield None if index is None else _Taken(int(index))
        if index is not None:
            progress()

    function, journal = step.open(0), Journal(step.folder)
    try:
        with ThreadPoolExecutor(1, step.name) as pool:
            worker = pool.submit(work, step, function, lambda: take, journal=journal, overlap=overlap)
            try:
                # a thread that waits without end hears no Ctrl-C
                while not worker.done():
                    wait([worker], timeout=0.2)
            finally:
                stop.set()
            worker.result()
    except Stopped:
        # it may not have been noted on a full disk
        raise OSError(next(failure.end for failure in journal.failures if failure.fatal)) from None
    finally:
        journal.close()
