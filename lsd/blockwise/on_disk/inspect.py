"""What a run folder holds: how far its steps are, and whether what says done is there and is what
was written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lsd.blockwise.on_disk.container import REPLACED, note_torn, target_of
from lsd.blockwise.on_disk.ledger import (
    Ledger,
    note_whole,
    noted_arrays,
    read_ledger,
    rewrite,
    was_whole,
)
from lsd.blockwise.on_disk.lock import exclusive, holder
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step, load_step
from lsd.blockwise.on_disk.written import edited
from lsd.blockwise.rate import speed
from lsd.spec.plurals import are, counted
from lsd.system.cores import cores
from lsd.volumes.array import Array, open_array, text

Progress = Callable[[str], object]

# of a block that can be read, and is another than was noted
_ANOTHER = "its data are not what was written: another checksum"
# what says nothing of the bytes on disk, but of who reads them: permissions, memory, open files, a
# server that does not answer
_HERE = (
    errno.EACCES,
    errno.EPERM,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
    errno.ESTALE,
    errno.ETIMEDOUT,
)


@dataclass(frozen=True)
class Status:
    """How far a step is.

    voxels:  that are done; 0 where blocks are numbers in a line
    seconds: that workers spent on the blocks that are done
    running: who is at it, "" if no one is
    """

    folder: Path
    name: str
    done: int
    blocks: int
    voxels: int
    seconds: float
    running: str

    def __str__(self) -> str:
        share = 100 * self.done / self.blocks
        state = (
            f", {self.running}"
            if self.running
            else ""
            if self.done == self.blocks
            else ", not running"
        )
        fast = (
            f", {speed(self.voxels, self.seconds)} a worker" if self.voxels and self.seconds else ""
        )
        blocks = counted(self.blocks, "block")
        return f"{self.folder}: {self.done} of {blocks} ({share:.0f}%){fast}{state}"


@dataclass(frozen=True)
class Finding:
    """A block that said done and is not."""

    folder: Path
    index: int
    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.folder}: block {self.index} ({self.place}): {self.reason}"


def steps(folder: Path) -> Iterator[Path]:
    """Folders of all steps below a run's folder, in the order of their names."""
    visited = set()
    # results may lie on another disk, with a link in their place
    for root, below, files in os.walk(folder, followlinks=True):
        status = os.stat(root)
        if (status.st_dev, status.st_ino) in visited:
            below.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if name != REPLACED)
        if "step.json" in files:
            yield Path(root)
        # no step lies in another, nor among the chunks of an array, which may be millions
        if "step.json" in files or ".zarray" in files:
            below.clear()


def status(folder: Path) -> list[Status]:
    """How far every step below a folder is.  Raises ValueError if there is none."""
    return [_status(load_step(path)) for path in _some(folder)]


def verify_blocks(folder: Path, *, progress: Progress | None = None) -> list[Finding]:
    """Reads what every block below a folder that says done has left, and compares it with its
    checksum.

    Blocks that are missing, damaged or another's are marked as not done, and their chunks deleted,
    so that running the script again makes them anew.  Blocks that are yet to be done, of a step
    that was never whole, are no finding, nor is what a person made of an array after its last block
    was done: it stays, and is told.  progress: told each step.  Raises RuntimeError where a run is
    at work, ValueError where there is no step, OSError or MemoryError where blocks cannot be read
    from here whatever they hold.
    """
    findings: list[Finding] = []
    for path in _some(folder):
        step = load_step(path)
        with exclusive(target_of(step.container)) as killed:
            if killed:
                # the lock that told it is taken, so the next run is told by this
                note_torn(step.container)
            of_step, undone, others = _verify(step)
        findings += of_step
        if progress:
            blocks = len(step.grid)
            intact = blocks - undone - len(of_step) - others
            of_all = f"{intact} of {counted(blocks, 'block')} {are(blocks)}"
            later = f", {undone} {are(undone)} not done yet" if undone else ""
            progress(f"{path}: {of_all} there and intact{later}{_told(step, others)}")
    return findings


def _some(folder: Path) -> list[Path]:
    folders = list(steps(folder))
    if not folders:
        raise ValueError(
            f"{folder} holds no blocks; name the folder of a run that was predicted or segmented: "
            f"runs/<name>"
        )
    return folders


def _status(step: Step) -> Status:
    ledger = read_ledger(step.folder)
    done, blocks = len(ledger), len(step.grid)
    voxels = int(step.grid.roi.size) * done // blocks if step.grid.roi.dims > 1 else 0
    seconds = float(ledger.records["seconds"].sum())
    return Status(
        step.folder, step.name, done, blocks, voxels, seconds, holder(target_of(step.container))
    )


def _told(step: Step, others: int) -> str:
    """What is said of blocks that a person made others."""
    names = ", ".join(edited(step)) if others else ""
    return (
        f", {others} {are(others)} others since somebody changed {names}, which stays so; delete "
        f"{step.folder} to make it anew"
        if others
        else ""
    )


def _verify(step: Step) -> tuple[list[Finding], int, int]:
    """What is wrong, how many blocks are yet to be done, and how many a person made others."""
    ledger = read_ledger(step.folder)
    arrays = {name: _open(step, name) for name in step.arrays}
    changed = edited(step) if all(isinstance(array, Array) for array in arrays.values()) else []
    with ThreadPoolExecutor(cores()) as pool:
        reasons = list(
            pool.map(lambda record: _wrong(step, ledger, arrays, record), ledger.records)
        )
    others = reasons.count(_ANOTHER) if changed else 0
    if others:
        reasons = ["" if reason == _ANOTHER else reason for reason in reasons]
    is_damaged = np.array([bool(reason) for reason in reasons], dtype=bool)
    if is_damaged.any():
        rewrite(ledger, ~is_damaged)
        if was_whole(step.folder):
            # what is lost, or deleted here, is nobody's edit
            noted = noted_arrays(step.folder)
            note_whole(step.folder, {name: noted[name] for name in changed} if others else {})
        for index in ledger.done[is_damaged & (ledger.done < len(step.grid))]:
            for array in arrays.values():
                if isinstance(array, Array):
                    # a chunk that cannot be read cannot be written in part either
                    array.delete(step.grid.block(int(index)).write)
    damaged = {
        int(index): reason for index, reason in zip(ledger.done, reasons, strict=True) if reason
    }
    missing = {int(index): "was not done" for index in ledger.missing(len(step.grid))}
    whole = was_whole(step.folder)
    reasons_of = {**missing, **damaged} if whole else damaged
    findings = [_finding(step, index, reason) for index, reason in sorted(reasons_of.items())]
    return findings, 0 if whole else len(missing), others


def _finding(step: Step, index: int, reason: str) -> Finding:
    place = text(step.grid.block(index).write) if index < len(step.grid) else "nowhere"
    return Finding(step.folder, index, place, reason)


def _open(step: Step, name: str) -> Array | str:
    try:
        return open_array(step.container, name, writable=True)
    except (ValueError, OSError) as error:
        return _of_disk(error)


def _wrong(step: Step, ledger: Ledger, arrays: dict[str, Array | str], record: np.void) -> str:
    """What is wrong with a block that says done, "" if nothing is."""
    index = int(record["index"])
    if index >= len(step.grid):
        return f"the step has only {counted(len(step.grid), 'block')}"
    write, data = step.grid.block(index).write, {}
    try:
        for name, array in arrays.items():
            if isinstance(array, str):
                return array
            data[name] = array.read(write)
        rows = None if step.rows is None else ledger.block_rows(index, step.rows)
    except (ValueError, OSError) as error:
        return _of_disk(error)
    same = Output(data, rows).digest() == int(record["digest"])
    return "" if same else _ANOTHER


def _of_disk(error: Exception) -> str:
    """What an error says is wrong on disk; it is raised where it says nothing of that, since what
    is wrong on disk is deleted."""
    # a sentence, what the library said, and what that is from; an error may be its own cause
    for cause in (error, error.__cause__, getattr(error.__cause__, "__cause__", None)):
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in _HERE):
            raise error
    return str(error)
