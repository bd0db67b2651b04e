"""Critical mistakes of the supervoxel loss: CPU seconds, of one core, by size and rule.

The public implementation is no package that could be installed beside ours.  It makes a mask of
the whole volume for each group of mistakes, so its time grows with voxels times groups.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
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
    sizes = [f"{side}^3, {objects} objects" for side, objects in volumes]
    made = [_calls(side, objects) for side, objects in volumes]
    result: dict[str, Any] = {}
    for name in made[0]:
        seconds = _in_turn([calls[name] for calls in made])
        result |= {
            f"{size}, {name}, CPU s": taken for size, taken in zip(sizes, seconds, strict=True)
        }
        for (small, before), (large, after) in pairwise(zip(volumes, seconds, strict=True)):
            result[f"{large[0]}^3 / {small[0]}^3, {name}"] = after / before
    return result


def main() -> None:
    """Prints what was measured; a minute."""
    for name, value in run().items():
        print(f"{name:44} {value:10.4g}")


def _calls(side: int, objects: int) -> dict[str, Callable[[], object]]:
    """What is measured on a volume, by name."""
    labels = cells((side,) * 3, objects)
    prediction, affs = noisy_foreground(labels), noisy_affinities(labels)
    calls: dict[str, Callable[[], object]] = {
        f"{criterion} {connectivity}": partial(
            critical, labels, prediction, connectivity=connectivity, criterion=criterion
        )
        for connectivity, criterion in RULES
    }
    return calls | {"affinities": partial(critical_edges, affs, labels, NEAREST)}


def _in_turn(calls: list[Callable[[], object]]) -> list[float]:
    """Median seconds of each; one after the other and again, so that all see the machine in the
    same states."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(6):
        for call, taken in zip(calls, seconds, strict=True):
            begin = time.process_time()
            call()
            taken.append(time.process_time() - begin)
    # the first may compile
    return [statistics.median(taken[1:]) for taken in seconds]


if __name__ == "__main__":
    main()
