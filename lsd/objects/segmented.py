"""The table of the objects of a segmentation on disk, which may be larger than memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import tile
from lsd.objects.locate import located_of
from lsd.objects.located import Located
from lsd.objects.measures import AXES, MEASURE, centroids, measures, together
from lsd.objects.points import DEEPEST
from lsd.volumes.array import Array
from lsd.volumes.of_ids import of_ids, read_ids
from lsd.volumes.units import lengths
from lsd.volumes.volume import needs_nm

BLOCK = (256, 256, 256)


def objects_of(segmentation: Array, *, block: Sequence[int] = BLOCK) -> Located:
    """The objects of an array of ids, 0 where there is none, read in blocks one after the other.

    Points are centroids, which may lie outside of an object that is no ball; confidences are 1.
    Raises ValueError for an array that is no ids, or has no voxel size.
    """
    segmentation = of_ids(segmentation, "ids of objects")
    if not segmentation.calibrated:
        raise ValueError(f"{segmentation.name}: {needs_nm('a table of objects')}")
    begin, none = segmentation.roi.begin, (0,) * segmentation.roi.dims
    grid = tile(
        segmentation.roi, tuple(block)[-len(none) :], step=(1,) * len(none), context=(none, none)
    )
    parts = [np.empty(0, MEASURE)]
    for part in grid:
        labels = read_ids(segmentation, part.write, noun="id")
        ones = np.ones(labels.shape, np.float32)
        parts.append(measures(labels, ones, begin=part.write.begin - begin))
    rows = together(np.concatenate(parts))
    return located_of(
        rows,
        in_the_middle(rows),
        voxel_size=segmentation.voxel_size,
        offset=lengths(begin, segmentation.voxel_size, segmentation.remainder),
    )


def in_the_middle(rows: NDArray[np.void]) -> NDArray[np.void]:
    """The voxel at the centroid of each object, as rows of DEEPEST."""
    chosen = np.zeros(len(rows), DEEPEST)
    chosen["id"] = rows["id"]
    for axis, places in zip(AXES, np.rint(centroids(rows)).astype(np.uint64).T, strict=True):
        chosen[f"place_{axis}"] = places
    return chosen
