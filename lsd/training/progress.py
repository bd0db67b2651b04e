"""The bar on the terminal: iterations, time left, loss, voxels per second."""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import TracebackType

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm


class Progress:
    """Counts iterations of a stage and measures throughput between readings.

    voxels: of output in one iteration
    """

    def __init__(self, stage: str, *, done: int, total: int, voxels: int, show: bool) -> None:
        self._bar = tqdm(initial=done, total=total, desc=stage, unit="it", disable=not show, dynamic_ncols=True)
        self._voxels = voxels
        self.pause()

    def advance(self, loss: float) -> None:
        """One more iteration, with this loss."""
        self._count += 1
        if not self._bar.disable:
            rate = self._bar.format_dict["rate"] or 0.0
            self._bar.set_postfix_str(f"loss {loss:.4f}, {rate * self._voxels / 1e6:.2f} Mvoxels/s", refresh=False)
            self._bar.update()

    def throughput(self) -> dict[str, float]:
        """Iterations and output voxels per second since the last reading."""
        rate = self._count / max(time.perf_counter() - self._since, 1e-9)
        self.pause()
        return {"iterations_per_second": rate, "voxels_per_second": rate * self._voxels}

    def pause(self) -> None:
        """What was counted since the last reading, and the time it took, are left out of the next."""
        self._since, self._count = time.perf_counter(), 0

    def __enter__(self) -> Progress:
        # messages go above the bar, not into it
        self._open = ExitStack()
        if not self._bar.disable:
            self._open.enter_context(logging_redirect_tqdm())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.close()
        self._open.close()
