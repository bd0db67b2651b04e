"""One run at a time on one output: a lock file that says who holds it, and that its holder keeps
locked.

Two signs of life are told apart.  The holder keeps the file open under flock, which the system
gives back when the process ends, however it ends; but some network file systems know no flock, or
keep it to one machine.  And the file names the process; but its number means something in one
container of one boot of one machine only.  A lock is taken from another only if one of the two
proves that the holder is gone.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lsd.system.process import boot, identity, is_gone
from lsd.system.signals import held_back

# seconds that another process may take to clear away a stale lock
_CLEARING = 2.0
# file systems of one machine: nobody elsewhere can hold a lock on them
_LOCAL = frozenset(
    (
        "bcachefs",
        "btrfs",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "jfs",
        "overlay",
        "ramfs",
        "tmpfs",
        "xfs",
        "zfs",
    )
)
# what else a person can do where the output of a run cannot be written
ELSEWHERE = "set runs= to another folder"


class Held(RuntimeError):
    """Another process holds a lock; the message says which, and the way out."""


@contextmanager
def exclusive(target: Path, *, elsewhere: str = ELSEWHERE) -> Iterator[bool]:
    """Holds <target>.lock; yields whether an earlier holder was killed without giving it back.

    elsewhere: what else a person can do where it cannot be written
    Raises Held, a RuntimeError, naming host and pid where the holder may be alive, with the way
    out: which file to delete.  OSError where nothing can be written, or nothing more.
    """
    path, own, stale = lock_of(target), None, False
    try:
        # a Ctrl-C in the midst of it would leave a lock that nobody gives back
        with held_back():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                own, stale = _take(path, target)
            except OSError as error:
                raise OSError(
                    f"cannot write {target}: {error}; mend that, or {elsewhere}"
                ) from error
        try:
            yield stale
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise OSError(
                f"cannot write {target}: {error}; make room, then the same command goes on from "
                f"here"
            ) from error
    finally:
        if own is not None:
            with held_back():
                _give_back(path, own)


def lock_of(target: Path) -> Path:
    """Where the lock of `target` lies: beside it, whatever dots its name has."""
    path = target.with_name(f"{target.name}.lock")
    # the output of a volume that is called so
    return path if not path.is_dir() else path.with_name(f".{path.name}")


def holder(target: Path) -> str:
    """Who holds the lock of `target`, in words; "" if no one does, or the process is gone."""
    path = lock_of(target)
    record = _read(path)
    return (
        ""
        if record is None or _is_stale(path)
        else f"run by process {record.get('pid', '?')} on {record.get('host', '?')}"
    )


def _take(path: Path, target: Path) -> tuple[int, bool]:
    """(the descriptor that holds it, whether it was stale)."""
    staged = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(staged, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    try:
        locked = _flock(descriptor) is True
        os.write(
            descriptor,
            json.dumps(
                {**identity(), "flock": locked, "device": os.fstat(descriptor).st_dev}
            ).encode(),
        )
        return descriptor, _link(staged, path, target)
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        staged.unlink(missing_ok=True)


def _link(staged: Path, path: Path, target: Path) -> bool:
    """Makes the file the lock; whether it had to be taken from a holder that is gone."""
    stale, until = False, time.monotonic() + _CLEARING
    while True:
        try:
            # a link is made whole or not at all, on network file systems too
            os.link(staged, path)
            return stale
        except FileExistsError:
            # a server may make a link and say that it is there already, when it is asked twice
            if _is_same(staged, path):
                return stale
            holder = _read(path)
        if holder is None:
            if path.is_symlink() and time.monotonic() > until:
                raise OSError(f"{path} is a link that leads nowhere; delete it") from None
            continue
        if _break(path):
            stale = True
        elif not is_gone(holder) or time.monotonic() > until:
            raise Held(_refusal(path, target, holder)) from None
        else:
            # another process is about to delete it
            time.sleep(0.05)


def _is_same(one: Path, other: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samefile(one, other)
    return False


def _break(path: Path) -> bool:
    """Deletes a stale lock; False where its holder may be alive, or another process was faster."""
    with suppress(FileNotFoundError):
        descriptor = _open(path)
        try:
            # what is open and locked is what is deleted: its number is not given away while it is
            # open
            if _proves(descriptor, path) and os.path.samestat(os.fstat(descriptor), path.stat()):
                path.unlink()
                return True
        finally:
            os.close(descriptor)
    return False


def _is_stale(path: Path) -> bool:
    try:
        descriptor = _open(path)
    except OSError:
        return False
    try:
        return _proves(descriptor, path)
    finally:
        os.close(descriptor)


def _proves(descriptor: int, path: Path) -> bool:
    """Whether the holder of an open lock file is gone for certain."""
    record, taken = _read(path) or {}, _flock(descriptor)
    if taken is False:
        return False
    if "boot" not in record:
        # of an earlier version: a machine elsewhere may have the same name
        return is_gone(record) and _is_local(path)
    if is_gone(record):
        return True
    if not taken:
        return False
    if record["boot"] != boot():
        # of another machine, or of this one before it was started anew: only the latter writes to
        # its disks
        return bool(record["boot"]) and _is_local(path)
    # one kernel, one mounted file system: had the holder it open still, it could not be taken
    return record.get("flock") is True and record.get("device") == os.fstat(descriptor).st_dev


def _open(path: Path) -> int:
    try:
        # NFS locks for writing only what is open for it
        return os.open(path, os.O_RDWR)
    except PermissionError:
        return os.open(path, os.O_RDONLY)


def _flock(descriptor: int) -> bool | None:
    """Locks an open file: whether that worked, False if another process has it, None where the file
    system cannot tell."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return None


def _is_local(path: Path) -> bool:
    """Whether a file lies on a disk, or in the memory, of this machine alone; False where nobody
    says."""
    place, kind, length = path.resolve(), "", 0
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            mount, _, file_system = line.partition(" - ")
            point = mount.split()[4].encode().decode("unicode_escape")
            if place.is_relative_to(point) and len(point) >= length:
                kind, length = file_system.split()[0], len(point)
    return kind in _LOCAL


def _give_back(path: Path, descriptor: int) -> None:
    """Deletes the lock, if it is still this process's own: who was told to may have deleted it, and
    another taken it."""
    try:
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                path.unlink()
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any] | None:
    """Who holds the lock; None if it was given back just now."""
    try:
        content = json.loads(path.read_bytes())
        return content if isinstance(content, dict) else {}
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def _refusal(path: Path, target: Path, record: dict[str, Any]) -> str:
    return (
        f"{target} is being written by process {record.get('pid', '?')} on host "
        f"{record.get('host', '?')}; "
        f"wait for it, or, if you know that it is gone, delete {path}"
    )
