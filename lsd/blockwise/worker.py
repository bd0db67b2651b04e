"""A worker process: connects to the scheduler, does the blocks it is given.

Local ones are started by the scheduler; those elsewhere by a command that a template wraps (see `launch`):
python -m lsd.blockwise.worker FOLDER package.module:factory --context CONTEXT --cwd FOLDER
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lsd.blockwise.launch import Launch
from lsd.blockwise.ledger import Failure, Journal
from lsd.blockwise.step import load_step
from lsd.blockwise.work import Stopped, Take, Taken, work

PENDING = "pending.npy"


@dataclass(frozen=True)
class Worker:
    """What the scheduler sends to a fresh process, which calls it: serves here, or launches a worker elsewhere."""

    folder: Path
    function: str
    overlap: bool
    launch: Launch | None = None

    def __call__(self) -> None:
        """Returns when there is no block left."""
        if self.launch is None:
            serve(self.folder, self.function, os.environ["DAISY_CONTEXT"], overlap=self.overlap)
        else:
            import daisy

            context = daisy.Context.from_env()
            try:
                self.launch(context.to_env(), int(context["worker_id"]))
            except (OSError, RuntimeError) as error:
                _note_start(self.folder, error)
                raise


def serve(folder: Path, function: str, context: str, *, overlap: bool) -> None:
    """Does blocks of the step in `folder` until the scheduler that `context` names has none left.

    What goes wrong at the start is noted there too, and raised.
    """
    import daisy

    os.environ["DAISY_CONTEXT"] = context
    number = int(daisy.Context.from_env()["worker_id"])
    journal = Journal(folder)
    try:
        step = load_step(folder, function)
        pending = np.load(folder / PENDING, mmap_mode="r")
        opened = step.open(number)
        numbers = iter((number, -1))
        work(step, opened, lambda: _client(pending, next(numbers)), journal=journal, overlap=overlap)
    except Stopped:
        pass
    except Exception as error:
        journal.fail(_at_start(error))
        raise
    finally:
        journal.close()


def _note_start(folder: Path, error: Exception) -> None:
    journal = Journal(folder)
    journal.fail(_at_start(error))
    journal.close()


def _at_start(error: Exception) -> Failure:
    return Failure(None, f"{type(error).__name__}: {error}", traceback.format_exc())


def _client(pending: Any, number: int) -> Take:
    """A connection to the scheduler, as a context manager that hands out a block.

    number: of the worker; a second connection of it has -1, since the scheduler follows one for each worker it started
    """
    import daisy

    client = daisy.Client(daisy.Context(**{**dict(daisy.Context.from_env().items()), "worker_id": number}))

    @contextmanager
    def take() -> Iterator[Taken | None]:
        with client.acquire_block() as block:
            yield None if block is None else _Taken(int(pending[block.write_roi.begin[0]]), block, lambda: client.connected)

    return take


@dataclass(frozen=True)
class _Taken:
    index: int
    block: Any
    connected: Callable[[], bool]

    def failed(self) -> None:
        import daisy

        self.block.status = daisy.BlockStatus.FAILED

    def wanted(self) -> bool:
        return self.connected()


def main(argv: list[str] | None = None) -> None:
    """The command line of a worker elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("function")
    parser.add_argument("--context", required=True)
    parser.add_argument("--cwd", type=Path, required=True)
    parser.add_argument("--one-at-a-time", action="store_true")
    arguments = parser.parse_args(argv)
    os.chdir(arguments.cwd)
    # as when the scripts are run: modules of the working folder can be imported
    sys.path.insert(0, str(arguments.cwd))
    serve(arguments.folder, arguments.function, arguments.context, overlap=not arguments.one_at_a_time)


if __name__ == "__main__":
    main()
