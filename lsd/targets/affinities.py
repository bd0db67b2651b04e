"""Affinities: 1 where a voxel and the voxel at an offset from it belong to one neuron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate

from lsd import spec
from lsd.arrays.arguments import explaining_calls, offsets_of
from lsd.arrays.ids import ids, set_voxels
from lsd.arrays.offsets import Offset, for_dims, offsets_for, reach, warn_beyond
from lsd.targets.pairs import alike, of_pairs
from lsd.targets.target import Known, Sample, TargetKind, Values


@explaining_calls
def affinities(
    labels: npt.NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    *,
    mask: npt.NDArray[Any] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Affinities of `labels` (z, y, x) and where they are known, both (c, z, y, x), float32 and
    bool.

    labels:       any integers >= 0, or bool
    neighborhood: (c, 3) offsets in voxels; in 2D (c, 2) and no z
    mask:         voxels that are known, not 0; None: all.  Label 0 inside is background, and joined
                  to nothing

    Channel k is 1 where label(v) == label(v + k) > 0.  It is known where v + k is inside the volume
    and both are known.  Raises ValueError if an offset or the mask has another dimension than
    labels, for offsets that are 0 or given twice, and labels that are no ids; warns of offsets that
    are longer than the volume.
    Source: Turaga et al. 2010, "Convolutional networks can learn to generate affinity graphs", eq.
    1.

    >>> import lsd, numpy
    >>> labels = numpy.array([[1, 1, 2, 0]])
    >>> affs, known = lsd.affinities(labels, [(0, -1)])
    >>> affs.tolist(), known.tolist()
    ([[[0.0, 1.0, 0.0, 0.0]]], [[[False, True, True, True]]])
    """
    labels = ids(labels, "labels")
    neighborhood = offsets_for(labels.shape, offsets_of(neighborhood))
    warn_beyond(labels.shape, neighborhood)
    known = set_voxels(mask, labels.shape)
    return of_pairs(alike(labels), neighborhood, shape=labels.shape, known=known)


class AffinityTarget(TargetKind[spec.Affinities]):
    """Affinities as what a head learns."""

    binary = True

    def channels(self, dims: int) -> int:
        """One channel for each offset."""
        return len(self._offsets(dims))

    def context(self, voxel_size: Sequence[float]) -> Coordinate:
        """The farthest step along each axis."""
        return Coordinate(reach(self._offsets(len(voxel_size))))

    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """See `affinities`."""
        return affinities(sample.labels, self._offsets(sample.dims), mask=sample.known)

    def _offsets(self, dims: int) -> tuple[Offset, ...]:
        return for_dims(self.spec.neighborhood, dims)
