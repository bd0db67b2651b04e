"""Why a volume was segmented into nothing, and how many segments there are where there is
something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import tile
from lsd.segmentation.nearest import mean_affinity, nearest, unit
from lsd.spec import Segment
from lsd.volumes.array import Array
from lsd.volumes.volume import OpenVolume

# voxels an axis that are read at once
_BLOCK = 256


def highest_id(array: Array) -> int:
    """Of a segmentation: the number of its segments, where they are named 1..n."""
    return max(int(array.read(roi).max(initial=0)) for roi in _parts(array.roi))


def why(
    affs: Array,
    neighborhood: Sequence[Sequence[int]],
    settings: Segment,
    *,
    mask: OpenVolume | None,
) -> str:
    """What leaves no fragment (or, of the mutex decoder, no segment) in affinities, in a few
    words."""
    low, high, strongest, inside = 1.0, 0.0, 0.0, 0
    for roi in _parts(affs.roi):
        values = np.asarray(affs.read(roi))
        kept = np.ones(roi.shape, np.bool_) if mask is None else mask.read_known(roi)
        inside += int(np.count_nonzero(kept))
        low, high = min(low, float(unit(values.min()))), max(high, float(unit(values.max())))
        strongest = max(
            strongest, float((_decisive(values, neighborhood, settings) * kept).max(initial=0))
        )
    if not inside:
        return "the mask is empty there; unset segment.use_mask, or correct labels_mask"
    if high == 0:
        return (
            "all affinities are 0: nothing was predicted there, or nothing like what the network "
            "was trained on"
        )
    if affs.dtype == np.uint8 and high <= 1 / 255 + 1e-9:
        return (
            "affinities are uint8 and none is above 1, so all are 1/255 or less; where 1 means one "
            "neuron, store 255 instead"
        )
    seen = f"affinities lie in {low:.3g}..{high:.3g}"
    if settings.decoder == "mutex":
        attract = 0.5 - max(settings.mutex.bias)
        return (
            f"{seen}, and those that join are above {attract:.3g} (0.5 - segment.mutex.bias), or "
            f"segments are too small"
        )
    if strongest <= settings.fragments.threshold:
        return (
            f"{seen}, their mean at a voxel is {strongest:.3g} at most, which is not above "
            f"segment.fragments.threshold="
            f"{settings.fragments.threshold}; lower it, or train longer"
        )
    return (
        f"{seen}; all fragments were dropped: see segment.fragments.filter_fragments, .min_size "
        f"and .blank_sections"
    )


def _decisive(
    values: NDArray[np.generic], neighborhood: Sequence[Sequence[int]], settings: Segment
) -> NDArray[np.float32]:
    if settings.decoder == "mutex":
        return np.asarray(unit(values).max(axis=0))
    in_xy = settings.fragments.in_xy or len(neighborhood[0]) < values.ndim - 1
    return mean_affinity(nearest(values, neighborhood), in_xy=in_xy)


def _parts(roi: Roi) -> Iterator[Roi]:
    none = (0,) * roi.dims
    return (
        block.write
        for block in tile(
            roi, [min(_BLOCK, n) for n in roi.shape], step=(1,) * roi.dims, context=(none, none)
        )
    )
