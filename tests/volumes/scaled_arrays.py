"""Arrays that are read at a scale, and what they are by definition."""

from collections import Counter

import numpy as np
from funlib.geometry import Roi

from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

SIZE = (40.0, 5.24, 4.0)


def rule(voxels, how):
    """What becomes of voxels that are one."""
    if how == "all":
        return int(all(voxels))
    if how == "mean":
        return round(sum(map(float, voxels)) / len(voxels))
    counts = Counter(voxels)
    return min(id for id, count in counts.items() if count == max(counts.values()))


def by_definition(data, begin, scale, how, roi):
    """The coarse voxels of `roi`, each from those of the world that it covers and that are
    there."""
    coarse = np.zeros(roi.shape, data.dtype)
    for place in np.ndindex(*roi.shape):
        fine = [(i + b) * f - o for i, b, f, o in zip(place, roi.begin, scale, begin, strict=True)]
        inside = tuple(slice(max(i, 0), max(i + f, 0)) for i, f in zip(fine, scale, strict=True))
        voxels = data[inside].reshape(-1).tolist()
        coarse[place] = rule(voxels, how) if voxels else 0
    return coarse


def covering(begin, shape, scale):
    first = [b // f for b, f in zip(begin, scale, strict=True)]
    last = [-(-(b + n) // f) for b, n, f in zip(begin, shape, scale, strict=True)]
    return Roi(first, [e - b for b, e in zip(first, last, strict=True)])


def write(path, name, data, begin, *, chunks=None, size=SIZE, fill=None, labels=False):
    roi = Roi(begin, data.shape)
    array = create_array(
        path, name, roi=roi, voxel_size=size, dtype=data.dtype, chunks=chunks, fill=fill,
        labels=labels,
    )  # fmt: skip
    array.write(data, roi)
    return open_array(path, name)
