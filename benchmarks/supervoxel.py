"""Critical mistakes of the supervoxel loss: CPU seconds, of one core, by size and rule.

The public implementation is no package that could be installed beside ours.  It makes a mask of
the whole volume for each group of mistakes, so its time grows with voxels times groups.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from benchmarks.cells import NEAREST, cells, noisy_affinities, noisy_foreground
from lsd.losses.supervoxel import Criterion, critical
from lsd.losses.supervoxel_edges import critical_edges

RULES: tuple[tuple[int, Criterion], ...] = ((6, "joint"), (26, "joint"), (26, "individual"))


def run(
    *, volumes: tuple[tuple[int, int], ...] = ((64, 40), (128, 160), (256, 1280))
) -> dict[str, Any]:
    """Seconds for each volume, and how many times those of one are in the next, which has eight
    times as many voxels; volumes: side and objects of each."""
    result: dict[str, Any] = {}
    for side, objects in volumes:
        for name, seconds in _measured(side, objects).items():
            result[f"{side}^3, {objects} objects, {name}, CPU s"] = seconds
    for (small, before), (large, objects) in pairwise(volumes):
        for name in _names():
            seconds = [
                result[f"{side}^3, {count} objects, {name}, CPU s"]
                for side, count in ((small, before), (large, objects))
            ]
            result[f"{large}^3 / {small}^3, {name}"] = seconds[1] / seconds[0]
    return result


def main() -> None:
    """Prints what was measured; a minute."""
    for name, value in run().items():
        print(f"{name:44} {value:10.4g}")


def _names() -> list[str]:
    return [*(f"{criterion} {connectivity}" for connectivity, criterion in RULES), "affinities"]


def _measured(side: int, objects: int) -> dict[str, float]:
    labels = cells((side,) * 3, objects)
    prediction, affs = noisy_foreground(labels), noisy_affinities(labels)
    calls: list[Callable[[], object]] = [
        lambda rule=rule: critical(  # type: ignore[misc]
            labels, prediction, connectivity=rule[0], criterion=rule[1]
        )
        for rule in RULES
    ]
    calls.append(lambda: critical_edges(affs, labels, NEAREST))
    return dict(zip(_names(), map(_seconds, calls), strict=True))


def _seconds(call: Callable[[], object]) -> float:
    call()  # may compile
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        call()
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
