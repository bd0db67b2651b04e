"""Segments at one threshold as what a step depends on: ids on disk, and the table of their
segments."""

from __future__ import annotations

from dataclasses import dataclass

import fastremap
import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.lookup import relabel
from lsd.segmentation.on_disk.tables import Table, TableInput
from lsd.spec import Spec
from lsd.volumes.array import Array
from lsd.volumes.inputs import ArrayInput
from lsd.volumes.units import Remainder


@dataclass(frozen=True, eq=False)
class OpenSegments:
    """Ids of a volume, and the table of their segments; None: they are segments."""

    ids: Array
    table: Table | None

    def read(self, roi: Roi) -> NDArray[np.uint64]:
        """Segments (z, y, x), of all the world 0 where there are none."""
        ids = self.ids.read(roi, beyond="zero").astype(np.uint64, copy=False)
        if self.table is None:
            return ids
        unique = fastremap.unique(ids)
        return relabel(ids, unique, self.table.look_up(unique))


class SegmentsInput(Spec):
    """What `OpenSegments` is opened from.

    table: None where the ids are segments
    """

    ids: ArrayInput
    table: TableInput | None

    def open(self, remainder: Remainder) -> OpenSegments:
        """Ready to be read, its voxels counted on the grid with `remainder`.  Raises ValueError if
        an array, or the table, is another one by now."""
        ids = self.ids.open().on_grid(remainder)
        return OpenSegments(ids, None if self.table is None else self.table.open())
