"""How much touching ids touch, and where: of part of a volume.

All of it is counted in whole numbers, so parts of a volume add up to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.groups import group_begins

AXES = "zyx"
# rows: two ids u < v that share faces of voxels; how many of these are across each axis, and the
# sums of the middles of all, in halves of a voxel from the begin of the volume, 0 along z of planes
CONTACT = np.dtype(
    [("u", "<u8"), ("v", "<u8")]
    + [(f"{what}_{axis}", "<i8") for what in ("faces", "sum") for axis in AXES]
)


def contacts(
    labels: NDArray[np.uint64], *, inside: Sequence[slice], begin: Sequence[int]
) -> NDArray[np.void]:
    """Rows of CONTACT of labels (z, y, x), 2D drops z; 0 touches nothing.  Pairs ascend.

    inside: the part whose faces are counted: those between a voxel of it and the one before, also
            where that lies outside of it
    begin:  of `labels` within the volume, voxels
    """
    flat = 3 - labels.ndim
    parts = [np.empty(0, CONTACT)]
    for axis in range(labels.ndim):
        later, before = _sides(inside, axis)
        u, v = labels[before], labels[later]
        places = np.nonzero((u != v) & (u > 0) & (v > 0))
        rows = np.zeros(len(places[0]), CONTACT)
        ends = np.stack([u[places], v[places]])
        rows["u"], rows["v"] = ends.min(axis=0), ends.max(axis=0)
        rows[f"faces_{AXES[flat + axis]}"] = 1
        for other, place in enumerate(places):
            # the face lies at the begin of the later voxel, and in the middle of it along others
            middle = 2 * (place + later[other].start + begin[other]) + (other != axis)
            rows[f"sum_{AXES[flat + other]}"] = middle
        parts.append(together(rows))
    return together(np.concatenate(parts))


def together(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Rows of CONTACT, in any order, as one for each pair, ascending."""
    ordered = rows[np.lexsort((rows["v"], rows["u"]))]
    first = group_begins(ordered["u"], ordered["v"])
    combined = ordered[first]
    for name in CONTACT.names[2:] if CONTACT.names and len(first) else ():
        combined[name] = np.add.reduceat(ordered[name], first)
    return combined


def numbers(rows: NDArray[Any], what: str) -> NDArray[Any]:
    """The numbers of each axis, (n, 3): "faces" or "sum"."""
    return np.stack([rows[f"{what}_{axis}"] for axis in AXES], axis=-1)


def _sides(inside: Sequence[slice], axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The voxels of a part that have one before them along an axis, and these."""
    first = max(inside[axis].start, 1)
    later = (*inside[:axis], slice(first, inside[axis].stop), *inside[axis + 1 :])
    before = (*inside[:axis], slice(first - 1, inside[axis].stop - 1), *inside[axis + 1 :])
    return later, before
