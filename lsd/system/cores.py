"""How many cores there are for this process, and threads that are too many for them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from lsd.system.control_groups import groups, lines


def cores(*, root: Path = Path("/")) -> int:
    """Cores that this process may use: those of the machine, or fewer where a scheduler or
    taskset binds it to some, or its control group (v2) has a quota, rounded up.

    root: of the file system, for tests.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min([bound or 1, *(quota for folder in groups(root) for quota in _quota(folder))])


def too_many_threads(threads: int | None, setting: str, *, processes: int = 1) -> Iterator[str]:
    """What speaks against so many threads inside the network, and what to take instead; nothing
    where there are cores enough.

    threads, setting: of each process, and their name in a config
    """
    there = cores()
    if threads is None or threads == 1 or processes * threads <= there:
        return
    each = "" if processes == 1 else f" in each of {processes} processes"
    are = "is 1 core" if there == 1 else f"are {there} cores"
    yield (
        f"{setting}={threads}{each}, and there {are} to compute on, so threads wait for each "
        f"other, which can take nearly twice the time; take {setting}={max(1, there // processes)}"
    )


def _quota(folder: Path) -> Iterator[int]:
    """Cores' time that a group may take; nothing where it may take any."""
    quota, _, period = "".join(lines(folder / "cpu.max")).strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        yield max(1, math.ceil(int(quota) / int(period)))
