"""The processes that the scheduler asks for, on this machine: started, watched, and ended when they
should be gone.

daisy waits for each without end, and leaves it to a worker to end itself when a block takes too
long.  One that is frozen (SIGSTOP, the freezer of its control group) does not: it is known by its
silence, and SIGKILL ends it all the same.
"""

from __future__ import annotations

import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from os import close, environ, pipe, read
from pathlib import Path
from typing import Any, ClassVar, Protocol

from lsd.blockwise.running.pulse import BUSY
from lsd.spec.kinds import imported
from lsd.system.process import descendants, kill

# seconds without a sign of life that a process with no block in hand may take, to load what it
# needs
_LOADING = 60.0
# the same when there is nothing left to do
_STILL = 3.0
# lines of what a process said last
_TAIL = 50


class Work(Protocol):
    """What a process does.  patience: seconds that it may take to end when the scheduler has."""

    patience: ClassVar[float]

    def __call__(self) -> None:
        """Returns when there is nothing left to do, or the scheduler is gone."""


@dataclass
class _Member:
    process: subprocess.Popen[bytes]
    signs: int
    heard: float = field(default_factory=time.monotonic)
    busy: bool = False
    verdict: str = ""

    def listen(self) -> None:
        """Returns when it has ended."""
        poll = select.poll()
        poll.register(self.signs)
        open_ = True
        while self.process.poll() is None:
            if not open_:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.5)
            elif poll.poll(500):
                signs = read(self.signs, 1 << 12)
                open_ = bool(signs)
                if signs:
                    self.heard, self.busy = time.monotonic(), signs[-1:] == BUSY

    def kill(self, verdict: str) -> None:
        """Ends it, and what it started."""
        self.verdict = self.verdict or verdict
        below = descendants(self.process.pid)
        self.process.kill()
        kill(*below)


class Crew:
    """Processes that do `work`.

    logs: folder for what they print; timeout: seconds that a block may take; is_over: whether the
          scheduler on that port has
    ended.  error: what the last one that died said, "" if none did
    """

    def __init__(
        self, work: Work, logs: Path, *, timeout: float, is_over: Callable[[int], bool]
    ) -> None:
        self.error = ""
        self._work, self._logs, self._timeout, self._is_over = work, logs, timeout, is_over
        self._members: dict[int, _Member] = {}
        self._changing = threading.Lock()
        self._port: int | None = None
        self._over: float | None = None

    def run(self, context: Any) -> None:
        """Starts a process, with the context that the scheduler gave for it, and returns when it
        has ended.

        Raises RuntimeError with what it said where that was not as it should be.
        """
        with self._changing:
            self._port = int(context["port"])
            place = next(
                number for number in range(len(self._members) + 1) if number not in self._members
            )
            self._logs.mkdir(parents=True, exist_ok=True)
            out, err = (self._logs / f"worker_{place}.{kind}" for kind in ("out", "err"))
            begin = err.stat().st_size if err.exists() else 0
            member = self._members[place] = self._start(context.to_env(), out, err)
        try:
            member.listen()
        finally:
            close(member.signs)
            with self._changing:
                del self._members[place]
        if member.process.returncode:
            self.error = "\n".join(filter(None, (self._end(member), _tail(err, begin))))
            raise RuntimeError(self.error)

    def look(self) -> None:
        """Ends those that should have ended; to be called now and then, from another thread."""
        with self._changing:
            members = list(self._members.values())
            if self._over is None and self._port is not None and self._is_over(self._port):
                self._over = time.monotonic()
        for member in members:
            if verdict := self._judge(member):
                member.kill(verdict)

    def end(self) -> None:
        """Ends all that are left."""
        with self._changing:
            members = list(self._members.values())
        for member in members:
            member.kill("was killed at the end of the run")

    def _start(self, context: str, out: Path, err: Path) -> _Member:
        signs, its = pipe()
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; from lsd.blockwise.running.pulse import "
            f"main; main({its}, {imported()!r})"
        )
        try:
            with out.open("ab") as stdout, err.open("ab") as stderr:
                process = subprocess.Popen(
                    [sys.executable, "-c", code],
                    stdin=subprocess.PIPE,
                    stdout=stdout,
                    stderr=stderr,
                    pass_fds=[its],
                    env={**environ, "DAISY_CONTEXT": context},
                )
        except BaseException:
            close(signs)
            raise
        finally:
            # so that the end of the process is the end of its signs
            close(its)
        assert process.stdin is not None
        # less than a pipe holds; one that died at once says so by its exit status
        with suppress(BrokenPipeError), process.stdin as sent:
            sent.write(pickle.dumps(self._work))
        return _Member(process, signs)

    def _judge(self, member: _Member) -> str:
        """Why it is to be ended; "" if it is not."""
        now = time.monotonic()
        silent = now - member.heard
        if self._over is not None:
            late = now - self._over
            if late > self._work.patience or (late > _STILL and silent > _STILL):
                return "did not end with the run, and was killed"
        elif silent > (self._timeout if member.busy else max(self._timeout, _LOADING)):
            return f"gave no sign of life for {silent:.0f} s, as if frozen, and was killed"
        return ""

    def _end(self, member: _Member) -> str:
        from daisy import _daisy

        status, who = member.process.returncode, f"process {member.process.pid}"
        if member.verdict:
            return f"{who} {member.verdict}"
        if status == _daisy.EXIT_BLOCK_TIMEOUT:
            return f"{who} was killed as a block took longer than {self._timeout:g} s"
        return (
            f"{who} was killed by {signal.Signals(-status).name}"
            if status < 0
            else f"{who} exited with status {status}"
        )


def _tail(path: Path, begin: int) -> str:
    """The last lines of a file from byte `begin` on."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(begin)
        return "\n".join(file.read().decode(errors="replace").strip().splitlines()[-_TAIL:])
    return ""
