"""What it costs to notice edits in place: the state of an array of a million chunks, with one flat
folder and with nested ones.

$LSD_BENCHMARK_SCALE: 1 (10^6 chunks, some minutes to write them, 4 GB of small files) or less
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from lsd.volumes.array import open_array
from lsd.volumes.inputs import ArrayState

ROUNDS = 5


def run() -> dict[str, Any]:
    """Seconds for all chunks of both layouts: the first look, and the median, lowest and highest of
    later ones."""
    side = round(100 * float(os.environ.get("LSD_BENCHMARK_SCALE", "1")) ** (1 / 3))
    results: dict[str, Any] = {"chunks": side**3}
    for name, separator in (("flat", "."), ("nested", "/")):
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder) / "data.zarr", side, separator)
            array = open_array(Path(folder) / "data.zarr", "raw")
            seconds, cpu = zip(*(_timed(array) for _ in range(ROUNDS)), strict=True)
        results |= {
            f"{name}, first look, s": seconds[0],
            f"{name}, s": statistics.median(seconds[1:]),
            f"{name}, lowest, s": min(seconds[1:]),
            f"{name}, highest, s": max(seconds[1:]),
            f"{name}, CPU s": statistics.median(cpu),
        }
    return results


def _timed(array: Any) -> tuple[float, float]:
    since, cpu = time.perf_counter(), time.process_time()
    ArrayState.of(array)
    return time.perf_counter() - since, time.process_time() - cpu


def _write(container: Path, side: int, separator: str) -> None:
    """An array of side^3 chunks of one voxel, each a file of a few bytes."""
    zarr.open_group(str(container), mode="w")
    array = zarr.open_array(
        str(container / "raw"),
        mode="w",
        shape=(side,) * 3,
        chunks=(1, 1, 1),
        dtype=np.uint8,
        compressor=None,
        dimension_separator=separator,
    )
    array.attrs["resolution"] = [4, 4, 4]
    for z in range(side):
        for y in range(side):
            begin = container / "raw" / f"{z}{separator}{y}{separator}"
            if separator == "/":
                begin.mkdir(parents=True)
            for x in range(side):
                with open(f"{container}/raw/{z}{separator}{y}{separator}{x}", "wb") as file:
                    file.write(b"\1")


def main() -> None:
    """Prints what was measured."""
    for name, value in run().items():
        print(f"{name:30} {value:10.4g}")


if __name__ == "__main__":
    main()
