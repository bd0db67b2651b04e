"""Labels of images: names of objects that are told apart in all of them, where each image counts
its own, and what lies beyond an image."""

from __future__ import annotations

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.volumes.array import Array
from lsd.volumes.of_ids import read_ids

# ids of an image lie in 2**32 numbers of its own; those from half of that on are counted anew
_BITS, _LARGE = 32, 1 << 31


def across_images(labels: NDArray[np.uint64], array: Array, roi: Roi) -> NDArray[np.uint64]:
    """`labels`, which were read from `roi` of `array`, under names that no two images share.

    Label n of section z becomes z * 2**32 + n, and 0 stays 0.  Labels of 2**31 and more are first
    counted from 2**31 on, in their order within the image, so that they have room.
    """
    named = labels.copy()
    for z, section in zip(range(roi.begin[0], roi.end[0]), named, strict=True):
        large = section >= _LARGE
        if large.any():
            section[large] = _counted(section[large], array, z)
        section[section > 0] += np.uint64((z - array.layout.offset[0]) << _BITS)
    return named


def mirrored_ids(labels: Array, images: Array, roi: Roi) -> NDArray[np.uint64]:
    """The labels of `roi`, mirrored where an image ends, or labels do; 0 where an image has none.

    labels: of images, in whatever array they lie;  images: raw, which knows where each ends
    """
    ids = np.zeros(roi.shape, np.uint64)
    for z in range(max(roi.begin[0], labels.roi.begin[0]), min(roi.end[0], labels.roi.end[0])):
        inside = images.image(z).intersect(labels.roi)
        if not inside.empty:
            section = Roi((z, *roi.begin[1:]), (1, *roi.shape[1:]))
            read = read_ids(labels.cropped(inside), section, beyond="reflect")
            ids[z - roi.begin[0]] = read[0]
    return ids


def _counted(ids: NDArray[np.uint64], array: Array, z: int) -> NDArray[np.uint64]:
    """Large ids as their places among those of the whole image."""
    whole = Roi((z, *array.layout.offset[1:]), (1, *array.layout.roi.shape[1:]))
    values = np.unique(Array(array.source, array.layout, array.dtype).read(whole))
    ranks = np.searchsorted(values[values >= _LARGE], ids)
    return (ranks + _LARGE).astype(np.uint64)
