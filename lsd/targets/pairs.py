"""What is asked of each pair of a voxel and the voxel at an offset from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lsd.arrays.offsets import Offset, Slices, views

# of the voxels that one slice gives and their neighbours that the other gives
Answer = Callable[[Slices, Slices], npt.NDArray[np.bool_]]


def of_pairs(
    answer: Answer,
    offsets: Sequence[Offset],
    *,
    shape: tuple[int, ...],
    known: npt.NDArray[np.bool_] | None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The answer for each voxel v and v + offset, and where it is known: (c, *shape) each.

    known: voxels that are known, of `shape`; None: all.  A pair is known where both of its ends are
           inside and known
    """
    values = np.zeros((len(offsets), *shape), np.float32)
    valid = np.zeros(values.shape, np.bool_)
    for channel, offset in enumerate(offsets):
        voxels, neighbours = views(shape, offset)
        values[channel][voxels] = answer(voxels, neighbours)
        valid[channel][voxels] = True if known is None else known[voxels] & known[neighbours]
    return values, valid


def alike(labels: npt.NDArray[np.integer]) -> Answer:
    """Whether both are of one object of `labels`; 0 is none."""
    objects = labels != 0

    def answer(voxels: Slices, neighbours: Slices) -> npt.NDArray[np.bool_]:
        same: npt.NDArray[np.bool_] = labels[voxels] == labels[neighbours]
        same &= objects[voxels]
        return same

    return answer


def neighbour_in_any(labels: npt.NDArray[np.integer]) -> Answer:
    """Whether the neighbour is of an object of `labels`, whichever."""
    objects = labels != 0
    return lambda _, neighbours: objects[neighbours]
