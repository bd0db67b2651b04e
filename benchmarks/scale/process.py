"""A function in a fresh interpreter: what it returns, and what it took."""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cost:
    """What a call took.

    wall, cpu: seconds, cpu with those of processes it started; peak, child: MB, its own and of the
               largest of these
    """

    result: Any
    wall: float
    cpu: float
    peak: float
    child: float


def command(target: str, arguments: dict[str, Any]) -> list[str]:
    """Calls "module:function" and prints its cost as JSON, where it runs in ROOT."""
    return [sys.executable, "-m", "benchmarks.scale.process", target, json.dumps(arguments)]


def fresh(target: str, /, **arguments: Any) -> Cost:
    """Calls "module:function" with arguments that JSON can hold.  Raises RuntimeError with what it
    said where it fails."""
    done = subprocess.run(command(target, arguments), capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(
            f"{target} failed with exit status {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def measured(target: str, arguments: dict[str, Any]) -> Cost:
    """The same in this process."""
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    wall, cpu = time.perf_counter(), _cpu()
    result = function(**arguments)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(result, time.perf_counter() - wall, _cpu() - cpu, _peak(), children.ru_maxrss / 1e3)


def _cpu() -> float:
    return sum(os.times()[:4])


def _peak() -> float:
    # ru_maxrss of a process counts what its parent held when it was started
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e3


if __name__ == "__main__":
    print(json.dumps(asdict(measured(sys.argv[1], json.loads(sys.argv[2])))))
