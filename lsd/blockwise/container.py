"""Where a run writes: beside an earlier result until the new one is whole, or into it where it goes on with it."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lsd.blockwise.lock import exclusive
from lsd.blockwise.step import Step, differences, load_step
from lsd.blockwise.written import lost

log = logging.getLogger(__name__)


@contextmanager
def working(target: Path, first: Step) -> Iterator[Path]:
    """The container to write for `target`: <target>.partial if there is one, `target` if its first step is the one of this
    run, else <target>.partial anew.  When the body ends without an error, it stands at `target`.

    Holds the lock of `target`.  first: the step that decides; its container is of no matter.
    Raises RuntimeError where another run writes, OSError where the folder cannot be written.
    """
    with exclusive(target) as killed:
        partial = beside(target)
        found = None if partial.exists() else _differences(target, first)
        container = target if found == [] else partial
        if found:
            log.info("%s is made anew, and stays until that is done: %s", target, "; ".join(found))
        if killed:
            sweep(container)
        container.mkdir(parents=True, exist_ok=True)
        yield container
        if container != target:
            _say_lost(target, container)
            shutil.rmtree(target, ignore_errors=True)
            os.replace(container, target)


def beside(target: Path) -> Path:
    """Where the container of `target` is written until it is whole."""
    return target.with_name(f"{target.name}.partial")


def target_of(container: Path) -> Path:
    """What a container is called once it is whole."""
    return container.with_name(container.name.removesuffix(".partial"))


def sweep(container: Path) -> int:
    """Deletes what writers that were killed left half written; returns how many files.  No other may be at work."""
    count = 0
    for folder, _, files in os.walk(container):
        for name in files:
            if name.endswith(".partial"):
                (Path(folder) / name).unlink(missing_ok=True)
                count += 1
    return count


def _say_lost(target: Path, container: Path) -> None:
    """Tells what is not made anew and goes with the earlier result."""
    gone = lost(target, container) if target.exists() else []
    if gone:
        log.info("%s: removed with the earlier result: %s", target, ", ".join(gone))


def _differences(target: Path, first: Step) -> list[str] | None:
    """What the step at `target` differs in; None if there is none."""
    folder = replace(first, container=target).folder
    if not (folder / "step.json").exists():
        return None
    return differences(load_step(folder).fingerprint, first.depends_on())
