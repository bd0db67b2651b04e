"""One run at a time on one output: a lock file that says who holds it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def exclusive(target: Path) -> Iterator[bool]:
    """Holds <target>.lock; yields whether an earlier holder was killed without giving it back.

    A lock is stale if its process, told by host, pid and start time, is gone.  Raises RuntimeError naming host and pid where
    it is not, or where it was taken on another machine: whether that one still runs cannot be seen from here.  OSError where
    nothing can be written, or nothing more.
    """
    path = target.with_name(f"{target.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stale = _take(path)
    except OSError as error:
        raise OSError(f"cannot write {target}: {error}; mend that, or set runs= to another folder") from error
    try:
        yield stale
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(f"cannot write {target}: {error}; make room, then the same command goes on from here") from error
    finally:
        path.unlink(missing_ok=True)


def holder(target: Path) -> str:
    """Who holds the lock of `target`, in words; "" if no one does, or the process is gone."""
    found = _read(target.with_name(f"{target.name}.lock"))
    return "" if found is None or _is_gone(found) else f"run by process {found.get('pid', '?')} on {found.get('host', '?')}"


def _take(path: Path) -> bool:
    own = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}")
    stale = False
    try:
        own.write_text(json.dumps(_here()))
        while True:
            try:
                # a link is made whole or not at all, on network file systems too
                os.link(own, path)
                return stale
            except FileExistsError:
                there = _read(path)
                if there is None:
                    continue
                if not _is_gone(there):
                    raise RuntimeError(_refusal(path, there)) from None
                stale = _break(path) or stale
    finally:
        own.unlink(missing_ok=True)


def _break(path: Path) -> bool:
    """Deletes a stale lock; False where another process was faster, whose lock may stand there by now."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        # what is open and locked is what is deleted: its number is not given away while it is open
        if os.path.samestat(os.fstat(file.fileno()), path.stat()) and _is_gone(_read(path) or {}):
            path.unlink()
            return True
    return False


def _read(path: Path) -> dict[str, Any] | None:
    """Who holds the lock; None if it was given back just now."""
    try:
        content = json.loads(path.read_bytes())
        return content if isinstance(content, dict) else {}
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def _here() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def _is_gone(there: dict[str, Any]) -> bool:
    if there.get("host") != socket.gethostname() or not isinstance(there.get("pid"), int):
        return False
    try:
        os.kill(there["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    # another process may have been given the number since
    return bool(_started(there["pid"]) != there.get("started"))


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since the machine did; None where that cannot be told."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _refusal(path: Path, there: dict[str, Any]) -> str:
    return (
        f"{path.with_suffix('')} is being written by process {there.get('pid', '?')} on host {there.get('host', '?')}; "
        f"wait for it, or, if you know that it is gone, delete {path}"
    )
