"""Where a run writes: beside an earlier result until the new one is whole, or into it where it goes
on with it.

Nothing is removed but what this program wrote: see `strangers`.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lsd.blockwise.on_disk.lock import ELSEWHERE, exclusive
from lsd.blockwise.on_disk.owned import is_torn, remember_arrays, strangers
from lsd.blockwise.on_disk.step import Step, load_step
from lsd.blockwise.on_disk.written import arrays_without_successor, refuse_edited, steps_of
from lsd.system.signals import held_back

log = logging.getLogger(__name__)

_PARTIAL = ".partial"
# what else a person can do where the output of a run is in the way of what is not its own
_RENAME = "give the volume, or the run, another name="
# in <container>/blocks: an earlier result that is being removed, and a sign that writers were
# killed
REPLACED, _TORN = ".replaced", ".torn"


@contextmanager
def working(target: Path, first: Step, *, elsewhere: str | None = None) -> Iterator[Path]:
    """The container to write for `target`: <target>.partial if there is one, `target` if its first
    step is the one of this run, else <target>.partial anew.  When the body ends without an error,
    it stands at `target`.

    Holds the lock of `target`.

    first:     the step that decides; where its container lies does not matter
    elsewhere: what else a person can do where `target` cannot be written, or is another's; None: as
               for the outputs of a run
    Raises RuntimeError where another run writes, OSError where the folder cannot be
    written, ValueError where something would be removed, or mixed with, that this program did not
    write.
    """
    with exclusive(target, elsewhere=elsewhere or ELSEWHERE) as killed:
        partial = partial_of(target)
        differing = None if partial.exists() else _differences(target, first)
        container = target if differing == [] else partial
        if container != target:
            _refuse_strangers(partial, elsewhere or _RENAME)
            _refuse_in_the_way(target, elsewhere or _RENAME)
        if differing:
            log.info(
                "%s is made anew, and stays until that is done: %s", target, "; ".join(differing)
            )
        if killed or _torn(container).exists():
            delete_torn_files(container)
            _torn(container).unlink(missing_ok=True)
        container.mkdir(parents=True, exist_ok=True)
        remember_arrays(container)
        _remove_replaced(container)
        yield container
        if container != target:
            # somebody may have been at work there meanwhile
            _refuse_in_the_way(target, elsewhere or _RENAME)
            _say_lost(target, container)
            with held_back():
                _swap(container, target)
            _remove_replaced(target)


def partial_of(target: Path) -> Path:
    """Where the container of `target` is written until it is whole."""
    return target.with_name(f"{target.name}{_PARTIAL}")


def target_of(container: Path) -> Path:
    """What a container is called once it is whole.  A folder of a volume called "a.partial" is no
    container beside another."""
    whole = container.with_name(container.name.removesuffix(_PARTIAL))
    return whole if whole.suffix == ".zarr" else container


def delete_torn_files(container: Path) -> int:
    """Deletes what writers that were killed left half written; returns how many files.  No other
    may be at work."""
    count = 0
    for folder, _, files in os.walk(container):
        for name in files:
            path = Path(folder) / name
            if is_torn(path.relative_to(container)):
                path.unlink(missing_ok=True)
                count += 1
    return count


def note_torn(container: Path) -> None:
    """Notes that a writer was killed, so that the next run sweeps, if this one does not come to
    it."""
    _torn(container).touch()


def _torn(container: Path) -> Path:
    return container / "blocks" / _TORN


def _refuse_strangers(container: Path, elsewhere: str) -> None:
    paths = strangers(container)
    if paths:
        named = ", ".join(str(path) for path in paths[:3]) + (" and more" if len(paths) > 3 else "")
        raise ValueError(
            f"{container} holds what this program did not write: {named}; it is in the way and "
            f"nothing of it is removed: move it elsewhere, or {elsewhere}"
        )


def _refuse_in_the_way(target: Path, elsewhere: str) -> None:
    """ValueError where an earlier result holds what a person made: it would go with it."""
    _refuse_strangers(target, elsewhere)
    refuse_edited(steps_of(target))


def _swap(container: Path, target: Path) -> None:
    """Puts a whole container in the place of an earlier one, which is kept in it until both stand.

    Killed in between, the new one is still beside its place, and the next run puts it there.
    """
    replaced = container / "blocks" / REPLACED
    if target.exists():
        replaced.parent.mkdir(exist_ok=True)
        os.replace(target, replaced)
    try:
        os.replace(container, target)
    except OSError:
        if replaced.exists():
            os.replace(replaced, target)
        raise


def _remove_replaced(container: Path) -> None:
    replaced = container / "blocks" / REPLACED
    if not replaced.exists():
        return
    try:
        shutil.rmtree(replaced)
    except OSError as error:
        log.warning(
            "%s, an earlier result, cannot be removed (%s); the next run tries again",
            replaced,
            error,
        )


def _say_lost(target: Path, container: Path) -> None:
    """Tells what is not made anew and goes with the earlier result."""
    names = arrays_without_successor(target, container) if target.exists() else []
    if names:
        log.info("%s: removed with the earlier result: %s", target, ", ".join(names))


def _differences(target: Path, first: Step) -> list[str] | None:
    """What the step at `target` differs in; None if there is none."""
    folder = replace(first, container=target).folder
    if not (folder / "step.json").exists():
        return None
    return first.differs(load_step(folder))
