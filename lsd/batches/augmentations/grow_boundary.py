"""Space between neurons: labels lose the voxels that touch another label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gunpowder as gp
import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.batches.augmentations.augmentation import AugmentationKind
from lsd.batches.compiled import compiled
from lsd.batches.keys import KNOWN, LABELS, At, Filter, array

Steps = NDArray[np.int64]


def grow_boundary(
    labels: NDArray[Any],
    *,
    steps: int = 1,
    in_xy: bool = False,
    known: NDArray[np.bool_] | None = None,
) -> NDArray[Any]:
    """`labels` (z, y, x), 0 where another label or background lies within `steps` voxels, counted
    along the axes.

    in_xy: within the section.  known: voxels outside are left as they are, and are no one's
           boundary; None: all are known.
    As eroding each label by the 6-neighbourhood (4 in a section) `steps` times, voxels beyond the
    array counting as its own.
    """
    labels = np.ascontiguousarray(labels)
    known = (
        np.ones((1, 1, 1), bool) if known is None or known.all() else np.ascontiguousarray(known)
    )
    out = np.empty_like(labels)
    _grow(labels, known, _ball(steps, in_xy), out)
    return out


def _ball(steps: int, in_xy: bool) -> Steps:
    """Every step (n, 3) other than 0 of length `steps` or less, the nearest first."""
    axis = np.arange(-steps, steps + 1)
    ball = np.stack(
        np.meshgrid(axis[axis == 0] if in_xy else axis, axis, axis, indexing="ij"), axis=-1
    ).reshape(-1, 3)
    length = np.abs(ball).sum(axis=1)
    order = np.argsort(length, kind="stable")
    return np.asarray(ball[order][(length[order] > 0) & (length[order] <= steps)])


@compiled
def _grow(labels: NDArray[Any], known: NDArray[np.bool_], ball: Steps, out: NDArray[Any]) -> None:
    """known of another shape than labels: all are known."""
    masked = known.shape == labels.shape
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            out[z, y] = labels[z, y]
            for dz, dy, dx in ball:
                if 0 <= z + dz < labels.shape[0] and 0 <= y + dy < labels.shape[1]:
                    first, last = max(0, -dx), labels.shape[2] - max(0, dx)
                    mine, other = labels[z, y], labels[z + dz, y + dy]
                    if masked:
                        mine_known, other_known = known[z, y], known[z + dz, y + dy]
                        for x in range(first, last):
                            if mine[x] != other[x + dx] and mine_known[x] and other_known[x + dx]:
                                out[z, y, x] = 0
                    else:
                        for x in range(first, last):
                            if mine[x] != other[x + dx]:
                                out[z, y, x] = 0


class GrowBoundaryAugmentation(AugmentationKind[spec.GrowBoundary]):
    """Changes labels alone."""

    def node(self, *, voxel_size: Sequence[float], flat: bool) -> gp.BatchFilter:
        """A node that asks for the labels that reach in from outside."""
        return GrowBoundaryNode(self.spec, flat=flat)


class GrowBoundaryNode(Filter):
    """Grows the boundaries of the labels, as if it saw the whole volume."""

    def __init__(self, grow: spec.GrowBoundary, *, flat: bool = False) -> None:
        """flat: sections of a 2D network, or images, of which no one is another's boundary."""
        self.steps, self.in_xy = grow.steps, grow.in_xy or flat

    def prepare(self, request: gp.BatchRequest) -> gp.BatchRequest:
        """Asks for labels around the region as well, since boundaries reach in from there."""
        steps = self.steps
        margin = gp.Coordinate(0 if self.in_xy else steps, steps, steps)
        roi = request[LABELS].roi.grow(margin, margin)
        return gp.BatchRequest({LABELS: At(roi), KNOWN: At(roi)})

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """Changes labels alone."""
        labels, known = batch[LABELS], batch[KNOWN].data
        grown = gp.Batch()
        data = grow_boundary(labels.data, steps=self.steps, in_xy=self.in_xy, known=known)
        grown[LABELS] = array(data, labels.spec.roi)
        return grown
