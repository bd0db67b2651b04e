"""How many voxels each segment shares with each object of the truth: all that scores of partitions
need."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.ids import ids, set_voxels
from lsd.arrays.lookup import relabel
from lsd.arrays.pairs import count_pairs, sum_pairs


@dataclass(frozen=True, eq=False)
class Contingency:
    """Sparse table, a row for each pair that occurs, in ascending order: segment, object of the
    truth, voxels.

    Tables of blocks add up to the table of the whole, `Contingency.of(a, b) + Contingency.of(c,
    d)`, so a volume of any size is counted slab by slab.
    """

    segments: NDArray[np.uint64]
    objects: NDArray[np.uint64]
    voxels: NDArray[np.int64]

    @classmethod
    def of(
        cls, segmentation: NDArray[Any], truth: NDArray[Any], *, mask: NDArray[Any] | None = None
    ) -> Contingency:
        """Count two arrays of one shape and any integer dtypes (or bool), exactly up to 2**64 - 1;
        only where `mask` is set.

        Raises ValueError for negative or fractional ids and for shapes that differ.
        """
        segments, objects = ids(segmentation, "segmentation"), ids(truth, "truth")
        if objects.shape != segments.shape:
            raise ValueError(
                f"truth has shape {objects.shape}, the segmentation {segments.shape}; they must "
                f"agree"
            )
        return cls(
            *count_pairs(
                segments, objects, mask=set_voxels(mask, segments.shape, of="the segmentation")
            )
        )

    @classmethod
    def empty(cls) -> Contingency:
        """The table of no voxels, with which a sum starts."""
        return cls(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int64))

    def __add__(self, other: Contingency) -> Contingency:
        columns = [
            np.concatenate([getattr(self, field.name), getattr(other, field.name)])
            for field in fields(self)
        ]
        return Contingency(*sum_pairs(*columns))

    def relabelled(self, nodes: NDArray[Any], segments: NDArray[Any]) -> Contingency:
        """The table of the segmentation in which each of `nodes` has become its segment; the arrays
        are not needed."""
        return Contingency(
            *sum_pairs(relabel(self.segments, nodes, segments), self.objects, self.voxels)
        )
