"""Processes of this machine: what tells one from all others, whether it is gone, what it started,
and how it is ended.

Linux says all of it in /proc; elsewhere `ps` and `sysctl` do, and what nobody says is "" or None:
not known.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

# the number that Linux gives the namespace of pids which sees all processes of the machine
_FIRST_NAMESPACE = "pid:[4026531836]"
_PR_SET_PDEATHSIG = 1


def identity() -> dict[str, Any]:
    """This process, as JSON: host, pid, started, and the boot and the namespace in which the pid
    counts."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": started(os.getpid()),
        "boot": boot(),
        "namespace": namespace(),
    }


def is_gone(recorded: dict[str, Any]) -> bool:
    """Whether the process of that `identity` is known to have ended; False too where that cannot be
    told from here.

    A pid means something in one namespace (container) of one boot of one machine only.  What
    earlier versions wrote names neither; it counts here if the host is this one, and this process
    sees all processes of the machine.
    """
    pid = recorded.get("pid")
    if not isinstance(pid, int) or recorded.get("host") != socket.gethostname():
        return False
    if "boot" in recorded:
        return _is_seen(recorded) and _is_other(pid, recorded.get("started"))
    # a container may have written it, whose numbers are others here
    return sees_all() and all(_is_other(number, recorded.get("started")) for number in _called(pid))


def boot() -> str:
    """What this run of the machine is called, another one after each start; "" where nobody
    says."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return _boot_session()


def namespace() -> str:
    """The namespace of pids of this process; "" where there are none."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def sees_all() -> bool:
    """Whether this process is in no container, so that a process that it does not see is none of
    this machine."""
    return namespace() == _FIRST_NAMESPACE if sys.platform == "linux" else True


def started(pid: int) -> int | str | None:
    """When a process started: in clock ticks since the machine did, elsewhere as `ps` says; None
    where that is not told."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return _asked("ps", "-o", "lstart=", "-p", str(pid)) or None


def descendants(pid: int) -> list[int]:
    """What a process started, and what that started; not what was left by one that has ended."""
    below: dict[int, list[int]] = {}
    for child, parent in _parents():
        below.setdefault(parent, []).append(child)
    processes = list(below.get(pid, ()))
    for child in processes:
        processes += below.get(child, ())
    return processes


def kill(*pids: int) -> None:
    """SIGKILL, which ends frozen processes too; one that is gone, or another's, is left alone."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def die_with_parent() -> None:
    """From here on this process is killed when the thread that started it ends, even while it is
    frozen; on Linux only."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _is_seen(recorded: dict[str, Any]) -> bool:
    """Whether pids mean the same here as where that was written."""
    same = recorded.get("boot") == boot() != "" and recorded.get("namespace") == namespace()
    return same and (namespace() != "" or sys.platform != "linux")


def _is_other(pid: int, since: Any) -> bool:
    """Whether there is no process of that number, or one that started at another time."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    start = started(pid)
    # the times of others may be hidden
    return start is not None and since is not None and start != since


def _called(pid: int) -> Iterator[int]:
    """Processes that have this number, here or in a namespace below this one."""
    yield pid
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            numbers = re.search(r"^NSpid:\s*(.*)$", status.read_text(), re.MULTILINE)
            if numbers and numbers[1].split()[-1:] == [str(pid)]:
                yield int(status.parent.name)


def _parents() -> Iterator[tuple[int, int]]:
    """The pid of each process, and the pid of its parent."""
    stats = list(Path("/proc").glob("[0-9]*/stat"))
    for stat in stats:
        with suppress(OSError, ValueError, IndexError):
            yield int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])
    if not stats:
        for line in _asked("ps", "-A", "-o", "pid=,ppid=").splitlines():
            pid, parent = line.split()
            yield int(pid), int(parent)


@cache
def _boot_session() -> str:
    return _asked("sysctl", "-n", "kern.bootsessionuuid")


def _asked(*command: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=False
        ).stdout.strip()
    return ""
