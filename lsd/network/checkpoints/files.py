"""The checkpoints of a stage in their folder: what they are called, which is the newest and which
the best, and which are deleted.  Nothing of them is read.

iteration_00000100.pt    the checkpoint after so many iterations
best.pt                  a second name of the one that validated best
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from lsd.system.atomic import replacing

BEST = "best.pt"
_NAME = re.compile(r"iteration_(\d{8,})\.pt")


def file_name(iteration: int) -> str:
    """Name of the file of the checkpoint after that many iterations."""
    return f"iteration_{iteration:08d}.pt"


def iteration(path: Path) -> int | None:
    """How many iterations a checkpoint is of, by its name; None if that does not say."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def listing(folder: Path) -> list[Path]:
    """Checkpoints in a folder, the oldest iteration first; best.pt and unfinished files are none of
    them."""
    numbered = ((iteration(path), path) for path in folder.glob("iteration_*.pt"))
    return [path for _, path in sorted((n, path) for n, path in numbered if n is not None)]


def newest_file(folder: Path) -> Path | None:
    """The checkpoint of the highest iteration; None if there is none.  It is whole: files appear
    only when they are."""
    return next(reversed(listing(folder)), None)


def best_file(folder: Path) -> Path | None:
    """The checkpoint that validated best; None if there is none."""
    path = folder / BEST
    return path if path.exists() else None


def make_best(path: Path) -> None:
    """Names a checkpoint the best of its folder, atomically; a link where the file system has
    links, else a copy."""
    with replacing(path.with_name(BEST), many_writers=True, durable=True) as staged:
        try:
            os.link(path, staged)
        except OSError:
            staged.write_bytes(path.read_bytes())


def prune(folder: Path, *, keep: int) -> None:
    """Deletes all but the newest `keep` checkpoints, and what killed processes left; best.pt stays.
    For the one who writes."""
    for path in [*listing(folder)[:-keep], *folder.glob("*.partial")]:
        path.unlink(missing_ok=True)
