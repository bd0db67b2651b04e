"""Training by several processes: started here, or on other machines, waited for, and ended
together."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import torch

from lsd.prediction.predictor import choose_device
from lsd.spec import Config, Train
from lsd.spec.kinds import imported
from lsd.spec.paths import run_folder
from lsd.spec.plurals import counted
from lsd.system.cores import cores, too_many_threads
from lsd.training.devices.elsewhere import Elsewhere
from lsd.training.devices.host import Host
from lsd.training.devices.store import (
    ERRORS,
    LOOPBACK,
    Report,
    Store,
    TrainingJob,
    report_of,
    serve_store,
    store_value,
)
from lsd.training.interrupt import Interrupt, interruptible

log = logging.getLogger(__name__)

# seconds that the others have to say why they end once one of them failed, and between two looks
_GRACE, _LOOK = 3.0, 0.1
# whose word says why a run ended, the first of these that there is
_KINDS = ("refused", "died", "failed", "interrupted", "lost", "done")
_FAILURES = ("refused", "died", "failed", "lost")


class Processes(Protocol):
    """Processes that share a run."""

    @property
    def runs(self) -> bool:
        """Whether any of them does."""

    def look(self) -> None:
        """Reports those that ended without a word; to be called now and then."""

    def signal(self, name: str) -> None:
        """Sends a signal to all that run."""

    def kill(self) -> None:
        """Ends them at once."""


class ProcessFailed(RuntimeError):
    """One of the processes that shared a run failed, and ended it."""


def is_shared(train: Train) -> bool:
    """Whether a run is trained by processes that have to be started."""
    return train.devices > 1 or train.hosts.launch is not None


def train_shared(config: Config, *, progress: bool) -> Path:
    """Trains by processes that are started for it; returns what `lsd.training.loop.train` does.

    Ctrl-C and SIGTERM are passed on, a second one ends all at once.  Raises what the first process
    does, or ProcessFailed, which says which other one failed, and how.
    """
    train = config.train
    if not train.hosts.launch:
        check_devices(train)
    size = _processes(train)
    for warning in doubts(train):
        log.warning("%s", warning)
    store, address = serve_store(_reached_at(train))
    # what is seen in a file needs no bar
    shown = progress and not train.hosts.launch
    store_value(store, "job", TrainingJob(config.model_dump_json(), imported(), shown))
    with interruptible() as interrupt:
        folder = run_folder(config) / "processes"
        crew: Processes
        if train.hosts.launch:
            crew = Elsewhere(store, address, train=train, folder=folder)
        else:
            crew = Host(store, address, first=0, count=train.devices, size=size, logs=folder)
        try:
            reports = _wait(crew, store, size, interrupt)
        finally:
            crew.kill()
    return _concluded(reports, size, stopped_by=interrupt.signal)


def _processes(train: Train) -> int:
    return train.devices * train.hosts.count


def sharing(train: Train) -> str:
    """Which processes share the batches of a run, in words."""
    if not train.hosts.launch:
        return f"every batch is shared by {_processes(train)} processes of this machine"
    return (
        f"every batch is shared by {_processes(train)} processes, {train.devices} on each of "
        f"{counted(train.hosts.count, 'machine')} that train.hosts.launch starts"
    )


def doubts(train: Train) -> Iterator[str]:
    """What speaks against so many processes and threads, and what to take instead."""
    size, there = _processes(train), cores()
    if size > train.batch_size:
        yield (
            f"train.batch_size={train.batch_size} is shared by {size} processes, so "
            f"{size - train.batch_size} of them have nothing to learn from; take "
            f"train.batch_size={size}, or fewer train.devices"
        )
    if train.hosts.launch or choose_device(train.device).type != "cpu":
        return
    if size > there:
        yield (
            f"train.devices={train.devices} processes share {counted(there, 'core')}, so they wait "
            f"for each other; take train.devices={there} at most, or 1, which computes with all "
            "of them"
        )
    else:
        yield from too_many_threads(train.threads, "train.threads", processes=size)


def _reached_at(train: Train) -> str:
    """An address of this machine that those processes reach."""
    if not train.hosts.launch:
        return LOOPBACK
    if train.hosts.host:
        return train.hosts.host
    with suppress(OSError):
        address = socket.gethostbyname(socket.gethostname())
        if not address.startswith("127."):
            return address
    # nothing is sent: it says by which of its addresses this machine would
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.255.255.255", 1))
        return str(probe.getsockname()[0])
    return socket.gethostname()


def check_devices(train: Train) -> None:
    """Raises ValueError where this machine has fewer GPUs than train.devices."""
    if choose_device(train.device).type == "cuda":
        count = torch.cuda.device_count()
        if train.devices > count:
            raise ValueError(
                f"train.devices={train.devices}, and this machine shows {count} GPU"
                f"{'' if count == 1 else 's'}; take train.devices={count}, or see what "
                "CUDA_VISIBLE_DEVICES hides"
            )


def _wait(crew: Processes, store: Store, size: int, interrupt: Interrupt) -> list[Report]:
    """How the processes ended, in the order in which they did."""
    reports: dict[int, Report] = {}
    passed_on, until = False, float("inf")
    while len(reports) < size and time.monotonic() < until:
        runs = crew.runs
        crew.look()
        for number in set(range(size)) - reports.keys():
            ended = report_of(store, number)
            if ended:
                reports[number] = ended
        failed = any(ended.kind in _FAILURES for ended in reports.values())
        if failed and until == float("inf"):
            until = time.monotonic() + _GRACE
        if interrupt.signal and not passed_on:
            passed_on = True
            crew.signal(interrupt.signal)
        if not runs:
            break
        time.sleep(_LOOK)
    return list(reports.values())


def _concluded(reports: list[Report], size: int, *, stopped_by: str | None = None) -> Path:
    """The checkpoint that was trained; raises what says best why there is none.

    stopped_by: the signal that was passed on, which ends those that have not begun yet
    """
    cause = min(
        reports,
        key=lambda ended: (_KINDS.index(ended.kind), ended.rank),
        # of jobs that were cancelled nobody says anything
        default=Report(0, "lost", "no process has begun"),
    )
    if cause.kind == "done":
        return Path(cause.said)
    if cause.kind == "interrupted":
        raise KeyboardInterrupt(cause.said)
    if stopped_by and cause.kind in ("died", "lost"):
        raise KeyboardInterrupt(
            f"interrupted by {stopped_by}; the same command goes on from the newest checkpoint"
        )
    error: Exception
    if cause.kind == "refused":
        raise ProcessFailed(cause.said)
    if cause.kind == "failed" and cause.rank == 0:
        error = ERRORS[cause.error](cause.said)
    else:
        error = ProcessFailed(
            f"process {cause.rank} of {size} ({cause.pid} on {cause.host}) "
            f"{'failed: ' if cause.kind != 'died' else ''}{cause.said}; the run has ended, and the "
            "same command goes on from its newest checkpoint, with other train.devices as well"
        )
    if cause.trace:
        error.add_note(f"in process {cause.pid} on {cause.host}:\n{cause.trace}")
    raise error
