"""Which thresholds of a volume are segmented: each list of them that was asked for is written by a
step of its own.

What an earlier step wrote stays, and a later one, made from the same edges, writes only what is not
there yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.on_disk.written import forget, left, steps_of
from lsd.volumes.create import has_array

# that of earlier versions is the first
SEGMENTATION = "segmentation"
_STEPS = re.compile(rf"{SEGMENTATION}(?:-(\d+))?")


@dataclass(frozen=True)
class Asked:
    """A step to be run, by its name, and the segmentations that it writes: what their arrays are
    called below segmentation/."""

    step: str
    segmentations: tuple[str, ...]


def begun(container: Path) -> list[Step]:
    """The steps that write segmentations, in the order in which they were begun."""
    numbered = {
        _number(step.name): step for step in steps_of(container) if _STEPS.fullmatch(step.name)
    }
    return [numbered[number] for number in sorted(numbered)]


def yet_to_run(container: Path, segmentations: Iterable[str]) -> list[Asked]:
    """The steps that are to be run for all of these segmentations to be written: those that were
    begun to their end, then a new one."""
    missing, to_run, steps = set(segmentations), [], begun(container)
    for step in steps:
        written = {name.removeprefix(f"{SEGMENTATION}/") for name in step.arrays}
        if written & missing and left(step):
            to_run.append(Asked(step.name, tuple(sorted(written))))
        elif written & missing:
            # an array that somebody deleted is made again
            written = {name for name in written if has_array(container, f"{SEGMENTATION}/{name}")}
        missing -= written
    if missing:
        number = max((_number(step.name) for step in steps), default=0) + 1
        name = SEGMENTATION if number == 1 else f"{SEGMENTATION}-{number}"
        to_run.append(Asked(name, tuple(sorted(missing))))
    return to_run


def forget_others(container: Path, made_from: str) -> list[str]:
    """Deletes segmentations that were made from other edges than there are; returns the names of
    their arrays."""
    outdated = [
        step for step in begun(container) if step.job.fingerprint().get("made_from") != made_from
    ]
    return [name for step in outdated for name in forget(step)]


def _number(name: str) -> int:
    read = _STEPS.fullmatch(name)
    assert read is not None, name
    return int(read[1] or 1)
