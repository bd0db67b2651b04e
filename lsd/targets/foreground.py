"""Foreground: voxels of any object."""

from __future__ import annotations

import numpy as np

from lsd import spec
from lsd.targets.target import Known, Sample, TargetKind, Values


class ForegroundTarget(TargetKind[spec.Foreground | spec.Mask]):
    """Where labels, or another array, are not 0, as what a head learns: one channel."""

    binary = True
    is_foreground = True

    def channels(self, dims: int) -> int:
        """One."""
        return 1

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """1 where the label is not 0; known where labels are."""
        objects = (sample.labels != 0) & sample.inside
        return objects[np.newaxis].astype(np.float32), sample.inside[np.newaxis]
