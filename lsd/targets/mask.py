"""Masks: voxels where another array of the volume is not 0."""

from __future__ import annotations

import numpy as np

from lsd import spec
from lsd.targets.target import Known, Sample, TargetKind, Values


class MaskTarget(TargetKind[spec.Mask]):
    """An array of the volume, such as mitochondria, as what a head learns: one channel."""

    binary = True

    def channels(self, dims: int) -> int:
        """One channel."""
        return 1

    def arrays(self) -> tuple[str, ...]:
        """The array that the spec names."""
        return (self.spec.array,)

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """1 where the array is not 0; known where labels are."""
        set_voxels = sample.array(self.spec.array) != 0
        return set_voxels[np.newaxis].astype(np.float32), sample.inside[np.newaxis]
