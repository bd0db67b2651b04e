"""Labels as runs: stretches of one label along x, sorted by object, so that work follows an object
and not the volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Objects:
    """The n runs of k objects.

    runs:  (n, 4) int32, z y begin end of each; object after object, within one in z y x order
    first: (k + 1,) the runs of object i are runs[first[i]:first[i + 1]]
    ids:   (k,) labels, ascending, never 0
    """

    runs: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    ids: npt.NDArray[Any]

    def boxes(self, factor: tuple[int, ...] = (1, 1, 1)) -> npt.NDArray[np.int64]:
        """Bounding boxes (k, 6): z0 z1 y0 y1 x0 x1, end exclusive, in cells of `factor` voxels that
        the object touches."""
        low = np.minimum.reduceat(self.runs, self.first[:-1]) if len(self.ids) else self.runs
        high = np.maximum.reduceat(self.runs, self.first[:-1]) if len(self.ids) else self.runs
        begin = low[:, :3] // np.array(factor)
        last = (high[:, [0, 1, 3]] - [0, 0, 1]) // np.array(factor)
        return np.stack([begin, last + 1], axis=-1).reshape(len(self.ids), 6).astype(np.int64)


def find_objects(labels: npt.NDArray[Any]) -> Objects:
    """The objects of `labels` (z, y, x), of any integer type; 0 is none."""
    height, width = labels.shape[1:]
    starts = _starts(labels)
    ends = np.append(starts[1:], labels.size)
    ids = labels.reshape(-1)[starts]
    # stable: within an object runs stay in z y x order; ids are compared as they are, float64 would
    # merge those above 2**53
    order = np.argsort(ids, kind="stable")
    order = order[np.searchsorted(ids, 0, side="right", sorter=order) :]
    starts, ends, ids = starts[order], ends[order], ids[order]
    row = starts // width
    runs = np.empty((len(order), 4), np.int32)
    runs[:, 0], runs[:, 1], runs[:, 2], runs[:, 3] = (
        row // height,
        row % height,
        starts - row * width,
        ends - row * width,
    )
    first = (
        np.flatnonzero(np.append(True, ids[1:] != ids[:-1])) if len(ids) else np.zeros(0, np.int64)
    )
    return Objects(runs, np.append(first, len(ids)).astype(np.int64), ids[first])


def _starts(labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Flat positions at which a run begins: every change along x, and every row."""
    change = np.empty(labels.shape, np.bool_)
    change[..., :1] = True
    np.not_equal(labels[..., 1:], labels[..., :-1], out=change[..., 1:])
    return np.flatnonzero(change)
