"""Starting workers of a step elsewhere, by a command template; see `submit`.

A process here waits for each.  Jobs are noted in <step>/jobs while they last, so that each is
cancelled when the run ends, however it ends: by the process that waits for it, which sees that the
scheduler is gone; if that was killed too, by the next run.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lsd.blockwise.on_disk.failures import Failure, read_failures
from lsd.blockwise.on_disk.ledger import Journal
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.slot import take_slot
from lsd.blockwise.running.submit import CannotStart, Submitted, cancel_noted, submit_command
from lsd.spec import Workers
from lsd.spec.kinds import imported

# seconds between two looks at whether the scheduler is still there
_LOOK = 1.0
# seconds that a worker has to end by itself, told that there is nothing left to do
_GRACE = 5.0
# failures of a step after which the next command waits so many seconds: a cluster that refuses is
# not to be flooded
_FAILURES, _REST = 3, 30.0


@dataclass(frozen=True)
class Launch:
    """What starts one worker elsewhere and waits until it has ended.

    folder: of the step; function: what the worker runs; workers: how it is launched
    """

    folder: Path
    name: str
    function: str
    overlap: bool
    workers: Workers
    # to cancel jobs takes a while
    patience: ClassVar[float] = 30.0

    def __call__(self) -> None:
        """In a process of its own, which the scheduler gave its context: returns when the worker,
        or the scheduler, has ended.

        What goes wrong is noted in the step's folder, and raised: CannotStart, with what the
        command said, unless it exits with 0.  SystemExit where the worker had to be ended, wherever
        in a block it was.
        """
        import daisy

        # a run that is interrupted ends its scheduler; a job is cancelled when that is seen, and
        # not left alone before
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        context = daisy.Context.from_env()
        scheduler = Scheduler(int(context["port"]))
        try:
            self._wait(context.to_env(), int(context["worker_id"]), scheduler)
        except (OSError, RuntimeError) as error:
            self._note(at_start(error))
            if len(read_failures(self.folder)) > _FAILURES:
                scheduler.wait(_REST)
            raise

    def command(self, context: str, worker: int, *, place: int) -> str:
        """What a shell here is given, for a worker that finds the scheduler by `context`.

        worker: its number, which names its log; place: 0 .. workers.count - 1, that of the one it
                replaces.  Links in a path stay: where they lead may be another place elsewhere
        """
        words = [
            sys.executable,
            "-m",
            "lsd.blockwise.running.worker",
            str(self.folder.absolute()),
            self.function,
        ]
        words += ["--context", context, "--cwd", str(Path.cwd())]
        words += [] if self.overlap else ["--one-at-a-time"]
        words += ["--imports", json.dumps(imported())] if imported() else []
        log = self._log(worker)
        log.parent.mkdir(parents=True, exist_ok=True)
        return submit_command(
            words,
            launch=str(self.workers.launch),
            options=self.workers.options,
            name=f"lsd-{self.name}",
            log=log,
            place=place,
        )

    def _note(self, failure: Failure) -> None:
        journal = Journal(self.folder)
        journal.fail(failure)
        journal.close()

    def _log(self, worker: int) -> Path:
        return self.folder.absolute() / "logs" / f"worker-{worker}.log"

    def _wait(self, context: str, worker: int, scheduler: Scheduler) -> None:
        # what an earlier run left there is not to be quoted
        self._log(worker).unlink(missing_ok=True)
        command = Submitted(
            self.command(context, worker, place=take_slot(f"launch {self.folder}")),
            launch=str(self.workers.launch),
            jobs=self.folder / "jobs",
            # to <step>/logs/<step>/worker_<number>.out
            hear=_print,
        )
        status = None
        while status is None and not scheduler.is_gone():
            status = command.wait(_LOOK)
        ended = status is None and command.wait(_GRACE) is None
        if ended:
            command.end()
        command.note_end()
        if ended:
            sys.exit("its worker did not end with the run, and was ended")
        if status and not scheduler.is_gone():
            raise CannotStart(command.failure(status, log=self._log(worker)))


def at_start(error: Exception) -> Failure:
    """What is noted of a worker that could not start; to be called where `error` is handled."""
    if isinstance(error, CannotStart):
        return Failure(None, str(error), "")
    return Failure(None, f"{type(error).__name__}: {error}", traceback.format_exc())


def cancel(step: Step) -> list[str]:
    """Cancels the jobs of a step that have not ended; returns them."""
    return cancel_noted(step.folder / "jobs")


def is_free(port: int) -> bool:
    """Whether nothing listens on a port of this machine; never connects to it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


class Scheduler:
    """Tells whether the scheduler, of the process that started this one, still listens on its port;
    never connects to it."""

    def __init__(self, port: int) -> None:
        self.port, self.parent = port, os.getppid()

    def is_gone(self) -> bool:
        """Whether nothing listens any more."""
        return os.getppid() != self.parent or is_free(self.port)

    def wait(self, seconds: float) -> None:
        """Until it is gone, `seconds` at most."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.is_gone():
            time.sleep(_LOOK)


def _print(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
