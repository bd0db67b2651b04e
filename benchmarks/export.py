"""A segmentation that is exported to neuroglancer precomputed in blocks: voxels a second, memory,
and whether tensorstore opens the same again.

LSD_BENCHMARK_EXPORT="512,1024,1024" says how large it is (default: 128,256,256), and
LSD_BENCHMARK_WORKERS how many processes share it (default: 0, this one).
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Coordinate, Roi

from benchmarks.scale.process import fresh
from benchmarks.volumes import labellings
from lsd.report.exports.exporter import Running
from lsd.report.exports.precomputed import write_precomputed
from lsd.report.images import Image, image_at
from lsd.segmentation.on_disk.results import pieces
from lsd.spec import Workers
from lsd.spec.exports import Precomputed
from lsd.volumes.create import create_array
from lsd.volumes.precomputed import keys_of, open_scale

_PART = 128


def run() -> dict[str, Any]:
    """Unsharded and sharded, all scales; memory of the largest process, ours or of the workers."""
    shape = [int(n) for n in os.environ.get("LSD_BENCHMARK_EXPORT", "128,256,256").split(",")]
    workers = int(os.environ.get("LSD_BENCHMARK_WORKERS", "0"))
    # this process may have held more for another benchmark
    cost = fresh("benchmarks.export:exported", shape=shape, workers=workers)
    return {**cost.result, "MB at most": max(cost.peak, cost.child)}


def exported(*, shape: list[int], workers: int) -> dict[str, Any]:
    """What is found of a segmentation of a shape that so many processes export."""
    found: dict[str, Any] = {"voxels": int(np.prod(shape)), "workers": workers}
    with tempfile.TemporaryDirectory() as folder:
        image = made(Path(folder), Coordinate(shape))
        for name, spec in (("chunks", Precomputed()), ("shards", Precomputed(sharded=True))):
            since = time.perf_counter()
            running = Running("benchmark", Workers(count=workers), lambda line: None)
            written = write_precomputed(running, image, Path(folder) / name, spec)
            seconds = time.perf_counter() - since
            found |= {
                f"{name}: voxels/s": float(np.prod(shape) / seconds),
                f"{name}: scales": len(keys_of(written)),
                f"{name}: bytes a voxel": size_of(written) / float(np.prod(shape)),
                f"{name}: equal": equal(image, written),
            }
    return found


def made(folder: Path, shape: Coordinate) -> Image:
    """A segmentation, written part by part: a piece of a real one, again and again, under other
    ids."""
    _, part, _ = labellings(_PART)
    roi = Roi((0,) * 3, shape)
    array = create_array(
        folder / "made.zarr", "labels", roi=roi, voxel_size=(8, 8, 8), dtype=np.uint64, labels=True
    )
    apart = int(part.max()) + 1
    corners = np.ndindex(*(-(-int(n) // _PART) for n in shape))
    for number, corner in enumerate(corners):
        own = Roi(Coordinate(corner) * _PART, (_PART,) * 3).intersect(roi)
        ids = part[tuple(slice(0, n) for n in own.shape)].astype(np.uint64)
        array.write(np.where(ids > 0, ids + np.uint64(number * apart), ids), own)
    return image_at(folder / "made.zarr", "labels", "labels", "labels")


def equal(image: Image, folder: Path) -> bool:
    """Whether the finest scale is the segmentation, voxel by voxel."""
    store = open_scale(folder)
    return all(
        bool((store.read(roi)[0] == image.array.read(roi)).all()) for roi in pieces(image.array.roi)
    )


def size_of(folder: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Prints what was found."""
    for key, value in run().items():
        print(f"{key:24} {value}")


if __name__ == "__main__":
    main()
