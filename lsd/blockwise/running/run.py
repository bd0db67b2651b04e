"""A step, run to its end: what is done is left alone, what fails is tried again, and then named."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lsd.blockwise.on_disk.container import delete_torn_files
from lsd.blockwise.on_disk.failures import clear_failures, read_failures
from lsd.blockwise.on_disk.ledger import note_whole, noted_arrays, read_ledger, was_whole
from lsd.blockwise.on_disk.owned import foreign_arrays
from lsd.blockwise.on_disk.step import Step, load_step
from lsd.blockwise.on_disk.written import content_of, do_lost_anew, edited, forget, made_of
from lsd.blockwise.rate import Bar, Rate, speed
from lsd.blockwise.running.in_process import run_in_process
from lsd.blockwise.running.scheduler import run_workers, stderr_to
from lsd.spec import Workers
from lsd.spec.plurals import are, counted
from lsd.volumes.array import open_array, text

log = logging.getLogger(__name__)

# blocks that a message names
_NAMED = 5
# seconds between lines of progress where there is no terminal for a bar
_LOG_EVERY = 30


class BlocksFailed(RuntimeError):
    """Blocks that are not done though they were tried again and again; the others are."""


@dataclass(frozen=True)
class Summary:
    """What became of the blocks of a step.

    done: in this run; skipped: done before; retried: attempts beyond the first; voxels: written in
          this run, 0 where blocks are numbers in a line
    rate: blocks per second, without what the start took; None where nothing else was done
    """

    name: str
    done: int
    skipped: int
    retried: int
    voxels: int
    seconds: float
    rate: float | None = None

    def __str__(self) -> str:
        if not self.done:
            return f"{self.name}: {counted(self.skipped, 'block')}, all done before"
        blocks = f"{self.name}: {counted(self.done, 'block')} done"
        skipped = f", {self.skipped} skipped (done before)" if self.skipped else ""
        retried = f", {self.retried} retried" if self.retried else ""
        fast = f", {speed(self.voxels, self.done / self.rate)}" if self.rate and self.voxels else ""
        return f"{blocks}{skipped}{retried}, {self.seconds:.0f} s{fast}"


def prepare(step: Step) -> None:
    """Opens the step's folder for this run; what it writes to may be made after.

    A step of another fingerprint is forgotten, with its arrays and all that was made from it, which
    is said.  Raises ValueError, naming what differs, where it, or a step that is made from it, is
    begun and not whole; and where another wrote an array of its name.  An array that somebody
    deleted is written again, all of it.
    """
    folder = step.folder
    refuse_others(step.container, step.arrays)
    if (folder / "step.json").exists():
        earlier = load_step(folder)
        differing = step.differs(earlier)
        if differing and _is_awaited(earlier):
            raise ValueError(
                f"{step.container} holds unfinished blocks that this run cannot go on with: "
                f"{'; '.join(differing)}; "
                f"run it as before to finish it, or delete {step.container} to start afresh"
            )
        if differing:
            removed = sorted({*forget(earlier)} - {*step.arrays})
            if removed:
                log.info(
                    "%s: removed, for what they were made from is made anew: %s",
                    step.container,
                    ", ".join(removed),
                )
        elif lost := do_lost_anew(step):
            log.info("%s: %s is not there any more, and made anew", folder, ", ".join(lost))
    step.save()


def refuse_others(container: Path, names: Iterable[str]) -> None:
    """ValueError where arrays would be written over that this program did not write."""
    foreign = foreign_arrays(container, names)
    if foreign:
        raise ValueError(
            f"{', '.join(map(str, foreign))} holds what this program did not write, and is not "
            f"written over: move it elsewhere, "
            "or give the run another name="
        )


def _is_awaited(step: Step) -> bool:
    """Whether a step on disk, or one that is made from it, is begun and not whole."""
    done = len(read_ledger(step.folder))
    if done < len(step.grid):
        return done > 0
    return any(_is_awaited(later) for later in made_of(step))


def run(
    step: Step, *, workers: Workers | None = None, title: str = "", progress: bool | None = None
) -> Summary:
    """Does every block of the step that is not done yet, in this process or, where workers.count >
    0, in so many others.

    Blocks that fail are tried workers.retries times more, one at a time in a worker and with
    nothing else in its memory.  title: for the bar; progress: show it; None: on a terminal only.

    Raises BlocksFailed with the blocks that still fail, when all others are done; OSError where
    nothing can be written any more (disk full); ValueError as `prepare`, and where two
    blocks would share a chunk.
    """
    workers = workers or Workers()
    prepare(step)
    _check_chunks(step)
    clear_failures(step.folder)
    pending = read_ledger(step.folder).missing(len(step.grid))
    # what becomes of other blocks makes nobody's edit ours
    noted = noted_arrays(step.folder) if len(pending) else {}
    kept = {name: noted[name] for name in edited(step)} if noted else {}
    if noted:
        note_whole(step.folder, kept)
    if 0 < len(pending) < workers.count:
        log.info(
            "%s: %s %s left for %d workers; smaller blocks would give work to all",
            title or step.name,
            counted(len(pending), "block"),
            are(len(pending)),
            workers.count,
        )
    summary = _Counted(step, pending, parallel=min(max(workers.count, 1), max(len(pending), 1)))
    died = ""
    with (
        stderr_to(step.folder / "logs" / "scheduler.log") if workers.count else nullcontext(),
        _bar(
            title or step.name,
            len(step.grid),
            len(step.grid) - len(pending),
            progress,
            rate=summary.rate,
        ) as bar,
    ):
        for attempt in range(workers.retries + 1):
            if not len(pending):
                break
            summary.attempts += len(pending)
            if workers.count:
                died = (
                    run_workers(step, pending, workers=workers, progress=bar, overlap=attempt == 0)
                    or died
                )
            else:
                run_in_process(step, pending, progress=lambda: bar(None), overlap=attempt == 0)
            pending = read_ledger(step.folder).missing(len(step.grid))
            _stop_if_fatal(step)
    if died:
        delete_torn_files(step.container)
    if len(pending):
        raise BlocksFailed(_failed(step, pending, died))
    _check_inputs(step)
    clear_failures(step.folder)
    if len(summary.pending) or not was_whole(step.folder):
        note_whole(step.folder, {name: content_of(step, name) for name in step.arrays} | kept)
    if kept or not len(summary.pending):
        warn_of_edits(step)
    return summary.finished()


def warn_of_edits(step: Step) -> None:
    """Tells which arrays of a step were changed since it wrote them: they stay as somebody wanted
    them."""
    for name in edited(step):
        message = "%s was changed since %s wrote it, and stays so; delete %s to make it anew"
        log.warning(message, name, step.name, step.folder)


class _Counted:
    """Counts for the summary."""

    def __init__(self, step: Step, pending: NDArray[np.uint64], *, parallel: int) -> None:
        self.step, self.pending, self.attempts, self.since = step, pending, 0, time.perf_counter()
        self.rate = Rate(parallel=parallel)

    def finished(self) -> Summary:
        grid, seconds = self.step.grid, time.perf_counter() - self.since
        whole = len(self.pending) == len(grid)
        # blocks that are numbers in a line have none
        voxels = (
            0
            if grid.roi.dims == 1
            else int(grid.roi.size)
            if whole
            else sum(int(grid.block(int(index)).write.size) for index in self.pending)
        )
        skipped = len(grid) - len(self.pending)
        retried = self.attempts - len(self.pending)
        return Summary(
            self.step.name, len(self.pending), skipped, retried, voxels, seconds, self.rate.overall
        )


def _check_chunks(step: Step) -> None:
    for name in step.arrays:
        array = open_array(step.container, name)
        chunks = array.source.chunks[-step.grid.roi.dims :]
        for size, chunk, extent in zip(step.grid.write_shape, chunks, array.roi.shape, strict=True):
            if size % chunk and size < extent:
                raise ValueError(
                    f"blocks of {tuple(step.grid.write_shape)} voxels share chunks of {array.name} "
                    f"({tuple(chunks)}), so two "
                    "writers would lose each other's voxels; take blocks that are multiples of the "
                    "chunks, or delete the array"
                )
        if array.roi.begin != step.grid.roi.begin:
            raise ValueError(
                f"{array.name} begins at {tuple(array.roi.begin)}, its blocks at "
                f"{tuple(step.grid.roi.begin)}; delete it"
            )


def _check_inputs(step: Step) -> None:
    """That blocks computed at the end saw what those at the beginning did; what is whole before is
    not looked at again."""
    changed = step.job.changed(step.container) if not was_whole(step.folder) else []
    if changed:
        raise ValueError(
            f"{'; '.join(changed)} while the blocks of {step.name} were computed, so they do not "
            f"belong together; the same "
            "command makes all of them anew"
        )


def _left(blocks: int, rate: float | None) -> str:
    return "" if rate is None else f", {tqdm.format_interval(blocks / rate)} left"


def _stop_if_fatal(step: Step) -> None:
    fatal = [failure for failure in read_failures(step.folder) if failure.fatal]
    if fatal:
        raise OSError(fatal[0].end)


def _failed(step: Step, pending: NDArray[np.uint64], died: str) -> str:
    failures = {failure.index: failure for failure in read_failures(step.folder)}
    others_done = ", the others are done" if len(pending) < len(step.grid) else ""
    blocks = counted(len(step.grid), "block")
    lines = [f"{len(pending)} of {blocks} of {step.name} failed{others_done}:"]
    silent = (
        f"its worker was killed (out of memory?) or the block took too "
        f"long{': ' + _last_line(died) if died else ''}"
    )
    # one reason of many blocks is told once
    by_reason: dict[str, list[int]] = {}
    for index in map(int, pending):
        failure = failures.get(index)
        by_reason.setdefault(failure.error if failure else silent, []).append(index)
    for reason, (index, *others) in [*by_reason.items()][:_NAMED]:
        also = f" and {counted(len(others), 'other')}" if others else ""
        lines.append(f"  block {index} ({text(step.grid.block(index).write)}){also}: {reason}")
    if untold := sum(map(len, [*by_reason.values()][_NAMED:])):
        lines.append(f"  and {untold} more")
    traces = step.folder / "failures.txt"
    try:
        traces.write_text("\n".join(f"block {f.index}\n{f.trace}" for f in failures.values()))
        lines.append(f"tracebacks are in {traces}; the same command tries them again")
    except OSError:
        lines.append("the same command tries them again")
    return "\n".join(lines)


def _last_line(error: str) -> str:
    return next((line.strip() for line in reversed(error.splitlines()) if line.strip()), "")


@contextmanager
def _bar(
    title: str, total: int, done: int, progress: bool | None, *, rate: Rate
) -> Iterator[Callable[[int | None], None]]:
    """A bar of blocks; called with how many this attempt has done, or with None for one more.
    rate: is told, and shown."""
    hidden = None if progress is None else not progress
    with Bar(
        total=total, initial=done, desc=title, unit="block", disable=hidden, speed=rate
    ) as bar:
        logged, at = time.monotonic(), done

        def update(count: int | None) -> None:
            nonlocal logged, at
            before, at = at, at + 1 if count is None else max(at, done + count)
            rate.add(at - before)
            bar.update(at - bar.n)
            # a log that nobody sees a bar in says now and then how far it is
            if (
                bar.disable
                and progress is None
                and at < total
                and time.monotonic() - logged > _LOG_EVERY
            ):
                logged = time.monotonic()
                blocks = counted(total, "block")
                log.info("%s: %d of %s%s", title, at, blocks, _left(total - at, rate.now))

        yield update
