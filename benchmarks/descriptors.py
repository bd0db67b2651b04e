"""Descriptors: ours against the reference package lsds in an environment of its own.

128^3 voxels of 8 nm, 60 convex objects that fill it, sigma 80 nm, downsample 1 and 2: wall seconds,
medians.  lsds takes one core; ours takes all, and the same on one is given beside it.  That time
grows with the volume alone is shown by
a volume eight times as large at the same density.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from benchmarks.environment import STOCK, environment, run_in
from lsd.targets.descriptors import descriptors

PEER = Path(__file__).parent / "peers" / "lsds_descriptors.py"
SIGMA, VOXEL_SIZE = 80, 8


def run(
    *, size: int = 128, objects: int = 60, repeats: int = 9, peer_repeats: tuple[int, int] = (1, 3)
) -> dict[str, Any]:
    """Seconds per Mvoxel of both for downsample 1 and 2, ratios, and the largest difference of any
    value.

    ratio: the smaller of the two; peer_repeats: runs of lsds for each
    """
    labels, large = volume(size, objects), volume(2 * size, 8 * objects)
    result: dict[str, Any] = {"volume": f"{size}^3, {objects} objects"}
    for downsample, count in zip((1, 2), peer_repeats, strict=True):
        theirs, expected = _theirs(labels, downsample, count)
        ours = {threads: _ours(labels, downsample, repeats, threads) for threads in (None, 1)}
        lsds = descriptors(labels, voxel_size=(VOXEL_SIZE,) * 3, sigma=SIGMA, downsample=downsample)
        result |= {
            f"lsds, downsample {downsample}, s/Mvoxel": theirs,
            f"ours, downsample {downsample}, s/Mvoxel": ours[None],
            f"ours, downsample {downsample}, one thread": ours[1],
            f"ours, downsample {downsample}, 8 x volume": _ours(large, downsample, 3, None),
            f"ratio, downsample {downsample}": theirs / ours[None],
            f"largest difference, downsample {downsample}": float(np.abs(lsds - expected).max()),
        }
    return result | {"ratio": min(result["ratio, downsample 1"], result["ratio, downsample 2"])}


def main() -> None:
    """Prints what was measured; three minutes."""
    for name, value in run().items():
        print(f"{name:34} {value if isinstance(value, str) else format(value, '10.4g')}")


def volume(size: int, objects: int) -> npt.NDArray[np.uint64]:
    """Voronoi cells of random points."""
    points = np.random.default_rng(0).uniform(0, size, (objects, 3))
    grid = np.stack(np.meshgrid(*3 * [np.arange(size)], indexing="ij"), -1).reshape(-1, 3)
    nearest: npt.NDArray[np.intp] = cKDTree(points).query(grid)[1]
    return (nearest + 1).reshape((size,) * 3).astype(np.uint64)


def _ours(
    labels: npt.NDArray[np.uint64], downsample: int, repeats: int, threads: int | None
) -> float:
    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        descriptors(
            labels,
            voxel_size=(VOXEL_SIZE,) * 3,
            sigma=SIGMA,
            downsample=downsample,
            threads=threads,
        )
        seconds.append(time.perf_counter() - begin)
    # the first call may compile
    return statistics.median(seconds[1:]) / labels.size * 1e6


def _theirs(
    labels: npt.NDArray[np.uint64], downsample: int, repeats: int
) -> tuple[float, npt.NDArray[np.float32]]:
    python = environment("stock", STOCK)
    with tempfile.TemporaryDirectory() as folder:
        labels_file, lsds_file = Path(folder) / "labels.npy", Path(folder) / "descriptors.npy"
        np.save(labels_file, labels)
        arguments = [labels_file, SIGMA, VOXEL_SIZE, downsample, repeats, lsds_file]
        seconds = json.loads(run_in(python, PEER, *map(str, arguments)))
        return statistics.median(seconds) / labels.size * 1e6, np.load(lsds_file)


if __name__ == "__main__":
    main()
