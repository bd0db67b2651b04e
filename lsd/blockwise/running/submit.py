"""Processes that are started elsewhere, by a command template: a cluster's submit command, or one's
own.

The command is expected to last as long as what it starts.  Jobs that a preset submits are noted in
a file while they last, so that whoever comes next can cancel those that are left.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lsd.system.atomic import write_text
from lsd.system.process import descendants, kill, started

log = logging.getLogger(__name__)

# seconds that a command has to say its last words, and to end, told to
_LOOK, _END = 1.0, 2.0
# seconds that a command that cancels may take, and jobs that one cancels
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


class CannotStart(RuntimeError):
    """Why a worker could not start, in a sentence that needs no traceback."""


def submit_command(
    words: Sequence[str], *, launch: str, options: str, name: str, log: Path, place: int
) -> str:
    """What a shell here is given to start a process with the command line `words` elsewhere.

    launch, options: as of `spec.Workers`; name: of the job; place: of the process among its equals,
    0 and up
    """
    inner = shlex.join(words)
    values = {
        "command": inner,
        "quoted": shlex.quote(inner),
        "name": shlex.quote(name),
        "log": shlex.quote(str(log)),
        "options": options,
        "worker": str(place),
    }
    template = PRESETS[launch].template if launch in PRESETS else launch
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)


def cancel_noted(jobs: Path) -> list[str]:
    """Cancels the jobs that a file notes and that have not ended; returns them, and deletes it.

    Where a command to cancel cannot be run, as on a machine without the scheduler, those jobs stay
    noted, and a warning names them.
    """
    if not jobs.exists():
        return []
    noted = jobs.read_text(errors="replace").splitlines()
    ended = {line.removeprefix("ended ") for line in noted if line.startswith("ended ")}
    # the file lies in an output folder: nothing but the presets' commands and a number is run from
    # it
    left = [line for line in dict.fromkeys(noted) if line not in ended and _is_job(line)]
    if kept := _cancel(left):
        log.warning(
            "jobs of before may still run, since they could not be cancelled here; on a machine "
            "that can, run: %s",
            "; ".join(kept),
        )
        write_text(jobs, "".join(f"{job}\n" for job in kept))
    else:
        jobs.unlink(missing_ok=True)
    return left


class Submitted:
    """A shell command that runs, in a session of its own, so that Ctrl-C leaves it alone, and on a
    terminal of its own.

    launch: the preset whose command it is, if it is one
    jobs: file in which the number of its job is noted while that lasts
    hear: told each line that it prints, at once.  On a pipe, sbatch keeps the number of its job to
          itself until that has ended.
    """

    def __init__(
        self, command: str, *, launch: str, jobs: Path, hear: Callable[[str], object]
    ) -> None:
        self._preset, self._jobs, self._hear = PRESETS.get(launch), jobs, hear
        self._job = ""
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
        self._reader = threading.Thread(target=self._read, args=(mine,), daemon=True)
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

    def end(self) -> None:
        """Cancels its job, and ends it and what it started here, in whatever session, frozen or
        not."""
        # before any of it ends: what a process that has ended started cannot be found
        below = {pid: started(pid) for pid in descendants(self._process.pid)}
        if self._job:
            _cancel([self._job])
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self.wait(_END)
        if self._process.poll() is None:
            self._process.kill()
        kill(*(pid for pid, since in below.items() if since is not None and started(pid) == since))

    def note_end(self) -> None:
        """Notes that its job needs no cancelling any more."""
        if self._job:
            _append(self._jobs, f"ended {self._job}")

    def failure(self, status: int, *, log: Path) -> str:
        """Why it, or what it started, failed; log: of what it started."""
        output = " ".join(filter(None, (self.last_words, _last_line(log))))
        return f"the command that starts workers exited with {status}: {output or 'no output'}"

    def _read(self, mine: int) -> None:
        # EIO: nobody holds the other end any more
        with open(mine, errors="replace") as said, suppress(OSError):
            for line in said:
                self._said.append(line)
                self._note_job(line)
                self._hear(line)
        self._process.wait()
        self._ended.set()

    def _note_job(self, line: str) -> None:
        preset = self._preset
        match = re.search(preset.submitted, line) if preset and not self._job else None
        if preset and match:
            self._job = f"{preset.cancel} {match[1]}"
            _append(self._jobs, self._job)


def _is_job(line: str) -> bool:
    command, _, number = line.partition(" ")
    return (
        command in {preset.cancel for preset in PRESETS.values()}
        and re.fullmatch("[0-9]+", number) is not None
    )


def _cancel(jobs: list[str]) -> list[str]:
    """Returns those whose command could not be run, or did not end."""
    failed: list[str] = []
    for command in sorted({job.split()[0] for job in jobs}):
        numbers = [job.split()[1] for job in jobs if job.split()[0] == command]
        for begin in range(0, len(numbers), _AT_ONCE):
            some = numbers[begin : begin + _AT_ONCE]
            try:
                # of jobs that have ended meanwhile, schedulers say that they failed
                subprocess.run(
                    [command, *some], capture_output=True, check=False, timeout=_CANCELLING
                )
            except (OSError, subprocess.TimeoutExpired):
                failed += [f"{command} {number}" for number in some]
    return failed


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
