"""This checkout beside another one, such as a git worktree of the commit before: has anything
become slower?

`python -m benchmarks compare /path/to/other/checkout [pairs] [measurement ...]`: each measurement
runs in a fresh interpreter in the one, then in the other, so many times (7), first and last in
turn.  What is said is the ratio of each pair: below 1 this checkout is faster.  Both run with this
interpreter and the packages in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parents[1]

# run in either checkout, so they name only what both have; each prints seconds and CPU seconds,
# start-up left out
SAMPLES = """
from pathlib import Path
from benchmarks import batches
make = batches.Timed(batches._recipe(batches._volume(Path(FOLDER), SIZE)))
for index in range(2):
    make(index)
begin()
for index in range(2, 2 + COUNT):
    make(index)
"""
EMPTY_BLOCKS = """
from benchmarks.scale.scheduling import empty
empty(count=10, workers=0)
begin()
empty(count=COUNT, workers=0)
"""
TRAINING_STEPS = """
from benchmarks import step as timed
from config.config import config
from lsd.training.step import step
# checkouts of before call it otherwise
new_learner = vars(timed).get("new_learner") or timed.new
config = config.derive(train={"device": "cpu"})
noise = getattr(timed, "noise_batches", None) or timed._batches
learner, batches = new_learner(config, config.variant.stages[0]), noise(config)
step(learner, batches)
begin()
for _ in range(COUNT):
    step(learner, batches)
"""
PREDICTION = """
import shutil
from pathlib import Path
from benchmarks import prediction
from lsd.spec import UNet
folder = Path(FOLDER) / "prediction"
shutil.rmtree(folder, ignore_errors=True)
config, _ = prediction._prepare(folder, UNet(multiplier=3), 148, (1, 1, COUNT))
begin()
prediction.predict(config, progress=False)
"""
SEGMENTATION = """
import shutil
from pathlib import Path
from benchmarks.scale import volume
folder, shape = Path(FOLDER) / "cells", list(SHAPE)
if not folder.exists():
    volume.make(folder=str(folder), shape=shape, tile=128)
shutil.rmtree(folder / "runs" / "scale" / "segmentation", ignore_errors=True)
begin()
volume.segmented(folder=str(folder), block=shape, workers=0)
"""
AROUND = """
import json, os, time
now = lambda: (time.perf_counter(), sum(os.times()[:4]))
def begin():
    global since
    since = now()
{program}
print(json.dumps([b - a for a, b in zip(since, now())]))
"""


@dataclass(frozen=True)
class Measurement:
    """A program, and the names that it finds set."""

    program: str
    names: Mapping[str, Any]


MEASUREMENTS = {
    "samples with dense truth": Measurement(SAMPLES, {"SIZE": 250, "COUNT": 10}),
    "empty blocks": Measurement(EMPTY_BLOCKS, {"COUNT": 10_000}),
    "training steps of the small network": Measurement(TRAINING_STEPS, {"COUNT": 4}),
    "prediction": Measurement(PREDICTION, {"COUNT": 6}),
    "segmentation of 256x512x512": Measurement(SEGMENTATION, {"SHAPE": (256, 512, 512)}),
}


def run(
    other: Path, *, pairs: int = 7, measurements: Mapping[str, Measurement] = MEASUREMENTS
) -> dict[str, Any]:
    """Of each measurement the median ratio of this checkout over the other, its range, and the same
    for CPU seconds."""
    if not _is_checkout(other):
        raise ValueError(_no_checkout(other))
    results: dict[str, Any] = {"other": _commit(other), "this": _commit(HERE), "pairs": pairs}
    with tempfile.TemporaryDirectory() as folder:
        for name, measurement in measurements.items():
            results |= _shown(
                name, [_pair(other, measurement, folder, number) for number in range(pairs)]
            )
    return results


def main(arguments: Sequence[str]) -> int:
    """Prints what was measured; half an hour for all."""
    names = arguments[2:] or list(MEASUREMENTS)
    pairs = arguments[1] if arguments[1:] else "7"
    if not arguments or not pairs.isdecimal() or not set(names) <= set(MEASUREMENTS):
        print(
            "name the other checkout, the number of pairs if it is not 7, and what is measured if "
            "it is not all: python -m benchmarks compare /path/to/other/checkout [pairs] "
            f"[measurement ...]; there are: {', '.join(map(repr, MEASUREMENTS))}",
            file=sys.stderr,
        )
        return 2
    other = Path(arguments[0]).resolve()
    if not _is_checkout(other):
        print(f"error: {_no_checkout(other)}", file=sys.stderr)
        return 2
    for name in names:
        results = run(other, pairs=int(pairs), measurements={name: MEASUREMENTS[name]})
        for what, value in results.items():
            shown = format(value, ".4g") if isinstance(value, float) else value
            print(f"{what:60} {shown}", flush=True)
    return 0


def _is_checkout(folder: Path) -> bool:
    return (folder / "benchmarks" / "__main__.py").exists()


def _no_checkout(folder: Path) -> str:
    return (
        f"{folder} is no checkout of this repository; make one: git worktree add ../before HEAD~1"
    )


def _pair(
    other: Path, measurement: Measurement, folder: str, number: int
) -> list[tuple[float, float]]:
    """(seconds, CPU seconds) of this checkout, then of the other; which ran first depends on the
    number."""
    order = [HERE, other] if number % 2 else [other, HERE]
    seconds = {checkout: _measured(checkout, measurement, folder) for checkout in order}
    return [seconds[HERE], seconds[other]]


def _measured(checkout: Path, measurement: Measurement, folder: str) -> tuple[float, float]:
    names = {**measurement.names, "FOLDER": folder}
    program = "\n".join(f"{name} = {value!r}" for name, value in names.items()) + AROUND.format(
        program=measurement.program
    )
    # -P and PYTHONPATH: whatever is installed, packages of ours are those of the checkout, in its
    # workers as well
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(
            f"{checkout} failed with exit status {done.returncode}:\n{done.stderr[-2000:]}"
        )
    wall, cpu = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu


def _shown(name: str, pairs: Sequence[Sequence[tuple[float, float]]]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for place, what in enumerate(("s", "CPU s")):
        ratios = [ours[place] / theirs[place] for ours, theirs in pairs]
        results[f"{name}, {what}, this over other"] = median(ratios)
        results[f"{name}, {what}, range"] = f"{min(ratios):.3f} .. {max(ratios):.3f}"
        results[f"{name}, {what}, this"] = median(ours[place] for ours, _ in pairs)
        results[f"{name}, {what}, other"] = median(theirs[place] for _, theirs in pairs)
    return results


def _commit(checkout: Path) -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or str(checkout)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
