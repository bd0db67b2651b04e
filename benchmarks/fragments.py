"""Fragments: ours against the usual recipe (scipy, mahotas) in an environment of its own, in CPU
seconds (both take one core).

Both are given the same foreground.  That the partition is as good is shown by the VOI between the
two and, on a real volume, of either against the truth.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import volumes
from benchmarks.environment import environment, run_in
from lsd.evaluation.partition import compare
from lsd.segmentation.fragments import fragments

PEER = ("numpy==2.4.6", "scipy==1.17.1", "mahotas==1.4.19")
DISTANCE = 10


def run(*, size: int = 200, repeats: int = 3) -> dict[str, Any]:
    """Seconds per Mvoxel of both, their ratio, and how the partitions compare; size: voxels a
    side."""
    name, foreground = volumes.foreground(size)
    with tempfile.TemporaryDirectory() as folder:
        input_file, output_file = Path(folder) / "foreground.npy", Path(folder) / "fragments.npy"
        np.save(input_file, foreground)
        script = Path(__file__).parent / "peers" / "usual_fragments.py"
        theirs = json.loads(
            run_in(
                environment("fragments", PEER),
                script,
                str(input_file),
                str(DISTANCE),
                str(repeats),
                str(output_file),
            )
        )
        usual = np.load(output_file)
    affs = np.broadcast_to(np.uint8(255) * foreground, (3, *foreground.shape))
    fragments(affs[:, :8, :8, :8])  # compiles
    seconds, ours = min((_timed(affs) for _ in range(repeats)), key=lambda timed: timed[0])
    million = foreground.size / 1e6
    truth = volumes.fib25(volumes.TRUTH, size)
    against = (
        {}
        if truth is None
        else {
            "VOI sum, usual": compare(usual, truth).voi_sum,
            "VOI sum, ours": compare(ours, truth).voi_sum,
        }
    )
    return {
        "volume": f"{name} {foreground.shape}",
        "usual, s/Mvoxel": sum(theirs.values()) / million,
        "ours, s/Mvoxel": seconds / million,
        "ratio": sum(theirs.values()) / seconds,
        "flooding's part of usual": theirs["flooding"] / sum(theirs.values()),
        "VOI between the two": compare(ours, usual).voi_sum,
        **against,
    }


def _timed(affs: NDArray[np.uint8]) -> tuple[float, NDArray[np.uint64]]:
    start = time.process_time()
    labels = fragments(affs, min_seed_distance=DISTANCE)
    return time.process_time() - start, labels


def main() -> None:
    """Prints what was measured; a minute on one core."""
    for name, value in run().items():
        print(f"{name:26} {value if isinstance(value, str) else format(value, '10.4g')}")


if __name__ == "__main__":
    main()
