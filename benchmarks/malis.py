"""Counts of pairs of constrained MALIS: ours against the C++ of the package malis 1.0, in CPU
seconds of one core.

The package itself cannot be installed on a Python of today (its setup.py fails, and it imports
names that scipy has dropped), so its one C++ file is taken from its archive and compiled here,
with the headers of boost that it wants.  Where that does not work ours is measured alone.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cells import NEAREST, cells, noisy_affinities
from benchmarks.environment import environment, run_in
from lsd.losses.malis import pair_counts

PEER = ("numpy==2.4.6", "cmeel-boost==1.90.0")
# of the training of Funke et al. 2019
SHAPE = (84, 268, 268)
# cells in 128^3 voxels
DENSITY = 160 / 128**3
Volume = tuple[NDArray[np.float32], NDArray[np.uint64]]


def run(
    *, shape: tuple[int, ...] = SHAPE, sides: tuple[int, ...] = (64, 128, 256)
) -> dict[str, Any]:
    """Seconds of both passes, by threads and by size, and beside the peer.

    shape: of the volume that is compared; sides: of the cubes by which growth is told
    """
    affs, labels = _volume(shape)
    pair_counts(affs[:, :8, :8, :8], labels[:8, :8, :8], NEAREST)  # compiles
    result: dict[str, Any] = {"volume": f"{shape}, {int(labels.max())} cells, three offsets"}
    result |= _beside_peer(affs, labels)
    wall = {threads: _wall(affs, labels, threads) for threads in (1, 2)}
    result |= {f"ours, wall s, threads {threads}": seconds for threads, seconds in wall.items()}
    del affs, labels
    growth = {side: _cpu(*_volume((side,) * 3)) for side in sides}
    return result | {f"ours, {side}^3, CPU s": seconds for side, seconds in growth.items()}


def main() -> None:
    """Prints what was measured; two minutes."""
    for name, value in run().items():
        print(f"{name:26} {value if isinstance(value, str) else format(value, '10.4g')}")


def _volume(shape: tuple[int, ...]) -> Volume:
    labels = cells(shape, max(2, round(int(np.prod(shape)) * DENSITY)))
    return noisy_affinities(labels), labels


def _cpu(affs: NDArray[np.float32], labels: NDArray[np.uint64]) -> float:
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        pair_counts(affs, labels, NEAREST, threads=1)
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds)


def _wall(affs: NDArray[np.float32], labels: NDArray[np.uint64], threads: int) -> float:
    begin = time.perf_counter()
    pair_counts(affs, labels, NEAREST, threads=threads)
    return time.perf_counter() - begin


def _beside_peer(affs: NDArray[np.float32], labels: NDArray[np.uint64]) -> dict[str, Any]:
    """In turn, so that both see the machine in one state; and whether they agree."""
    seconds = _cpu(affs, labels)
    try:
        theirs, sums = _theirs(affs, labels)
    except RuntimeError as error:
        return {"ours, CPU s": seconds, "malis 1.0": f"cannot be built here: {str(error)[-200:]}"}
    seconds = statistics.median([seconds, _cpu(affs, labels)])
    ours = [int(counts.sum()) for counts in pair_counts(affs, labels, NEAREST, threads=1)]
    return {
        "malis 1.0, CPU s": theirs,
        "ours, CPU s": seconds,
        "ratio": theirs / seconds,
        "sums of pairs are equal": ours == sums,
    }


def _theirs(affs: NDArray[np.float32], labels: NDArray[np.uint64]) -> tuple[float, list[int]]:
    script = Path(__file__).parent / "peers" / "malis_pairs.py"
    python = environment("malis", PEER)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "volume.npz"
        np.savez(given, affs=affs, labels=labels, neighborhood=NEAREST)
        found = json.loads(run_in(python, script, str(given), folder))
    return found["seconds"], found["sums"]


if __name__ == "__main__":
    main()
