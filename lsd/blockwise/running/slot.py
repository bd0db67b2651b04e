"""A small number for each process of a group on one machine, given back when the process ends,
however it ends."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from itertools import count
from pathlib import Path
from typing import IO

# open for as long as the process lives: the lock goes with them
_held: list[IO[str]] = []


def take_slot(group: str) -> int:
    """The smallest number that no living process of the group on this machine has: 0, 1, 2 ..

    A worker that is started in place of one that died gets its number, and so its GPU.
    """
    name = hashlib.sha256(f"{os.getuid()} {group}".encode()).hexdigest()[:16]
    for number in count():
        file = (Path(tempfile.gettempdir()) / f"lsd-{name}-{number}.slot").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        _held.append(file)
        return number
    raise AssertionError("numbers do not end")
