"""Processes of a run on other machines: a command for each machine, which starts those there and
lasts as long as they do (`lsd.blockwise.running.submit`)."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from lsd.blockwise.running.submit import Submitted, cancel_noted, submit_command
from lsd.spec import Hosts, Train
from lsd.training.devices.store import Report, Store, report, report_of, store_value, stored_value

# seconds that machines have to end what runs there, told to
_PATIENCE = 10.0
SIGNAL = "signal"


class Elsewhere:
    """train.hosts.count commands, each of which starts train.devices processes on a machine.

    store: where all of them report; address: of it; folder: for logs, and numbers of jobs
    """

    def __init__(self, store: Store, address: str, *, train: Train, folder: Path) -> None:
        self._store, self._train, self._folder = store, train, folder
        self._noted: set[int] = set()
        self._shown = 0
        folder.mkdir(parents=True, exist_ok=True)
        # those of a run that was killed
        cancel_noted(self._jobs)
        self._commands: list[Submitted] = []
        try:
            for place in range(train.hosts.count):
                self._log(place).unlink(missing_ok=True)
                command = Submitted(
                    machine_command(address, place, hosts=train.hosts, log=self._log(place)),
                    launch=str(train.hosts.launch),
                    jobs=self._jobs,
                    hear=lambda line: None,
                )
                self._commands.append(command)
        except BaseException:
            self.kill()
            raise

    @property
    def runs(self) -> bool:
        """Whether any of the commands does."""
        return any(command.wait(0) is None for command in self._commands)

    def look(self) -> None:
        """Reports the commands that failed, and prints what the first process says."""
        self._show()
        for place, command in enumerate(self._commands):
            status = command.wait(0)
            first = place * self._train.devices
            ranks = range(first, first + self._train.devices)
            if not status or place in self._noted:
                continue
            self._noted.add(place)
            if not any(report_of(self._store, rank) for rank in ranks):
                words = command.failure(status, log=self._log(place))
                report(self._store, Report(first, "refused", words))

    def signal(self, name: str) -> None:
        """Has a signal sent to all processes, and cancels the jobs that have not begun."""
        store_value(self._store, SIGNAL, name)
        for place, command in enumerate(self._commands):
            if command.wait(0) is None and stored_value(self._store, machine_name(place)) is None:
                # what ends it is no news
                self._noted.add(place)
                command.end()

    def kill(self) -> None:
        """Ends all processes, and cancels the jobs that have not ended then."""
        self.signal("SIGKILL")
        until = time.monotonic() + _PATIENCE
        while self.runs and time.monotonic() < until:
            time.sleep(0.1)
        for command in self._commands:
            if command.wait(0) is None:
                command.end()
            command.note_end()
        self._show()
        self._jobs.unlink(missing_ok=True)

    @property
    def _jobs(self) -> Path:
        return self._folder / "jobs"

    def _log(self, place: int) -> Path:
        # links in a path stay: where they lead may be another place elsewhere
        return self._folder.absolute() / f"machine-{place}.log"

    def _show(self) -> None:
        """Whole lines that the first machine wrote since the last look."""
        with suppress(OSError), self._log(0).open("rb") as log:
            log.seek(self._shown)
            said = log.read()
            whole = said[: said.rfind(b"\n") + 1]
            self._shown += len(whole)
            sys.stdout.write(whole.decode(errors="replace"))
            sys.stdout.flush()


def machine_name(place: int) -> str:
    """The name under which a machine says that it is there."""
    return f"begun/{place}"


def machine_command(address: str, place: int, *, hosts: Hosts, log: Path) -> str:
    """What a shell here is given to start the processes of one machine.

    address: where they report; place: 0 .. hosts.count - 1; log: of what is printed there
    """
    words = [sys.executable, "-m", "lsd.training.devices.machine", address, str(place)]
    return submit_command(
        [*words, "--cwd", str(Path.cwd())],
        launch=str(hosts.launch),
        options=hosts.options,
        name="lsd-train",
        log=log,
        place=place,
    )
