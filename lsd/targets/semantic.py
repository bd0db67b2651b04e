"""Classes of voxels: background, and one of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lsd import spec
from lsd.arrays.arguments import explaining_calls
from lsd.arrays.ids import ids, set_voxels
from lsd.targets.activation import Softmax
from lsd.targets.target import Known, Sample, TargetKind, Values

# as many ids as a message lists
_FEW = 5


@explaining_calls
def semantic(
    labels: npt.NDArray[Any],
    classes: Sequence[int],
    *,
    ignore: Sequence[int] = (),
    mask: npt.NDArray[Any] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """1 in the channel of a voxel's class, and where it is known, both (1 + n, z, y, x), float32
    and bool; 2D drops z.

    labels:  any integers >= 0, or bool, that say the class of each voxel
    classes: the n labels of channels 1..n; channel 0 is the background, label 0
    ignore:  labels of which nothing is known
    mask:    voxels that are known, not 0; None: all

    Raises ValueError where shapes do not agree, for labels that are no ids, and for a known label
    that is neither a class nor ignored.
    """
    labels = ids(labels, "labels", dims=(2, 3))
    inside = set_voxels(mask, labels.shape)
    known = np.ones(labels.shape, np.bool_) if inside is None else inside.copy()
    for label in ignore:
        known &= labels != label
    target = np.stack([labels == label for label in (0, *classes)])
    strange = known & ~target.any(axis=0)
    if strange.any():
        found = np.unique(labels[strange])
        listed = ", ".join(map(str, found[:_FEW])) + (", ..." if len(found) > _FEW else "")
        raise ValueError(
            f"labels hold {listed}, and the classes are {', '.join(map(str, classes))} beside the "
            "background, 0; name them in classes, or in ignore where nothing is known of them"
        )
    return target.astype(np.float32), np.broadcast_to(known, target.shape).copy()


class SemanticTarget(TargetKind[spec.Semantic]):
    """Classes as what a head learns: a channel each, probabilities that add up to 1."""

    binary = True
    activation = Softmax()

    def channels(self, dims: int) -> int:
        """The background, and one a class."""
        return 1 + len(self.spec.classes)

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """See `semantic`."""
        return semantic(
            sample.labels, self.spec.classes, ignore=self.spec.ignore, mask=sample.known
        )
