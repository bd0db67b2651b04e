"""What a GPU does here, in one command of at most 8 minutes: `python -m benchmarks gpu`.

It compares what the device computes with what the CPU does, takes steps in every precision, and
measures steps, batches, prediction and memory.  Each line says what was looked at; one that fails
stops no other.  Without a GPU the same is done on the CPU, with small shapes: a rehearsal, whose
times mean nothing.  It ends with one line of JSON, which is also written to results/.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.gpu import computed, memory, speed, steps
from benchmarks.gpu.line import Line, Setting, described, on_device

Check = Callable[[Setting], Iterator[Line]]

CHECKS: tuple[Check, ...] = (
    computed.descriptors_equal,
    computed.losses_equal,
    computed.network_equals,
    steps.precisions,
    steps.overflow,
    speed.small_network,
    speed.paper_network,
    memory.prediction,
    steps.compiled,
)
# seconds after which no other check begins
PATIENCE = 390.0
RESULTS = Path(__file__).parents[1] / "results"


def main(argv: Sequence[str] = ()) -> int:
    """Does all checks, or those that are named; exit status 1 if a line failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    names = [check.__name__ for check in CHECKS]
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"of: {', '.join(names)}")
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1 .., cpu")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON")
    arguments = parser.parse_args(argv)
    if unknown := sorted(set(arguments.checks) - set(names)):
        parser.error(f"no check {', '.join(unknown)}; there are: {', '.join(names)}")
    chosen = [check for check in CHECKS if check.__name__ in (arguments.checks or names)]
    lines = run(chosen, device=arguments.device)
    found = {"card": described(arguments.device), "lines": [line.as_dict() for line in lines]}
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / f"gpu-{datetime.date.today().isoformat()}.json"
    file.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found))
    return int(any(line.ok is False for line in lines))


def run(checks: Sequence[Check] = CHECKS, *, device: str = "auto") -> list[Line]:
    """The lines of the checks, printed as they come."""
    begun, lines = time.monotonic(), list[Line]()
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(on_device(device), Path(folder))
        if setting.rehearsal:
            print(
                "no GPU: a rehearsal on the CPU, with small shapes; times mean nothing", flush=True
            )
        for check in checks:
            since = time.monotonic()
            for line in _lines(check, setting, late=since - begun > PATIENCE):
                print(line, flush=True)
                lines.append(line)
            print(f"      {check.__name__}: {time.monotonic() - since:.1f} s", flush=True)
    return lines


def _lines(check: Check, setting: Setting, *, late: bool) -> Iterator[Line]:
    if late:
        yield Line(check.__name__, "left out: the time is over", ok=False)
        return
    try:
        yield from check(setting)
    except Exception as error:
        traceback.print_exc(file=sys.stdout)
        yield Line(check.__name__, f"{type(error).__name__}: {error}", ok=False)


__all__ = ["main", "run"]
