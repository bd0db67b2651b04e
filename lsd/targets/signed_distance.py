"""Signed distances: how deep inside an object a voxel lies, or how far outside of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate

from lsd import spec
from lsd.arrays.arguments import derived, explaining_calls, per_axis
from lsd.arrays.ids import AXES, ids, set_voxels
from lsd.targets.activation import Tanh
from lsd.targets.border import border_context, border_distances
from lsd.targets.target import Known, Sample, TargetKind, Values

_DEFAULT = spec.SignedDistance()


@explaining_calls
def signed_distance(
    labels: npt.NDArray[Any],
    *,
    voxel_size: Sequence[float] | float,
    reach: float = _DEFAULT.reach,
    mask: npt.NDArray[Any] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Distance to the border of an object over `reach`, cut to -1..1, and where it is known, both
    (1, z, y, x), float32 and bool; 2D drops z.

    labels:     any integers >= 0, or bool; 0 is background
    voxel_size: nm, one value or one an axis
    reach:      nm, from which on it is 1 inside and -1 outside
    mask:       voxels that are known, not 0; None: all

    Inside, it is from the voxel's centre to that of the nearest voxel of another object or of the
    background, so objects that touch are apart by a fall to one voxel; outside, to that of the
    nearest voxel of any object, less than 0.  Raises ValueError where shapes do not agree, and for
    labels that are no ids.
    """
    labels = ids(labels, "labels", dims=(2, 3))
    size = per_axis(voxel_size, "voxel_size", dims=labels.ndim, of=f"{AXES[labels.ndim]} labels")
    far = derived(_DEFAULT, reach=reach).reach
    distances, right = border_distances(labels, size, far=far, known=set_voxels(mask, labels.shape))
    values = np.minimum(distances / np.float32(far), 1)
    return np.where(labels != 0, values, -values)[np.newaxis], right[np.newaxis]


class SignedDistanceTarget(TargetKind[spec.SignedDistance]):
    """Signed distances as what a head learns: one channel in -1..1."""

    activation = Tanh()

    def channels(self, dims: int) -> int:
        """One channel."""
        return 1

    def context(self, voxel_size: Sequence[float]) -> Coordinate:
        """As far as distances count."""
        return border_context(self.spec.reach, voxel_size)

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """See `signed_distance`."""
        return signed_distance(
            sample.labels,
            voxel_size=sample.voxel_size,
            reach=self.spec.reach,
            mask=sample.known,
        )
