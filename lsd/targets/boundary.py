"""Boundaries: voxels near another object."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate
from scipy import ndimage

from lsd import spec
from lsd.arrays.ids import ids, set_voxels
from lsd.arrays.offsets import views
from lsd.targets.target import Known, Sample, TargetKind, Values

_DEFAULT = spec.Boundary()


def boundary(
    labels: npt.NDArray[Any], *, width: int = _DEFAULT.width, mask: npt.NDArray[Any] | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """1 on background and within `width` steps (through faces) of another label; (1, z, y, x)
    float32, and bool where known.

    mask: voxels that are known, not 0; None: all.  Near unknown voxels only what known ones prove
          is known.
    Raises ValueError if the mask has another shape than labels, for a width below 1, and labels
    that are no ids.
    """
    labels = ids(labels, "labels", dims=(2, 3))
    inside = set_voxels(mask, labels.shape)
    if width < 1 or width != int(width):
        raise ValueError(f"width is a number of voxels, 1, 2, ..., got {width}")
    known = np.ones(labels.shape, np.bool_) if inside is None else inside
    near = known & (labels == 0)
    for offset in _within(width, labels.ndim):
        voxels, neighbours = views(labels.shape, offset)
        differ = (labels[voxels] != labels[neighbours]) & known[voxels] & known[neighbours]
        near[voxels] |= differ
        near[neighbours] |= differ
    if inside is None:
        return near[np.newaxis].astype(np.float32), known[np.newaxis]
    unknown_near = ndimage.binary_dilation(~known, iterations=width)
    return near[np.newaxis].astype(np.float32), (near | ~unknown_near)[np.newaxis]


def _within(width: int, dims: int) -> list[tuple[int, ...]]:
    """Offsets of at most `width` steps; of two opposite ones, the one above 0."""
    offsets = itertools.product(range(-width, width + 1), repeat=dims)
    return [offset for offset in offsets if sum(map(abs, offset)) <= width and offset > (0,) * dims]


class BoundaryTarget(TargetKind[spec.Boundary]):
    """Boundaries as what a head learns: one channel."""

    binary = True

    def channels(self, dims: int) -> int:
        """One channel."""
        return 1

    def context(self, voxel_size: Sequence[float]) -> Coordinate:
        """The width of a boundary along each axis."""
        return Coordinate((self.spec.width,) * len(voxel_size))

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """See `boundary`."""
        return boundary(sample.labels, width=self.spec.width, mask=sample.known)
