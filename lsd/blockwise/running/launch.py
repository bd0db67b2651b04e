"""Starting workers elsewhere, by a command template: a cluster's submit command, or one's own.

The command is expected to last as long as its worker.  A process here waits for each.  Jobs that a
preset submits are noted in <step>/jobs while they last, so that each is cancelled when the run
ends, however it ends: by the process that waits for it, which sees that the scheduler is gone; if
that was killed too, by the next run.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lsd.blockwise.on_disk.ledger import Failure, Journal, read_failures
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.slot import take_slot
from lsd.spec import Workers
from lsd.spec.kinds import imported
from lsd.system.process import descendants, kill, started

# seconds between two looks at whether the scheduler is still there
_LOOK = 1.0
# seconds that a worker has to end by itself, told that there is nothing left to do
_GRACE = 5.0
# seconds that a command has to end, told to
_END = 2.0
# failures of a step after which the next command waits so many seconds: a cluster that refuses is
# not to be flooded
_FAILURES, _REST = 3, 30.0
# seconds that such a command may take, and jobs that one cancels
_CANCELLING = 20.0
_AT_ONCE = 100


@dataclass(frozen=True)
class Preset:
    """How a scheduler takes jobs.  submitted: where its answer says the number of the job; cancel:
    the command for that."""

    template: str
    submitted: str
    cancel: str


PRESETS = {
    "slurm": Preset(
        "sbatch --wait --job-name={name} --output={log} {options} --wrap={quoted}",
        r"Submitted batch job (\d+)",
        "scancel",
    ),
    "lsf": Preset(
        "bsub -K -J {name} -o {log} {options} {quoted}", r"Job <(\d+)> is submitted", "bkill"
    ),
}


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
                replaces
        """
        words = [
            sys.executable,
            "-m",
            "lsd.blockwise.running.worker",
            str(self.folder.resolve()),
            self.function,
        ]
        words += ["--context", context, "--cwd", str(Path.cwd())]
        words += [] if self.overlap else ["--one-at-a-time"]
        words += ["--imports", json.dumps(imported())] if imported() else []
        inner = shlex.join(words)
        preset = PRESETS.get(self.workers.launch or "")
        template = preset.template if preset else str(self.workers.launch)
        log = self._log(worker)
        log.parent.mkdir(parents=True, exist_ok=True)
        values = {
            "command": inner,
            "quoted": shlex.quote(inner),
            "name": shlex.quote(f"lsd-{self.name}"),
            "log": shlex.quote(str(log)),
            "options": self.workers.options,
            "worker": str(place),
        }
        return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)

    def _note(self, failure: Failure) -> None:
        journal = Journal(self.folder)
        journal.fail(failure)
        journal.close()

    def _log(self, worker: int) -> Path:
        return self.folder.resolve() / "logs" / f"worker-{worker}.log"

    def _wait(self, context: str, worker: int, scheduler: Scheduler) -> None:
        preset, jobs = PRESETS.get(self.workers.launch or ""), list[str]()

        def hear(line: str) -> None:
            # to <step>/logs/<step>/worker_<number>.out
            sys.stdout.write(line)
            sys.stdout.flush()
            match = re.search(preset.submitted, line) if preset and not jobs else None
            if preset and match:
                jobs.append(f"{preset.cancel} {match[1]}")
                _append(self.folder / "jobs", jobs[0])

        # what an earlier run left there is not to be quoted
        self._log(worker).unlink(missing_ok=True)
        command, status = (
            _Command(self.command(context, worker, place=take_slot(f"launch {self.folder}")), hear),
            None,
        )
        while status is None and not scheduler.is_gone():
            status = command.wait(_LOOK)
        ended = status is None and command.wait(_GRACE) is None
        if ended:
            with command.ending():
                _cancel(jobs)
        for job in jobs:
            _append(self.folder / "jobs", f"ended {job}")
        if ended:
            sys.exit("its worker did not end with the run, and was ended")
        if status and not scheduler.is_gone():
            output = " ".join(filter(None, (command.last_words, _last_line(self._log(worker)))))
            raise CannotStart(
                f"the command that starts workers exited with {status}: {output or 'no output'}"
            )


class CannotStart(RuntimeError):
    """Why a worker could not start, in a sentence that needs no traceback."""


def at_start(error: Exception) -> Failure:
    """What is noted of a worker that could not start; to be called where `error` is handled."""
    if isinstance(error, CannotStart):
        return Failure(None, str(error), "")
    return Failure(None, f"{type(error).__name__}: {error}", traceback.format_exc())


def cancel(step: Step) -> list[str]:
    """Cancels the jobs of a step that have not ended; returns them."""
    file = step.folder / "jobs"
    if not file.exists():
        return []
    lines = file.read_text(errors="replace").splitlines()
    ended = {line.removeprefix("ended ") for line in lines if line.startswith("ended ")}
    # the file lies in an output folder: nothing but the presets' commands and a number is run from
    # it
    running = [line for line in dict.fromkeys(lines) if line not in ended and _is_job(line)]
    _cancel(running)
    file.unlink(missing_ok=True)
    return running


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


class _Command:
    """A shell command that runs, in a session of its own, so that Ctrl-C leaves it alone, and on a
    terminal of its own.

    hear: told each line that it prints, at once.  On a pipe, sbatch keeps the number of its job to
          itself until that has ended.
    """

    def __init__(self, command: str, hear: Callable[[str], object]) -> None:
        mine, its = os.openpty()
        try:
            self._process = subprocess.Popen(
                ["sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=its,
                stderr=its,
                start_new_session=True,
            )
        except OSError:
            os.close(mine)
            raise
        finally:
            os.close(its)
        self._said: deque[str] = deque(maxlen=20)
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(mine, hear), daemon=True)
        self._reader.start()

    @property
    def last_words(self) -> str:
        """The end of what it has said."""
        self._reader.join(_LOOK)
        return "".join(self._said).strip()

    def wait(self, seconds: float) -> int | None:
        """Its exit status; None if it still runs after `seconds`."""
        self._ended.wait(seconds)
        return self._process.poll()

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Ends it and what it started here, in whatever session, frozen or not, after what is done
        inside."""
        # before any of it ends: what a process that has ended started cannot be found
        below = {pid: started(pid) for pid in descendants(self._process.pid)}
        yield
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self.wait(_END)
        if self._process.poll() is None:
            self._process.kill()
        kill(*(pid for pid, since in below.items() if since is not None and started(pid) == since))

    def _read(self, mine: int, hear: Callable[[str], object]) -> None:
        # EIO: nobody holds the other end any more
        with open(mine, errors="replace") as said, suppress(OSError):
            for line in said:
                self._said.append(line)
                hear(line)
        self._process.wait()
        self._ended.set()


def _is_job(line: str) -> bool:
    command, _, number = line.partition(" ")
    return (
        command in {preset.cancel for preset in PRESETS.values()}
        and re.fullmatch("[0-9]+", number) is not None
    )


def _cancel(jobs: list[str]) -> None:
    for command in sorted({job.split()[0] for job in jobs}):
        numbers = [job.split()[1] for job in jobs if job.split()[0] == command]
        for begin in range(0, len(numbers), _AT_ONCE):
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    [command, *numbers[begin : begin + _AT_ONCE]],
                    capture_output=True,
                    check=False,
                    timeout=_CANCELLING,
                )


def _last_line(log: Path) -> str:
    """What a log ends with, and where it is; "" if there is none."""
    with suppress(OSError):
        lines = log.read_text(errors="replace").split("\n")
        return next((f"{line.strip()} ({log})" for line in reversed(lines) if line.strip()), "")
    return ""


def _append(path: Path, line: str) -> None:
    # short lines appended at once, by processes of this machine
    with path.open("a") as file:
        file.write(line + "\n")
