"""`python -m benchmarks [name ...]`: runs the benchmarks, prints ratios, writes results/<date>.json
and .md.

A benchmark is a module here with `run() -> dict`, whose "ratio" says how many times faster than its
peer ours is, and a `main`.  `python -m benchmarks compare CHECKOUT`, `python -m benchmarks accuracy
KIND`, `.. error_map`, `.. doubts`, `.. somata` and `.. gpu` are other matters, see there.
"""

from __future__ import annotations

import datetime
import importlib
import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import accuracy, compare, doubts, error_map, gpu, somata
from lsd.system.cores import cores

# at least this many times as fast as the peer; None: it has no peer
WANTED: dict[str, int | None] = {
    "descriptors": 100,
    "batches": 10,
    "fragments": 3,
    "partition": 10,
    "prediction": 3,
    "step": 2,
    "malis": 4,
    "supervoxel": None,
    "occupancy": None,
    "weighting": None,
    "scale": 10,
    "blocks": None,
    "identity": None,
    "ranks": None,
    "blocks_empty": None,
    "stitch": None,
    "skeletons": 1,
    "export": None,
}
# what has arguments of its own
OTHERS: dict[str, Callable[[list[str]], int]] = {
    "compare": compare.main,
    "accuracy": accuracy.main,
    "error_map": error_map.main,
    "doubts": doubts.main,
    "somata": somata.main,
    "gpu": gpu.main,
}
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    """Runs what is named, or all; returns 1 if one failed or fell short of what is wanted, else
    0."""
    if names and names[0] in OTHERS:
        return OTHERS[names[0]](names[1:])
    known = ", ".join((*WANTED, *OTHERS))
    if {"-h", "--help"} & set(names):
        print(f"{__doc__}\nThere are: {known}.")
        return 0
    unknown = sorted(set(names) - set(WANTED))
    if unknown:
        print(f"there is no benchmark {', '.join(unknown)}; there are: {known}", file=sys.stderr)
        return 2
    results = {name: measure(name) for name in names or WANTED}
    write(results)
    return int(any(short(name, result) for name, result in results.items()))


def measure(name: str) -> dict[str, Any]:
    """What the benchmark found, or its error; printed as it comes."""
    print(f"{name} ...", flush=True)
    try:
        result = importlib.import_module(f"benchmarks.{name}").run()
    except Exception as error:
        # one peer that cannot be installed leaves the other benchmarks alone
        traceback.print_exc()
        result = {"error": f"{type(error).__name__}: {error}"}
    for key, value in result.items():
        print(f"    {key:36} {shown(value)}", flush=True)
    # others of the same day may have run on another machine, or on a busy one
    return {"machine": machine(), **result}


def write(results: dict[str, dict[str, Any]]) -> None:
    """Adds to today's results; what was not run today stays out, what was run again is replaced."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.date.today().isoformat()}.json"
    before = _before(json.loads(path.read_text())) if path.exists() else {}
    content = {"results": before | results}
    path.write_text(json.dumps(content, indent=2) + "\n")
    path.with_suffix(".md").write_text(markdown(path.stem, content))


def _before(content: dict[str, Any]) -> dict[str, Any]:
    """Results of a file; those of files that name one machine have it each."""
    machine = {"machine": content["machine"]} if "machine" in content else {}
    return {name: {**machine, **result} for name, result in content["results"].items()}


def markdown(date: str, content: dict[str, Any]) -> str:
    """The results as a table a benchmark, each with the machine it was found on."""
    lines = [f"# Benchmarks, {date}"]
    for name, result in content["results"].items():
        ratio = (
            f": {shown(result['ratio'])} times its peer, wanted {WANTED.get(name)}"
            if "ratio" in result
            else ""
        )
        lines += [
            "",
            f"## {name}{ratio}",
            "",
            "| what | value |",
            "|---|---|",
        ]
        lines += [f"| {key} | {shown(value)} |" for key, value in result.items()]
    return "\n".join(lines) + "\n"


def machine() -> dict[str, Any]:
    """What the numbers depend on; load: processes that wanted a core during the last 15 minutes,
    ours among them."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[2], 1),
    }


def short(name: str, result: dict[str, Any]) -> bool:
    """Whether the benchmark failed or fell short."""
    return "error" in result or ("ratio" in result and result["ratio"] < (WANTED[name] or 0))


def shown(value: object) -> str:
    """A number in four digits, a machine in words, anything else as it is."""
    if isinstance(value, dict):
        return "; ".join(f"{key} {each}" for key, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
