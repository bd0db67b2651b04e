"""How much memory there still is."""

from __future__ import annotations

from pathlib import Path


def available(*, root: Path = Path("/")) -> int | None:
    """Bytes that this process can still take: what the machine has, or its control group (v2) if
    that is less.

    None where neither says.  root: of the file system, for tests.
    """
    limits = [_machine(root / "proc/meminfo"), *_groups(root)]
    stated = [value for value in limits if value is not None]
    return min(stated) if stated else None


def _machine(path: Path) -> int | None:
    fields = dict(line.split(":", 1) for line in _lines(path) if ":" in line)
    return int(fields["MemAvailable"].split()[0]) << 10 if "MemAvailable" in fields else None


def _groups(root: Path) -> list[int | None]:
    """The limits of the process's own control group and of those above it."""
    name = next(
        (line[3:] for line in _lines(root / "proc/self/cgroup") if line.startswith("0::")), None
    )
    if name is None:
        return []
    top = root / "sys/fs/cgroup"
    group = top / name.strip("/")
    return [_group(folder) for folder in (group, *group.parents) if folder.is_relative_to(top)]


def _group(folder: Path) -> int | None:
    limit = "".join(_lines(folder / "memory.max")).strip()
    used = next(
        (line.split()[1] for line in _lines(folder / "memory.stat") if line.startswith("anon ")),
        None,
    )
    return max(0, int(limit) - int(used)) if limit.isdigit() and used is not None else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        # another system, or not ours to read: nothing is known
        return []
