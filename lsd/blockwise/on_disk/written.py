"""Arrays of a container, by the steps that write them: which are whole, and which go when a step is
forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from lsd.blockwise.on_disk.ledger import (
    note_whole,
    noted_arrays,
    read_ledger,
    rewrite,
    was_whole,
)
from lsd.blockwise.on_disk.step import Step, load_step, step_folder
from lsd.volumes import containers
from lsd.volumes.array import open_array
from lsd.volumes.create import has_array, remove_array
from lsd.volumes.state import content


def is_written(container: Path, array: str) -> bool:
    """Whether an array is there, and the blocks of the step that writes it are all done."""
    makers = [step for step in steps_of(container) if array in step.arrays]
    return has_array(container, array) and all(
        len(read_ledger(step.folder)) == len(step.grid) for step in makers
    )


def steps_of(container: Path) -> Iterator[Step]:
    """Every step of a container, to be looked at, in the order of their names."""
    return (
        load_step(path.parent) for path in sorted(step_folder(container, "").glob("*/step.json"))
    )


def left(step: Step) -> int:
    """How many blocks of a step are not done."""
    return len(step.grid) - len(read_ledger(step.folder))


def made_of(step: Step) -> list[Step]:
    """The steps whose fingerprint says that they are made from a step on disk."""
    digest = step.digest
    return [
        later for later in steps_of(step.container) if digest in later.job.fingerprint().values()
    ]


def refuse_edited(steps: Iterable[Step]) -> None:
    """ValueError if an array of these steps was changed after it was written: somebody's work is
    not replaced."""
    changed = [f"{step.container / name}" for step in steps for name in edited(step)]
    if changed:
        raise ValueError(
            f"{', '.join(changed)} was changed since this program wrote it, and would be removed "
            "to be made anew; move it elsewhere to keep it, or delete it. The times of files count "
            "as well: copy a run with `cp -a` or `rsync -a`, which keep them"
        )


def edited(step: Step) -> list[str]:
    """Arrays of a step that are not what they were when its last block was done."""
    recorded = noted_arrays(step.folder)
    written = [name for name in step.arrays if name in recorded and has_array(step.container, name)]
    return [name for name in written if recorded[name] != content_of(step, name)]


def content_of(step: Step, name: str) -> str:
    """What tells the content of an array of a step from another."""
    array = open_array(step.container, name)
    return content(array.source, array.layout.slices(array.roi))


def forget(step: Step) -> list[str]:
    """Deletes what a step on disk left and what was made from it; returns the names of the arrays
    that are gone.

    Raises ValueError, before anything is deleted, where one of them was edited.

    When this ends in the middle, nothing says done that is not there any more, and nothing that is
    there is not known.
    """
    refuse_edited([step, *made_of(step)])
    deleted = [name for later in made_of(step) for name in forget(later)]
    for path in (*step.folder.glob("*.done"), step.folder / "whole"):
        path.unlink(missing_ok=True)
    for name in step.arrays:
        deleted += [name] if has_array(step.container, name) else []
        remove_array(step.container, name)
    shutil.rmtree(step.folder, ignore_errors=True)
    return deleted


def do_lost_anew(step: Step) -> list[str]:
    """Has the blocks of a step on disk done again where somebody deleted an array of it; names of
    the arrays that are gone.

    Raises ValueError where another of its arrays was edited.
    """
    ledger = read_ledger(step.folder)
    lost = [name for name in step.arrays if not has_array(step.container, name)]
    if not lost or not len(ledger):
        return []
    refuse_edited([step])
    rewrite(ledger, np.zeros(len(ledger), bool))
    if was_whole(step.folder):
        note_whole(step.folder, {})
    return lost


def forget_other(step: Step) -> list[str]:
    """Deletes what a step of this name left that depends on something else, finished or not: of
    results that are soon made anew; in what it differed, in words."""
    if not (step.folder / "step.json").exists():
        return []
    earlier = load_step(step.folder)
    differing = step.differs(earlier)
    if differing:
        forget(earlier)
    return differing


def arrays_without_successor(earlier: Path, successor: Path) -> list[str]:
    """Names of the arrays of one container that another, which takes its place, does not have."""
    try:
        names = set(containers.array_names(earlier))
    except ValueError:
        return []
    return sorted(names - set(containers.array_names(successor)))
