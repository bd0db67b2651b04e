"""How fast work goes by now, without what its start took: for the bars on the terminal."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from tqdm import tqdm

# that the rate is a mean of
LAST = 50


class Rate:
    """Things done per second, over the last of them.

    parallel: how many are under way at once.  The first that each of them does is start: networks
              are loaded, and what is fastest is tried out
    """

    def __init__(self, *, parallel: int = 1) -> None:
        self._parallel, self._done = parallel, 0
        self._marks: deque[tuple[float, int]] = deque(maxlen=LAST * parallel + 1)
        self._first: tuple[float, int] | None = None
        self._told = time.perf_counter()

    def add(self, count: int = 1) -> None:
        """So many more are done."""
        self._done, self._told = self._done + count, time.perf_counter()
        if count and self._done >= self._parallel:
            self._marks.append((self._told, self._done))
            self._first = self._first or self._marks[0]

    def leave_out(self) -> None:
        """The time since something was last told is no part of it."""
        lost = time.perf_counter() - self._told
        self._marks = deque(((at + lost, done) for at, done in self._marks), self._marks.maxlen)
        self._first = self._first and (self._first[0] + lost, self._first[1])
        self._told += lost

    @property
    def now(self) -> float | None:
        """Per second, of the last ones; None while there is nothing but the start."""
        return self._since(self._marks[0]) if self._marks else None

    @property
    def overall(self) -> float | None:
        """Per second, of all but the start; None while there is nothing else."""
        return self._since(self._first) if self._first else None

    def _since(self, mark: tuple[float, int]) -> float | None:
        done = self._done - mark[1]
        return done / max(self._told - mark[0], 1e-9) if done >= self._parallel else None


class Bar(tqdm):  # type: ignore[misc]
    """A bar whose rate, and the time left that follows from it, are those of `speed`."""

    def __init__(self, *args: Any, speed: Rate | None = None, **options: Any) -> None:
        self.speed = speed or Rate()
        super().__init__(*args, **options)

    @property
    def format_dict(self) -> dict[str, Any]:
        """What is shown; a rate of 0 as a question mark."""
        return {**super().format_dict, "rate": self.speed.now or 0.0}


def speed(voxels: int, seconds: float) -> str:
    """Voxels per second, in a unit that fits."""
    return f"{tqdm.format_sizeof(voxels / max(seconds, 1e-9))}voxels/s"
