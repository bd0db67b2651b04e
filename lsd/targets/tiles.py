"""Objects cut into tiles of bounded size, shared among threads.

Cells are voxels after downsampling.  A tile is a part of an object's bounding box, whole in z:
windows reach out of it, but only its cells are described.  Each is one row of int64: FIELDS.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

from lsd.targets.objects import Objects

FIELDS = ("first run", "end of runs", "z0", "z1", "y0", "y1", "x0", "x1")
# cells of a tile in y and in x: what it needs stays in the cache of one core, and the halo around
# it is worth its while
HIGHEST, WIDEST = 16, 48
# float64 of a vector register: rows are padded to it, so that loops over x have no remainder
LANES = 8
CHUNKS_PER_THREAD = 8

Tiles = npt.NDArray[np.int64]


def cut(objects: Objects, factor: tuple[int, int, int]) -> Tiles:
    """The tiles (n, 8) of all objects."""
    boxes = objects.boxes(factor)
    tiles = np.column_stack([objects.first[:-1], objects.first[1:], boxes])
    return _split(_split(tiles, 4, HIGHEST, 1), 6, WIDEST, LANES)


def largest(tiles: Tiles) -> tuple[int, int, int]:
    """Cells of the deepest, the highest and the widest tile, the last padded to whole LANES."""
    depth, height, width = (int((tiles[:, i + 1] - tiles[:, i]).max()) for i in (2, 4, 6))
    return depth, height, -(-width // LANES) * LANES


def _split(tiles: Tiles, column: int, largest: int, unit: int) -> Tiles:
    """Cuts the ranges tiles[:, column:column + 2] into the fewest parts of at most `largest` cells,
    of whole units."""
    begin, end = tiles[:, column], tiles[:, column + 1]
    parts = -(-(end - begin) // largest)
    step = -(-(end - begin) // (parts * unit)) * unit
    parts = -(-(end - begin) // step)
    pieces = np.repeat(tiles, parts, axis=0)
    part = np.arange(len(pieces)) - np.repeat(np.cumsum(parts) - parts, parts)
    step, end = np.repeat(step, parts), np.repeat(end, parts)
    pieces[:, column] += part * step
    pieces[:, column + 1] = np.minimum(pieces[:, column] + step, end)
    return pieces


def each(work: Callable[[Tiles], None], tiles: Tiles, *, threads: int | None = None) -> None:
    """Calls `work` with chunks of the tiles, which it may write to disjoint places for; returns
    when all are done.

    threads: None for as many as numba would use (NUMBA_NUM_THREADS, by default the cores of this
             process).
    """
    threads = threads or numba.config.NUMBA_NUM_THREADS
    if threads == 1 or len(tiles) == 1:
        return work(tiles)
    number = min(len(tiles), threads * CHUNKS_PER_THREAD)
    size = np.prod([tiles[:, i + 1] - tiles[:, i] for i in (2, 4, 6)], axis=0)
    largest_first = tiles[np.argsort(-size, kind="stable")]
    chunks = [largest_first[i::number] for i in range(number)]
    # threads of our own, not numba's: its pool does not survive a fork, and data loaders fork
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, chunks):
            pass
    return None
