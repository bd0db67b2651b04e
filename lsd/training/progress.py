"""The progress bar of training: iterations, time left, loss, voxels per second, or what else it is
doing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from lsd.blockwise.rate import Bar
from lsd.system.decimals import decimals


class Progress:
    """Counts iterations of a stage and measures throughput between readings.  It says "starting"
    until the first is done.

    voxels: of output in one iteration
    """

    def __init__(self, stage: str, *, done: int, total: int, voxels: int, show: bool) -> None:
        self._bar = Bar(
            initial=done, total=total, desc=stage, unit="it", disable=not show, dynamic_ncols=True
        )
        self._voxels = voxels
        self._first: float | None = None
        self._say("starting")
        self._read()

    def advance(self, loss: float) -> None:
        """One more iteration, with this loss."""
        self._count += 1
        self._bar.speed.add()
        if self._first is None:
            # the first is slower than all others, so it is no part of the throughput
            self._first = time.perf_counter() - self._since
            self._read()
        if not self._bar.disable:
            rate = self._bar.speed.now
            speed = f", {tqdm.format_sizeof(rate * self._voxels, 'voxel/s')}" if rate else ""
            self._say(f"loss {decimals(loss, 4)}{speed}", refresh=False)
            self._bar.update()

    def throughput(self) -> dict[str, float]:
        """Iterations and output voxels per second since the last reading, without the first
        iteration of all."""
        count, seconds = (
            (self._count, time.perf_counter() - self._since)
            if self._count
            else (1, self._first or 0.0)
        )
        rate = count / max(seconds, 1e-9)
        self._read()
        return {"iterations_per_second": rate, "voxels_per_second": rate * self._voxels}

    def leave_out(self) -> None:
        """Leaves the time since the last iteration out of all rates."""
        self._bar.speed.leave_out()
        self._read()

    @contextmanager
    def doing(self, activity: str) -> Iterator[None]:
        """Inside, the bar says `activity`; the time it takes is left out of all rates."""
        previous = self._text
        self._say(activity)
        try:
            yield
        finally:
            self._say(previous, refresh=False)
            self.leave_out()

    def __enter__(self) -> Progress:
        # messages go above the bar, not into it
        self._open = ExitStack()
        if not self._bar.disable:
            self._open.enter_context(logging_redirect_tqdm())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # where the start failed, the error says enough
        self._bar.leave = error is None or self._text != "starting"
        self._bar.close()
        self._open.close()

    def _read(self) -> None:
        self._since, self._count = time.perf_counter(), 0

    def _say(self, text: str, *, refresh: bool = True) -> None:
        self._text = text
        self._bar.set_postfix_str(text, refresh=refresh)
