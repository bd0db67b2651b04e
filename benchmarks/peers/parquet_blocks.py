"""Edges as one Parquet file a block (pyarrow), each written whole or not at all, then all of them
read.

Usage: parquet_blocks.py folder blocks edges; prints seconds, CPU seconds, bytes on disk and files
as JSON.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Moment = tuple[float, float]


def main() -> None:
    folder, blocks, edges = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    rng = np.random.default_rng(0)
    u = (
        np.repeat(np.arange(blocks), edges) * 1024**3 + rng.integers(1, 31, blocks * edges)
    ).astype(np.uint64)
    v = u + rng.integers(1, 1024**3, blocks * edges).astype(np.uint64)
    score = rng.random(blocks * edges, dtype=np.float32)
    # threads only cost at this size
    pa.set_cpu_count(1)
    write(folder / "first", u[:edges], v[:edges], score[:edges])
    read(folder / "first")
    (folder / "first").unlink()
    begin = now()
    for index in range(blocks):
        rows = slice(index * edges, (index + 1) * edges)
        write(folder / f"{index}.parquet", u[rows], v[rows], score[rows])
    middle = now()
    assert sum(read(path) for path in folder.iterdir()) == blocks * edges
    end = now()
    size = sum(path.stat().st_blocks * 512 for path in folder.iterdir())
    times = {**between("write", begin, middle), **between("read", middle, end)}
    print(json.dumps({**times, "bytes": size, "files": blocks}))


def write(
    path: Path, u: NDArray[np.uint64], v: NDArray[np.uint64], score: NDArray[np.float32]
) -> None:
    partial = path.with_suffix(".partial")
    pq.write_table(pa.table({"u": u, "v": v, "score": score}), partial)
    os.replace(partial, path)


def read(path: Path) -> int:
    # faster than read_table, which looks for more than one file
    with pq.ParquetFile(path) as file:
        table = file.read(use_threads=False)
    u, v, score = (table[name].to_numpy() for name in ("u", "v", "score"))
    assert len(v) == len(score) == len(u)
    return len(u)


def now() -> Moment:
    return time.perf_counter(), time.process_time()


def between(what: str, begin: Moment, end: Moment) -> dict[str, float]:
    return {what: end[0] - begin[0], f"{what} cpu": end[1] - begin[1]}


main()
