"""Edges between voxels, numbered by channel and then by voxel, and what the truth says of each.

Edge (c, v) leads from voxel v to voxel v + offset c.  Its number is c * voxels + v, so edges in
ascending order are in the order of the memory of affinities (c, z, y, x).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import offsets_of
from lsd.arrays.offsets import Offset, check_neighborhood

# what an edge is: one of its ends is outside the volume, or unknown; its ends are of one object, or
# they are not
OUTSIDE, UNKNOWN, NEGATIVE, POSITIVE = 0, 1, 2, 3
# edges and voxels are numbered in int32: half the memory traffic
LARGEST = 2**31 - 1


class Edges(NamedTuple):
    """classes: uint8 (channels, voxels); steps: int64 (channels,), from a voxel to the other end in
    memory."""

    classes: NDArray[np.uint8]
    steps: NDArray[np.int64]


def fitting_offsets(
    affs: tuple[int, ...], labels: tuple[int, ...], neighborhood: Sequence[Sequence[int]]
) -> tuple[Offset, ...]:
    """The offsets of affinities of shape `affs` beside labels of shape `labels`.  Raises ValueError
    where the three do not fit."""
    offsets = offsets_of(neighborhood)
    if affs[1:] != labels:
        raise ValueError(
            f"affinities have shape {affs}, labels {labels}; wanted: (channels, *shape of labels), "
            "so crop both to the same region"
        )
    checked = check_neighborhood(offsets, channels=affs[0])
    if len(checked[0]) != len(labels):
        raise ValueError(
            f"offset {checked[0]} has {len(checked[0])} entries, labels have {len(labels)} axes; "
            "give each offset one entry an axis"
        )
    return checked


def edges_of(
    labels: NDArray[Any], known: NDArray[np.bool_], neighborhood: Sequence[Sequence[int]]
) -> Edges:
    """The edges of `labels` (2D or 3D, any integers), of which `known` ones count; offsets as many
    axes."""
    lead = (0,) * (3 - labels.ndim)
    shape = np.array((*(1 for _ in lead), *labels.shape), np.int64)
    offsets = np.array([(*lead, *offset) for offset in neighborhood], np.int64)
    strides = np.array([shape[1] * shape[2], shape[2], 1], np.int64)
    classes = np.zeros((len(offsets), labels.size), np.uint8)
    flat = np.ascontiguousarray(labels).reshape(-1)
    _classify(flat, np.ascontiguousarray(known).reshape(-1), shape, offsets, classes)
    return Edges(classes, offsets @ strides)


@numba.njit(cache=True, nogil=True)
def _classify(labels, known, shape, offsets, classes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    depth, height, width = shape
    for c in range(len(offsets)):
        dz, dy, dx = offsets[c]
        step = (dz * height + dy) * width + dx
        for z in range(max(0, -dz), depth - max(0, dz)):
            for y in range(max(0, -dy), height - max(0, dy)):
                row = (z * height + y) * width
                for v in range(row + max(0, -dx), row + width - max(0, dx)):
                    if not (known[v] and known[v + step]):
                        classes[c, v] = UNKNOWN
                    elif labels[v] != 0 and labels[v] == labels[v + step]:
                        classes[c, v] = POSITIVE
                    else:
                        classes[c, v] = NEGATIVE
