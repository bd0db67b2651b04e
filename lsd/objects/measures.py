"""How large objects are, where they lie and how surely they are there: of a block, and of blocks
together.

All of it is counted in whole numbers, so it is the same however a volume was divided.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fastremap
import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.sums import sums

AXES = "zyx"
# rows: an object (of a block): its voxels, the sums of their places, the first and the last of
# these along each axis, and the sum of their confidences, in steps; places are voxels from the
# begin of the volume, 0 along z of planes
MEASURE = np.dtype(
    [("id", "<u8"), ("voxels", "<u8")]
    + [(f"{what}_{axis}", "<u8") for what in ("sum", "first", "last") for axis in AXES]
    + [("confidence", "<u8")]
)
_NUMBERS = tuple(name for name in MEASURE.names or () if name != "id")
# steps of a confidence: the sum of those of 2**40 voxels is one that 64 bits hold
STEPS = 1 << 24


def measures(
    labels: NDArray[np.uint64], confidence: NDArray[np.float32], *, begin: Sequence[int]
) -> NDArray[np.void]:
    """Rows of MEASURE of the labels of a block, in ascending order; 0 is none.

    labels, confidence: (z, y, x), 2D drops z; confidence: 0..1; begin: of the block within the
    volume, voxels
    """
    flat = (1,) * (3 - labels.ndim)
    numbers, of_ids = renumbered(labels)
    table = np.zeros((len(of_ids), len(_NUMBERS)), np.uint64)
    table[:, 4:7] = np.iinfo(np.uint64).max
    _measure(
        numbers.reshape(flat + labels.shape),
        np.ascontiguousarray(confidence, np.float32).reshape(flat + labels.shape),
        np.array((0,) * len(flat) + tuple(begin), np.uint64),
        table,
    )
    rows = np.empty(len(of_ids), MEASURE)
    rows["id"] = of_ids
    for name, column in zip(_NUMBERS, table.T, strict=True):
        rows[name] = column
    return rows


def renumbered(labels: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Labels as places in the list of those above 0, -1 where there is none; and the list,
    ascending."""
    of_ids = fastremap.unique(labels)
    of_ids = of_ids[of_ids > 0].astype(np.uint64)
    numbers = np.searchsorted(of_ids, labels)
    return np.where(labels > 0, numbers, -1).astype(np.int64), of_ids


def together(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Rows of MEASURE of several blocks as those of all of them, one an object, ascending."""
    of_ids, place = np.unique(rows["id"], return_inverse=True)
    combined = np.empty(len(of_ids), MEASURE)
    combined["id"] = of_ids
    for name in _NUMBERS:
        if name.startswith("first"):
            combined[name] = np.iinfo(np.uint64).max
            np.minimum.at(combined[name], place, rows[name])
        elif name.startswith("last"):
            combined[name] = 0
            np.maximum.at(combined[name], place, rows[name])
        else:
            combined[name] = sums(place, rows[name], len(of_ids))
    return combined


def columns(rows: NDArray[Any], what: str) -> NDArray[Any]:
    """The numbers of each axis, (n, 3), such as all "first"."""
    return np.stack([rows[f"{what}_{axis}"] for axis in AXES], axis=-1)


def centroids(rows: NDArray[np.void]) -> NDArray[np.float64]:
    """Mean place of the voxels of each object, (n, 3)."""
    mean: NDArray[np.float64] = columns(rows, "sum") / rows["voxels"][:, None]
    return mean


@numba.njit(cache=True, nogil=True)
def _measure(numbers, confidence, begin, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Adds each voxel to the row of its object; see `MEASURE` for the columns."""
    one = np.uint64(1)
    for z in range(numbers.shape[0]):
        for y in range(numbers.shape[1]):
            for x in range(numbers.shape[2]):
                number = numbers[z, y, x]
                if number < 0:
                    continue
                row = table[number]
                row[0] += one
                place = (begin[0] + np.uint64(z), begin[1] + np.uint64(y), begin[2] + np.uint64(x))
                for axis in range(3):
                    row[1 + axis] += place[axis]
                    row[4 + axis] = min(row[4 + axis], place[axis])
                    row[7 + axis] = max(row[7 + axis], place[axis])
                sure = min(max(np.float64(confidence[z, y, x]), 0.0), 1.0)
                row[10] += np.uint64(np.rint(sure * STEPS))
