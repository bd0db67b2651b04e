"""A worker process: connects to the scheduler, does the blocks it is given.

Those on this machine are started by the scheduler, those elsewhere by a command that a template
wraps (see `launch`): python -m lsd.blockwise.running.worker FOLDER package.module:factory --context
CONTEXT --cwd FOLDER
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.ledger import Journal
from lsd.blockwise.on_disk.step import load_step
from lsd.blockwise.running.launch import Scheduler, at_start
from lsd.blockwise.running.pulse import holding
from lsd.blockwise.running.slot import take_slot
from lsd.blockwise.running.submit import CannotStart
from lsd.blockwise.running.work import Stopped, Take, Taken, work
from lsd.spec.kinds import take_over
from lsd.system.allocator import one_arena
from lsd.system.process import die_with_parent
from lsd.system.threads import sleep_where_idle

log = logging.getLogger(__name__)

PENDING = "pending.npy"
# seconds that a worker here has for its last block when the scheduler is gone
_GRACE = 5.0
_REACHABLE = (
    "set workers.host to an address of the machine that runs the script which workers can reach"
)


@dataclass(frozen=True)
class Worker:
    """What the scheduler sends to a fresh process on this machine, which calls it."""

    folder: Path
    function: str
    overlap: bool
    # a little more than it gives itself
    patience: ClassVar[float] = 8.0

    def __call__(self) -> None:
        """Returns when there is no block left; soon after the scheduler has ended, the process does
        too, whatever it is at."""
        one_arena()
        sleep_where_idle()
        import daisy

        die_with_parent()
        # what it says of a scheduler that is not there is said better here
        logging.getLogger("daisy").setLevel(logging.ERROR)

        scheduler = Scheduler(int(daisy.Context.from_env()["port"]))
        threading.Thread(target=_end_after, args=(scheduler,), name="end", daemon=True).start()
        # the others were faster
        with suppress(Unreachable):
            context = os.environ["DAISY_CONTEXT"]
            do_blocks(
                self.folder,
                self.function,
                context,
                overlap=self.overlap,
                wanted=lambda: not scheduler.is_gone(),
            )


class Unreachable(CannotStart):
    """Nothing listens where the scheduler should be."""


def _end_after(scheduler: Scheduler) -> None:
    # a run that is interrupted waits for its workers; blocks may take an hour
    scheduler.wait(math.inf)
    time.sleep(_GRACE)
    # no clean end: what it was writing may be half written
    os._exit(1)


def do_blocks(
    folder: Path,
    function: str,
    context: str,
    *,
    overlap: bool,
    wanted: Callable[[], bool] = lambda: True,
    modules: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Does blocks of the step in `folder` until the scheduler that `context` names has none left,
    or is gone.

    wanted: whether results are still waited for, where more can be told than that the run goes on
    modules: those that define kinds, see `lsd.spec.kinds.imported`
    What goes wrong at the start is noted there too, and raised; Unreachable, which a run that has
    ended is as well, is raised only.
    """
    import daisy

    os.environ["DAISY_CONTEXT"] = context
    number = int(daisy.Context.from_env()["worker_id"])
    journal = Journal(folder)
    try:
        take_over(modules)
        step = load_step(folder, function)
        pending, goes_on = _pending(folder / PENDING)
        opened = step.open(take_slot(str(step.folder.resolve())))
        numbers = iter((number, -1))
        take = partial(_client, pending, wanted=lambda: wanted() and goes_on())
        work(step, opened, lambda: take(next(numbers)), journal=journal, overlap=overlap)
    except Stopped:
        # the journal says why
        pass
    except Unreachable:
        raise
    except Exception as error:
        journal.fail(at_start(error))
        raise
    finally:
        journal.close()


def _pending(path: Path) -> tuple[NDArray[np.uint64], Callable[[], bool]]:
    """Numbers of the blocks that the run hands out, and a function: whether that run goes on, which
    may be long after.

    Raises Unreachable where no run goes on.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise Unreachable(f"{path} is not there; the run has ended") from None
    with file:
        status = os.fstat(file.fileno())
    pending: NDArray[np.uint64] = np.load(path, mmap_mode="r")

    def goes_on() -> bool:
        # opened, as network file systems may remember what a path was
        with suppress(OSError), path.open("rb") as reopened:
            latest = os.fstat(reopened.fileno())
            return os.path.samestat(latest, status) and latest.st_mtime_ns == status.st_mtime_ns
        return False

    return pending, goes_on


def _client(pending: NDArray[np.uint64], number: int, *, wanted: Callable[[], bool]) -> Take:
    """A connection to the scheduler, as a context manager that hands out a block.

    number: of the worker; a second connection of it has -1, since the scheduler follows one for
            each worker it started
    """
    import daisy

    context = daisy.Context(**{**dict(daisy.Context.from_env().items()), "worker_id": number})
    address = f"{context['hostname']}:{context['port']}"
    try:
        client = daisy.Client(context)
    except (OSError, RuntimeError) as error:
        raise CannotStart(
            f"the scheduler at {address} cannot be reached ({error}); {_REACHABLE}"
        ) from None
    if not client.connected:
        raise Unreachable(f"nothing listens at {address}; if the run has not ended, {_REACHABLE}")
    has_connected = False

    @contextmanager
    def take() -> Iterator[Taken | None]:
        nonlocal has_connected
        handed = False
        try:
            with client.acquire_block() as block, holding() if block is not None else nullcontext():
                has_connected = handed = True
                yield (
                    None
                    if block is None
                    else _Taken(int(pending[block.write_roi.begin[0]]), block, wanted)
                )
        except (OSError, RuntimeError) as error:
            if not has_connected:
                raise
            # nothing to be noted: the next run may be at work there already
            log.warning("the scheduler is gone: %s", error)
            if not handed:
                yield None

    return take


@dataclass(frozen=True)
class _Taken:
    index: int
    block: Any
    is_wanted: Callable[[], bool]

    def failed(self) -> None:
        import daisy

        self.block.status = daisy.BlockStatus.FAILED

    def wanted(self) -> bool:
        return self.is_wanted()


def main(argv: list[str] | None = None) -> None:
    """The command line of a worker elsewhere."""
    one_arena()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("function")
    parser.add_argument("--context", required=True)
    parser.add_argument("--cwd", type=Path, required=True)
    parser.add_argument("--one-at-a-time", action="store_true")
    parser.add_argument("--imports", type=json.loads, default={})
    arguments = parser.parse_args(argv)
    os.chdir(arguments.cwd)
    # as when the scripts are run: modules of the working folder can be imported
    sys.path.insert(0, str(arguments.cwd))
    # what it says of a scheduler that is not there is said better here
    logging.getLogger("daisy").setLevel(logging.ERROR)
    try:
        do_blocks(
            arguments.folder,
            arguments.function,
            arguments.context,
            overlap=not arguments.one_at_a_time,
            modules=arguments.imports,
        )
    except CannotStart as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
