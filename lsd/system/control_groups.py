"""Control groups (v2) of Linux: what a scheduler or a container allows a process."""

from __future__ import annotations

from pathlib import Path


def groups(root: Path) -> list[Path]:
    """Folders of the process's own control group and of those above it; none where there are none.

    root: of the file system
    """
    name = next(
        (line[3:] for line in lines(root / "proc/self/cgroup") if line.startswith("0::")), None
    )
    if name is None:
        return []
    top = root / "sys/fs/cgroup"
    group = top / name.strip("/")
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(top)]


def lines(path: Path) -> list[str]:
    """Of a file; none where the system has no such file, or it is not ours to read."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
