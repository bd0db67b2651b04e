"""Labels of all blocks, in one table, and which of them are one object."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.union_find import flatten, union

# labels up to which a place takes 4 bytes
_NARROW = 1 << 32


class Joining:
    """Labels that become one, pair by pair, in any order.

    counts: how many labels each block has; ids: of all, block by block, ascending in each
    Takes 4 bytes a label beside the ids (8 above four billion labels).
    """

    def __init__(self, counts: NDArray[np.int64], ids: NDArray[np.uint64]) -> None:
        self.first = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
        self.ids = ids
        assert self.first[-1] == len(ids), (self.first[-1], len(ids))
        self._roots = np.arange(len(ids), dtype=np.uint32 if len(ids) < _NARROW else np.uint64)

    def join(
        self,
        blocks: NDArray[Any],
        labels: NDArray[np.uint64],
        other_blocks: NDArray[Any],
        other_labels: NDArray[np.uint64],
    ) -> None:
        """Label by label, the one of a block and the one of another are one object."""
        union(self._roots, self.places(blocks, labels), self.places(other_blocks, other_labels))

    def places(self, blocks: NDArray[Any], labels: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where labels of blocks stand in the table.  ValueError for one that its block does not
        have."""
        places = _places(self.first, self.ids, blocks.astype(np.int64), labels.astype(np.uint64))
        unknown = np.flatnonzero(places < 0)
        if len(unknown):
            raise ValueError(
                f"label {labels[unknown[0]]} is none of block {blocks[unknown[0]]}; was the block "
                f"changed since its labels were counted?"
            )
        return np.asarray(places, np.int64)

    def names(self, voxels: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The name of each label's object, uint64: 1..n, in the order in which objects first stand
        in the table.

        voxels: that each label has in the volume; an object without any is not there, and is called
                0
        """
        flatten(self._roots)
        is_there = np.zeros(len(self.ids), np.bool_)
        is_there[self._roots[voxels > 0]] = True
        numbers = np.where(is_there, np.cumsum(is_there, dtype=np.uint64), np.uint64(0))
        return np.asarray(numbers[self._roots], np.uint64)


@numba.njit(cache=True, nogil=True)
def _places(first, ids, blocks, labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Place of each label among those of its block, by halving; -1 where it is not there."""
    places = np.empty(len(labels), np.int64)
    for i in range(len(labels)):
        low, high = first[blocks[i]], first[blocks[i] + 1]
        end = high
        while low < high:
            middle = (low + high) // 2
            if ids[middle] < labels[i]:
                low = middle + 1
            else:
                high = middle
        places[i] = low if low < end and ids[low] == labels[i] else -1
    return places
