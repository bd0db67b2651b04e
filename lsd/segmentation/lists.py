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
from lsd.segmentation.threshold import array_name
from lsd.volumes.create import has_array

# that of earlier versions is the first
STEP = "segmentation"
_STEPS = re.compile(rf"{STEP}(?:-(\d+))?")


@dataclass(frozen=True)
class Asked:
    """A step to be run, by its name, and the thresholds that it writes, as their tables are
    called."""

    step: str
    thresholds: tuple[str, ...]


def begun(container: Path) -> list[Step]:
    """The steps that write segmentations, in the order in which they were begun."""
    found = {
        _number(step.name): step for step in steps_of(container) if _STEPS.fullmatch(step.name)
    }
    return [found[number] for number in sorted(found)]


def yet_to_run(container: Path, thresholds: Iterable[str]) -> list[Asked]:
    """The steps that are to be run for every threshold to be written: those that were begun to
    their end, then a new one."""
    missing, found, steps = set(thresholds), [], begun(container)
    for step in steps:
        own = {name.removeprefix(f"{STEP}/") for name in step.arrays}
        if own & missing and left(step):
            found.append(Asked(step.name, tuple(sorted(own))))
        elif own & missing:
            # an array that somebody deleted is made again
            own = {name for name in own if has_array(container, array_name(float(name)))}
        missing -= own
    if missing:
        number = max((_number(step.name) for step in steps), default=0) + 1
        found.append(Asked(STEP if number == 1 else f"{STEP}-{number}", tuple(sorted(missing))))
    return found


def forget_others(container: Path, made_from: str) -> list[str]:
    """Deletes segmentations that were made from other edges than there are; returns the names of
    their arrays."""
    others = [
        step for step in begun(container) if step.job.fingerprint().get("made_from") != made_from
    ]
    return [name for step in others for name in forget(step)]


def _number(name: str) -> int:
    found = _STEPS.fullmatch(name)
    assert found is not None, name
    return int(found[1] or 1)
