"""Interior and boundary of objects, which tell objects that touch apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate

from lsd import spec
from lsd.arrays.arguments import derived, explaining_calls, per_axis
from lsd.arrays.ids import AXES, ids, set_voxels
from lsd.targets.border import HAIR, border_context, border_distances
from lsd.targets.target import Known, Sample, TargetKind, Values

_DEFAULT = spec.InteriorBoundary()


@explaining_calls
def interior_boundary(
    labels: npt.NDArray[Any],
    *,
    width: float = _DEFAULT.width,
    voxel_size: Sequence[float] | float | None = None,
    mask: npt.NDArray[Any] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The interior of objects and their boundary, and where they are known, both (2, z, y, x),
    float32 and bool; 2D drops z.

    labels:     any integers >= 0, or bool; 0 is background, where both are 0
    width:      a voxel of an object is of its boundary where the centre of another object's, or of
                the background's, is at most so far; else of its interior
    voxel_size: nm, one value or one an axis, and width is in nm; None: width is in voxels
    mask:       voxels that are known, not 0; None: all.  Near others only what known ones prove is
                known

    Raises ValueError where shapes do not agree, and for labels that are no ids.
    """
    labels = ids(labels, "labels", dims=(2, 3))
    size = 1.0 if voxel_size is None else voxel_size
    spacing = per_axis(size, "voxel_size", dims=labels.ndim, of=f"{AXES[labels.ndim]} labels")
    far, known = derived(_DEFAULT, width=width).width, set_voxels(mask, labels.shape)
    distances, right = border_distances(labels, spacing, far=far, known=known)
    inside, near = labels != 0, distances <= far * (1 + HAIR)
    # the background's own distances do not matter, and what is far of all is far of others
    right |= ~(inside & near) if known is None else known & ~(inside & near)
    both = np.stack([inside & ~near, inside & near]).astype(np.float32)
    return both, np.stack([right, right])


class InteriorBoundaryTarget(TargetKind[spec.InteriorBoundary]):
    """Interior and boundary as what a head learns: two channels."""

    binary = True

    def channels(self, dims: int) -> int:
        """Interior and boundary."""
        return 2

    def channel_names(self, dims: int) -> tuple[str, ...]:
        """In their order."""
        return ("interior", "boundary")

    def context(self, voxel_size: Sequence[float]) -> Coordinate:
        """The width of a boundary."""
        return border_context(self.spec.width, self._spacing(voxel_size))

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """See `interior_boundary`."""
        return interior_boundary(
            sample.labels,
            width=self.spec.width,
            voxel_size=self._spacing(sample.voxel_size),
            mask=sample.known,
        )

    def _spacing(self, voxel_size: Sequence[float]) -> tuple[float, ...]:
        """What the width is measured in, along each axis."""
        return (1.0,) * len(voxel_size) if self.spec.unit == "voxels" else tuple(voxel_size)
