"""Further truth of a volume, beside its labels, as targets are computed from it."""

from __future__ import annotations

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.volumes.array import Beyond
from lsd.volumes.volume import OpenVolume


def read_further(
    volume: OpenVolume, name: str, roi: Roi, *, mirrored: bool = False
) -> NDArray[np.generic]:
    """Further truth by its name in Volume.arrays, (z, y, x), without the axis of an only channel;
    0 beyond its array or the region.

    mirrored: as in a mirror there, as labels are (`OpenVolume.read_truth`), so objects go on
              beyond the border; not of folders of images
    Raises ValueError where there is no such array, or it has several channels.
    """
    array = volume.further(name)
    try:
        array = array.without_channel()
    except ValueError as error:
        raise ValueError(f"volume {volume.name!r}: {error}") from error
    beyond: Beyond = "reflect" if mirrored and volume.image_sizes is None else "zero"
    return array.read(roi, beyond=beyond)
