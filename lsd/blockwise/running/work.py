"""What one worker process does: takes a block, reads, computes, writes, notes it, takes the next.

Two threads do so at once, but only one of them computes: while it does, the other reads the next
block or writes the last.
"""

from __future__ import annotations

import errno
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Protocol

from lsd.blockwise.on_disk.failures import Failure
from lsd.blockwise.on_disk.ledger import Journal
from lsd.blockwise.on_disk.output import Function, Output
from lsd.blockwise.on_disk.step import Step
from lsd.volumes.array import Array, open_array

# no block can do better while these last
_FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Taken(Protocol):
    """A block that was handed out."""

    @property
    def index(self) -> int:
        """Its number in the grid."""

    def failed(self) -> None:
        """Says that it is not done."""

    def wanted(self) -> bool:
        """Whether its result is still waited for."""


# each thread has one of its own; gives None when there is no block left
Take = Callable[[], AbstractContextManager[Taken | None]]


class Stopped(Exception):
    """Going on makes no sense: the reason is in the journal."""


def work(
    step: Step,
    function: Function,
    take: Callable[[], Take],
    *,
    journal: Journal,
    overlap: bool = True,
) -> None:
    """Does the blocks that are handed out until there are none.

    take: called once in each thread, for what hands out blocks there.  overlap: read and write
          while computing; without it
    one block is in memory at a time.  A block that raises is noted in the journal and does not end
    the worker.  Raises Stopped when nothing more can be written.
    """
    arrays = {name: open_array(step.container, name, writable=True) for name in step.arrays}
    turn, noting, stop = threading.Lock(), threading.Lock(), threading.Event()

    def loop() -> None:
        acquire = take()
        while not stop.is_set():
            with acquire() as taken:
                if taken is None:
                    return
                try:
                    _one(step, function, arrays, taken, turn=turn, noting=noting, journal=journal)
                except Exception as error:
                    taken.failed()
                    fatal = isinstance(error, OSError) and error.errno in _FATAL
                    with noting:
                        journal.fail(
                            Failure(taken.index, _described(error), traceback.format_exc(), fatal)
                        )
                    if fatal:
                        stop.set()

    with ThreadPoolExecutor(2 if overlap else 1, "blocks") as pool:
        threads = [pool.submit(loop) for _ in range(2 if overlap else 1)]
        try:
            for thread in threads:
                thread.result()
        finally:
            # whatever ended this thread, the others end after their block
            stop.set()
    if any(failure.fatal for failure in journal.failures):
        raise Stopped


def _one(
    step: Step,
    function: Function,
    arrays: Mapping[str, Array],
    taken: Taken,
    *,
    turn: threading.Lock,
    noting: threading.Lock,
    journal: Journal,
) -> None:
    block, since = step.grid.block(taken.index), time.perf_counter()
    source = function.read(block)
    with turn:
        output = function.compute(block, source)
    del source
    _check(step, output)
    for name, data in output.arrays.items():
        # asked each time: this process may have been frozen at any moment, and another run may be
        # at work there by now
        if not taken.wanted():
            return
        arrays[name].write(data, block.write)
    if not taken.wanted():
        return
    with noting:
        journal.append(
            block.index,
            digest=output.digest(),
            rows=output.rows,
            seconds=time.perf_counter() - since,
        )


def _check(step: Step, output: Output) -> None:
    assert set(output.arrays) == set(step.arrays), (set(output.arrays), step.arrays)
    assert (output.rows is None) == (step.rows is None)
    assert output.rows is None or output.rows.dtype == step.rows


def _described(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {error}"
        if not isinstance(error, MemoryError)
        else f"out of memory: {error}"
    )
