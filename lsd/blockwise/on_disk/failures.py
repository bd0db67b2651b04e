"""What went wrong with the blocks of a step, as workers note it: see `ledger`."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# seconds in which a file may be written to twice and have one time of its last change
_STEPS = 3.0


@dataclass(frozen=True)
class Failure:
    """Why a block failed; index None: its worker did not start.  fatal: no other block can do
    better (disk full)."""

    index: int | None
    error: str
    trace: str
    fatal: bool = False

    @property
    def end(self) -> str:
        """What is said where it ends a run."""
        return f"{self.error}; make room, then the same command goes on from here"


def read_failures(folder: Path) -> list[Failure]:
    """What went wrong since the failures were last cleared."""
    return [failure for path in sorted(folder.glob("*.failed")) for failure in _failures(path)]


class Failures:
    """What goes wrong while workers are at work; files that rest for a while are not read again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # of each file: its time, when that was first seen, what it holds
        self._seen: dict[Path, tuple[int, float, list[Failure]]] = {}

    def all(self) -> list[Failure]:
        """All so far."""
        for path in self.folder.glob("*.failed"):
            with suppress(OSError):
                changed, now = path.stat().st_mtime_ns, time.monotonic()
                before, since, _ = self._seen.get(path, (None, now, []))
                first = since if before == changed else now
                if now - first < _STEPS:
                    self._seen[path] = (changed, first, _failures(path))
        return [failure for _, _, failures in self._seen.values() for failure in failures]


def clear_failures(folder: Path) -> None:
    """Forgets what went wrong in an earlier run."""
    for path in folder.glob("*.failed"):
        path.unlink(missing_ok=True)


def _failures(path: Path) -> list[Failure]:
    failures = []
    with suppress(OSError):
        for line in path.read_bytes().rstrip(b"\0").splitlines():
            with suppress(ValueError, TypeError):
                failures.append(Failure(**json.loads(line)))
    return failures
