"""How many voxels each segment shares with each object of the truth: all that scores of partitions need."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.segmentation.lookup import relabel
from lsd.segmentation.pairs import count_pairs, sum_pairs


@dataclass(frozen=True, eq=False)
class Contingency:
    """Sparse table, a row for each pair that occurs, in ascending order: segment, object of the truth, voxels.

    Tables of blocks add up to the table of the whole, `Contingency.of(a, b) + Contingency.of(c, d)`, so a volume of any
    size is counted slab by slab.
    """

    segments: NDArray[np.uint64]
    objects: NDArray[np.uint64]
    voxels: NDArray[np.int64]

    @classmethod
    def of(cls, segmentation: NDArray[Any], truth: NDArray[Any], *, mask: NDArray[Any] | None = None) -> Contingency:
        """Count two arrays of one shape and any integer dtypes, exactly up to 2**64 - 1; only where `mask` is set.

        Raises ValueError for negative or fractional ids and for shapes that differ.
        """
        for name, array in (("segmentation", segmentation), ("truth", truth), ("mask", mask)):
            if array is not None and array.shape != segmentation.shape:
                raise ValueError(f"{name} has shape {array.shape}, the segmentation {segmentation.shape}; they must agree")
            if array is not None and name != "mask":
                _check_ids(name, array)
        return cls(*count_pairs(segmentation, truth, mask=mask))

    @classmethod
    def empty(cls) -> Contingency:
        """Of no voxel at all; where a sum starts."""
        return cls(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int64))

    def __add__(self, other: Contingency) -> Contingency:
        columns = [np.concatenate([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self)]
        return Contingency(*sum_pairs(*columns))

    def relabelled(self, nodes: NDArray[Any], segments: NDArray[Any]) -> Contingency:
        """The table of the segmentation in which each of `nodes` has become its segment; the arrays are not needed."""
        return Contingency(*sum_pairs(relabel(self.segments, nodes, segments), self.objects, self.voxels))


def _check_ids(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind not in "uib":
        raise ValueError(f"{name} has dtype {array.dtype}; ids are whole numbers, allowed: integer dtypes")
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise ValueError(f"{name} holds {array.min()}; allowed: 0..2**64 - 1")
