"""VOI and Rand: ours against scikit-image in an environment of its own, in CPU seconds (both take
one core)."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import volumes
from benchmarks.environment import environment, run_in
from lsd.arrays.lookup import compact
from lsd.evaluation.partition import compare

PEER = ("numpy==2.4.6", "scikit-image==0.26.0")


def run(*, size: int = 250, repeats: int = 3) -> dict[str, Any]:
    """Seconds per Mvoxel of both, their ratio, and the largest difference between their scores;
    size: voxels a side."""
    name, segmentation, truth = volumes.labellings(size)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "segmentation.npy", Path(folder) / "truth.npy"]
        for path, labels in zip(paths, (segmentation, truth), strict=True):
            np.save(path, compact(labels).astype(np.int64))  # its memory grows with the largest id
        script = Path(__file__).parent / "peers" / "skimage_scores.py"
        theirs = json.loads(
            run_in(environment("scores", PEER), script, *map(str, paths), str(repeats))
        )
    ours = compare(segmentation[:4], truth[:4], ignore=())  # compiles
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        ours = compare(segmentation, truth, ignore=())
        seconds.append(time.process_time() - start)
    pairs = (
        (theirs["split"], ours.voi_split),
        (theirs["merge"], ours.voi_merge),
        (theirs["arand"], ours.arand),
    )
    return {
        "volume": f"{name} {truth.shape}",
        "scikit-image, s/Mvoxel": theirs["seconds"] / truth.size * 1e6,
        "ours, s/Mvoxel": min(seconds) / truth.size * 1e6,
        "ratio": theirs["seconds"] / min(seconds),
        "largest difference": max(abs(a - b) for a, b in pairs),
    }


def main() -> None:
    """Prints what was measured; half a minute on one core."""
    for name, value in run().items():
        print(f"{name:26} {value if isinstance(value, str) else format(value, '10.4g')}")


if __name__ == "__main__":
    main()
