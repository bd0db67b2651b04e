"""Local occupancy vectors: the time of targets beside that of as many affinities, that of a
consensus, and the memory of targets block by block.

128^3 voxels of cells, every third of which is background, and the 27 offsets of a box; all on one
core.  Targets of 512^3 voxels, which take 18 GB as a whole, are made in blocks of 128^3, each of
which is let go before the next.  `python -m benchmarks occupancy` takes half a minute; a smaller
volume in blocks: `python -c "from benchmarks.occupancy import run; print(run(side=256))"`.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.cells import cells
from lsd.spec import Box, Occupancy
from lsd.targets.affinities import affinities
from lsd.targets.in_blocks import target_blocks
from lsd.targets.occupancy import Mode, consensus, occupancy

TILE = 128
OFFSETS = Box().offsets_in(3)
VOXEL_SIZE = (8, 8, 8)


def run(*, side: int = 512, repeats: int = 5) -> dict[str, Any]:
    """CPU seconds of one core, medians, and MB of arrays at most; side: of the volume in blocks."""
    labels = cells((TILE,) * 3, 160)
    labels[labels % 3 == 0] = 0
    # as many affinities as instances have: the middle is none
    steps = [offset for offset in OFFSETS if any(offset)]
    of_affinities = _seconds(lambda: affinities(labels, steps), repeats) / len(steps)
    modes: tuple[Mode, ...] = get_args(Mode)
    of_modes = {
        mode: _seconds(partial(occupancy, labels, OFFSETS, mode=mode), repeats) / len(OFFSETS)
        for mode in modes
    }
    prediction = np.random.default_rng(0).random((len(OFFSETS), *labels.shape), np.float32)
    return {
        "volume": f"{TILE}^3, {len(OFFSETS)} offsets",
        "affinities, s a channel": of_affinities,
        **{f"{mode}, s a channel": seconds for mode, seconds in of_modes.items()},
        **{f"{mode}, times affinities": s / of_affinities for mode, s in of_modes.items()},
        "consensus, s": _seconds(lambda: consensus(prediction, OFFSETS), repeats),
        "consensus, MB beside the prediction": _peak(lambda: consensus(prediction, OFFSETS)),
        **_in_blocks(labels, side),
    }


class Tiled:
    """Labels over and over, as an array that is read by regions."""

    def __init__(self, tile: NDArray[np.uint64], side: int) -> None:
        self.tile, self.shape = tile, (side,) * 3

    def __getitem__(self, region: tuple[slice, ...]) -> NDArray[np.uint64]:
        """A region of all of them."""
        rows = (
            np.arange(part.start, part.stop) % n
            for part, n in zip(region, self.tile.shape, strict=True)
        )
        return self.tile[np.ix_(*rows)]


def _in_blocks(tile: NDArray[np.uint64], side: int) -> dict[str, Any]:
    labels, target = Tiled(tile, side), Occupancy(mode="foreground")

    def every_block() -> None:
        for part in target_blocks(target, labels, block=(TILE,) * 3, voxel_size=VOXEL_SIZE):
            del part

    return {
        f"{side}^3 in blocks, s": _seconds(every_block, 1),
        f"{side}^3 in blocks, MB at most": _peak(every_block),
        f"{side}^3 as a whole, MB": side**3 * len(OFFSETS) * 5 / 1e6,
    }


def _seconds(work: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 1):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    # the first may compile
    return statistics.median(seconds[1:])


def _peak(work: Callable[[], object]) -> float:
    """MB of what is allocated meanwhile, at most."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def main() -> None:
    """Prints what was measured."""
    for name, value in run().items():
        print(f"{name:40} {value if isinstance(value, str) else format(value, '10.4g')}")


if __name__ == "__main__":
    main()
