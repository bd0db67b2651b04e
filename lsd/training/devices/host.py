"""The processes of one machine that share a run: started, watched, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from lsd.system.process import descendants, kill
from lsd.training.devices.store import LOOPBACK, VARIABLE, Report, Store, report

# lines of what a process said last, where it died without a word
_TAIL = 20
_PROGRAM = "from lsd.training.devices.process import main; main()"
# Ctrl-C while it imports ends it without a traceback
_QUIET = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"


class Host:
    """Processes number `first` and up, of `size` on all machines, each with its own GPU if there
    are any.

    store: where they report; address: of it; logs: folder for what all but the first of all print
    """

    def __init__(
        self, store: Store, address: str, *, first: int, count: int, size: int, logs: Path
    ) -> None:
        self._store, self._logs = store, logs
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._noted: set[int] = set()
        logs.mkdir(parents=True, exist_ok=True)
        try:
            for place in range(count):
                environment = _environment(address, first + place, place, count=count, size=size)
                self._processes[first + place] = self._start(first + place, environment)
        except BaseException:
            self.kill()
            raise

    @property
    def runs(self) -> bool:
        """Whether any of them does."""
        return any(process.poll() is None for process in self._processes.values())

    def look(self) -> None:
        """Reports those that ended without a word."""
        for number, process in self._processes.items():
            if process.poll() and number not in self._noted:
                self._noted.add(number)
                how = self._obituary(number, process.returncode)
                report(self._store, Report(number, "died", how, pid=process.pid))

    def signal(self, name: str) -> None:
        """Sends a signal to all that run."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.Signals[name])

    def kill(self) -> None:
        """Ends them, and what they started, at once."""
        for number, process in self._processes.items():
            if process.poll() is None:
                # what ends it from here on is no news
                self._noted.add(number)
                below = descendants(process.pid)
                process.kill()
                kill(*below)
        for process in self._processes.values():
            process.wait()

    def _start(self, number: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        code = f"{_QUIET}; import sys; sys.path[:] = {sys.path!r}; {_PROGRAM}"
        with ExitStack() as opened:
            said = None if number == 0 else opened.enter_context(self._log(number).open("wb"))
            return subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**os.environ, **environment},
                # Ctrl-C is passed on, once
                start_new_session=True,
            )

    def _log(self, number: int) -> Path:
        return self._logs / f"process-{number}.log"

    def _obituary(self, number: int, status: int) -> str:
        how = (
            f"was killed by {signal.Signals(-status).name}"
            if status < 0
            else f"ended with exit status {status}"
        )
        advice = "; if memory ran out, lower train.batch_size, train.workers or train.devices"
        log = self._log(number)
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        last = f"; it said last (in {log}): {lines[-1]}" if lines and number else ""
        return f"{how}{advice if status == -signal.SIGKILL else ''}{last}"


def _environment(address: str, number: int, place: int, *, count: int, size: int) -> dict[str, str]:
    """As torchrun names it."""
    numbers = {
        "RANK": number,
        "WORLD_SIZE": size,
        "LOCAL_RANK": place,
        "LOCAL_WORLD_SIZE": count,
    }
    own = {VARIABLE: address, **{name: str(value) for name, value in numbers.items()}}
    if address.startswith(LOOPBACK) and "GLOO_SOCKET_IFNAME" not in os.environ:
        # on one machine: whatever its name stands for, and whether it has a network
        own["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
    return own
