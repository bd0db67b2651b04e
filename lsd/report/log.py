"""The log of a run: what its scripts said, when, with which command line and versions, in
runs/<name>/log.txt."""

from __future__ import annotations

import fcntl
import logging
import os
import shlex
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType

from lsd.system.versions import versions

_opened: ContextVar[RunLog | None] = ContextVar("opened", default=None)


def note(text: str) -> None:
    """Adds what is on the terminal already to the log of the run that is worked on, if there is
    one."""
    if log := _opened.get():
        log.note(text)


class RunLog(logging.Handler):
    """Inside, what is logged is appended to `path` as well, and what ended it.

    command: that was given; None: another process of the run has written down that one, and how it
             ended is its concern too
    The folder is not made for it: until something else makes it, lines wait, and where a command
    fails before, they are lost.  Each line tells the process, and is written at once and whole, so
    several processes may write at the same time.  A log that cannot be written stops nothing.
    """

    def __init__(self, path: Path, command: Sequence[str] | None) -> None:
        super().__init__(logging.INFO)
        self.path, self._is_other = path, command is None
        self._waiting = [] if command is None else [_header(command)]

    def __enter__(self) -> RunLog:
        logging.getLogger().addHandler(self)
        self._token = _opened.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        logging.getLogger().removeHandler(self)
        _opened.reset(self._token)
        if self._is_other:
            return
        if error is None or isinstance(error, SystemExit):
            self.note("done")
        elif isinstance(error, KeyboardInterrupt):
            self.note(str(error) or "interrupted")
        else:
            self.note("".join(traceback.format_exception(error)).rstrip())

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line, or keeps it until there is a folder."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        try:
            self.note(f"{level}{record.getMessage()}")
        except Exception:
            self.handleError(record)

    def note(self, text: str) -> None:
        """Adds a line, or several that belong together."""
        self.acquire()
        try:
            self._waiting.append(_line(text))
            if self.path.parent.is_dir():
                # one that cannot be written is not kept for later: memory is not for that
                lines, self._waiting = "".join(self._waiting), []
                with suppress(OSError):
                    _append(self.path, lines)
        finally:
            self.release()


def _append(path: Path, text: str) -> None:
    """At the end of a file in one piece, whoever else writes to it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        # not every file system appends without it
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        content = text.encode(errors="backslashreplace")
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def _line(text: str) -> str:
    now = time.time()
    begin = (
        f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now))}.{int(now % 1 * 1000):03d} "
        f"{os.getpid()}"
    )
    first, *further = text.splitlines() or [""]
    return "".join(
        f"{line}\n" for line in (f"{begin} {first}", *(f"    {line}" for line in further))
    )


def _header(command: Sequence[str]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    place = f"in {Path.cwd()} on {socket.gethostname()}, {sys.platform}"
    return _line(f"$ {shlex.join(command)}\n{place}\n{packages}")
