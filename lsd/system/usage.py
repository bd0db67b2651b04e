"""What a piece of work takes of the machine: seconds, and memory at its peak."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsd.system.process import descendants

# seconds between two looks at other processes
_LOOK = 2.0
# of ru_maxrss: bytes on macOS, else KiB
_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Usage:
    """What was taken between the two ends of a `Meter`.

    seconds:           that went by
    processor_seconds: of all cores, this process and those that it started and waited for
    memory:            bytes that this process held at its peak; `is_whole_life`: since it was
                       started, where the system does not say it of the piece of work alone
    child_memory:      bytes that all processes which this one started held together, the most that
                       was seen by a look every two seconds; None where none was seen
    gpu_memory:        bytes of arrays on the device at their peak; None without a GPU
    """

    seconds: float
    processor_seconds: float
    memory: int
    is_whole_life: bool
    child_memory: int | None
    gpu_memory: int | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON, seconds to the hundredth."""
        return {
            "seconds": round(self.seconds, 2),
            "processor_seconds": round(self.processor_seconds, 2),
            "memory_bytes": self.memory,
            "memory_of_whole_process": self.is_whole_life,
            "child_memory_bytes": self.child_memory,
            "gpu_memory_bytes": self.gpu_memory,
        }


class Meter:
    """Measures between the two ends of a `with`."""

    def __enter__(self) -> Meter:
        self._began, self._processor = time.perf_counter(), _processor_seconds()
        self._is_reset = _reset_peak()
        if (gpu := _gpu()) is not None:
            gpu.reset_peak_memory_stats()
        self._others = _Others()
        self._others.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._others.ended.set()

    def read(self) -> Usage:
        """What was taken until now."""
        gpu = _gpu()
        peak = _peak() if self._is_reset else None
        return Usage(
            seconds=time.perf_counter() - self._began,
            processor_seconds=_processor_seconds() - self._processor,
            memory=_largest() if peak is None else peak,
            is_whole_life=peak is None,
            child_memory=self._others.most,
            gpu_memory=None if gpu is None else int(gpu.max_memory_allocated()),
        )


class _Others(threading.Thread):
    """Looks now and then at what all processes that this one started hold together.

    What the system notes of a process that has ended is of no use: it begins with the memory of who
    started it.
    """

    def __init__(self) -> None:
        super().__init__(name="usage", daemon=True)
        self.ended = threading.Event()
        self.most: int | None = None

    def run(self) -> None:
        """Until it is told to end; on Linux only, elsewhere a look costs a process."""
        while sys.platform == "linux" and not self.ended.wait(_LOOK):
            held = sum(map(_resident, descendants(os.getpid())))
            self.most = max(self.most or 0, held) or None


def _resident(pid: int) -> int:
    try:
        # see proc(5): pages in memory are the second number
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * resource.getpagesize()


def _largest() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def _processor_seconds() -> float:
    return sum(os.times()[:4])


def _reset_peak() -> bool:
    """Has Linux begin anew with the peak of this process; whether it did."""
    try:
        # see proc(5): 5 resets the "high water mark"
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak() -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    peak = next((line for line in lines if line.startswith("VmHWM:")), None)
    return None if peak is None else int(peak.split()[1]) * 1024


def _gpu() -> Any:
    """What counts memory on a GPU, where this process uses one."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None
