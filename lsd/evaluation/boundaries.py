"""Truth near a boundary, where people disagree, is not compared."""

from __future__ import annotations

import math

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray
from scipy import ndimage

from lsd.volumes.volume import OpenVolume

# the label of truth that is not compared
NOT_COMPARED = 2**64 - 1


def near_boundaries(
    labels: NDArray[np.uint64], *, voxel_size: tuple[float, ...], distance: float
) -> NDArray[np.bool_]:
    """Which voxels of `labels` (z, y, x) lie within `distance` nm of one whose neighbour along y or
    x has another label, in the same section; bool (z, y, x).

    Beyond the array nothing is another label.
    """
    sections = labels.reshape(-1, *labels.shape[-2:])
    near = [_near_in_plane(section, voxel_size[-2:], distance) for section in sections]
    return np.stack(near).reshape(labels.shape)


def read_compared(
    volume: OpenVolume, roi: Roi, *, boundary: float | None
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Truth of `roi` and where it is known; what lies within `boundary` nm of a boundary is
    `NOT_COMPARED`.  None: all is as it is."""
    if boundary is None:
        return volume.read_truth(roi)
    margin = boundary_margin(volume.voxel_size, boundary)
    assert volume.truth_roi is not None, "only volumes with labels are compared"
    around = roi.grow(margin, margin).intersect(volume.truth_roi)
    labels, known = volume.read_truth(around)
    near = np.zeros(labels.shape, np.bool_)
    # beyond an image there is no other label, as beyond an array
    for part in volume.images_in(around):
        near[part] = near_boundaries(labels[part], voxel_size=volume.voxel_size, distance=boundary)
    labels = np.where(near, np.uint64(NOT_COMPARED), labels)
    own = (roi - around.begin).to_slices()
    return np.ascontiguousarray(labels[own]), np.ascontiguousarray(known[own])


def boundary_margin(voxel_size: tuple[float, ...], boundary: float) -> Coordinate:
    """Voxels around a region on which depends what of it lies near a boundary."""
    flat = (math.ceil(boundary / size) + 1 for size in voxel_size[-2:])
    return Coordinate((0,) * (len(voxel_size) - 2) + tuple(flat))


def _near_in_plane(
    section: NDArray[np.uint64], voxel_size: tuple[float, ...], distance: float
) -> NDArray[np.bool_]:
    touches = np.zeros(section.shape, np.bool_)
    for before, after in (
        ((slice(None, -1),), (slice(1, None),)),
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
    ):
        other = section[before] != section[after]
        touches[before] |= other
        touches[after] |= other
    if not touches.any():
        return touches
    height, width = voxel_size
    # in units of x, so that of square voxels distances are the same as those in voxels
    apart = ndimage.distance_transform_edt(~touches, sampling=(height / width, 1.0))
    return np.asarray(apart <= distance / width)
