"""How much memory there still is."""

from __future__ import annotations

from pathlib import Path

from lsd.system.control_groups import groups, lines


def available(*, root: Path = Path("/")) -> int | None:
    """Bytes that this process can still take: what the machine has, or its control group (v2) if
    that is less.

    None where neither says.  root: of the file system, for tests.
    """
    limits = [_machine(root / "proc/meminfo"), *map(_group, groups(root))]
    stated = [value for value in limits if value is not None]
    return min(stated) if stated else None


def _machine(path: Path) -> int | None:
    fields = dict(line.split(":", 1) for line in lines(path) if ":" in line)
    return int(fields["MemAvailable"].split()[0]) << 10 if "MemAvailable" in fields else None


def _group(folder: Path) -> int | None:
    limit = "".join(lines(folder / "memory.max")).strip()
    stat = dict(line.split(" ", 1) for line in lines(folder / "memory.stat") if " " in line)
    # what processes share is nobody's file, and is not given up either
    used = int(stat.get("anon", 0)) + int(stat.get("shmem", 0))
    return max(0, int(limit) - used) if limit.isdigit() and "anon" in stat else None
