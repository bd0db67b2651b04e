"""How far voxels are from the border of their object, as far as labels are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate

from lsd.arrays.distances import distances_to_others

# what a distance may be longer than another by, rounding
HAIR = 1e-6


def border_distances(
    labels: npt.NDArray[Any],
    spacing: Sequence[float],
    *,
    far: float,
    known: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Distance of each voxel to the nearest of another label, and whether it is right, both of the
    shape of `labels`.

    labels:  0, the background, is a label as others are
    spacing: distance between voxels along each axis
    far:     beyond it, how far does not matter
    known:   voxels whose label is known; None: all

    It is right where the voxel is known, and the nearest of another label is nearer than any that
    is not known, or all that is not known is beyond `far`.
    """
    if known is None or known.all():
        return distances_to_others(labels, spacing), np.ones(labels.shape, np.bool_)
    distances = distances_to_others(labels, spacing, known=known)
    to_unknown = distances_to_others(known, spacing)
    return distances, known & ((distances < to_unknown) | (to_unknown > far * (1 + HAIR)))


def border_context(far: float, spacing: Sequence[float]) -> Coordinate:
    """Voxels around a region that distances as far as `far` depend on."""
    return Coordinate(int(far / step * (1 + HAIR)) for step in spacing)
