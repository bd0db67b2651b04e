"""Objects of a segmentation: a point inside of each, its box, its size and its confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsd.arrays.arguments import explaining_calls, per_axis
from lsd.arrays.ids import ids
from lsd.objects.located import Located
from lsd.objects.measures import STEPS, columns, measures, together
from lsd.objects.points import best, deepest

_NM3, _NM2 = 1e9, 1e6


@explaining_calls
def locate(
    segmentation: NDArray[Any],
    confidence: NDArray[Any] | None = None,
    *,
    voxel_size: float | Sequence[float],
    offset: Sequence[float] | float = 0.0,
    min_size: int = 0,
    max_size: int | None = None,
) -> Located:
    """The objects of a segmentation (z, y, x), 0 where there is none; 2D drops z.

    confidence: how surely each voxel is of an object, 0..1, of the same shape; None: 1
    voxel_size: nm, z y x; offset: nm, where the array begins
    min_size, max_size: voxels; no objects of fewer or of more

    The point of an object is the centre of one of its voxels: of those that are farthest from its
    border the nearest to its centroid.  The border of the array is none.  Raises ValueError for
    arrays of two shapes, ids that are no whole numbers, confidences that do not lie in 0..1, and
    lengths that do not fit the axes.

    >>> import lsd, numpy
    >>> cells = numpy.zeros((3, 5, 9), int)
    >>> cells[1, 1:4, 1:8] = 6
    >>> located = lsd.locate(cells, voxel_size=(40, 4, 4))
    >>> located.id.tolist(), located.point.tolist(), located.voxels.tolist()
    ([6], [[60.0, 10.0, 18.0]], [21])
    """
    labels = ids(segmentation, "segmentation", dims=(2, 3)).astype(np.uint64)
    sure = np.ones(labels.shape, np.float32) if confidence is None else np.asarray(confidence)
    if sure.shape != labels.shape:
        raise ValueError(
            f"confidence has shape {sure.shape}, the segmentation {labels.shape}; give one number "
            f"for each voxel"
        )
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError(
            f"confidence lies in {sure.min()}..{sure.max()}; give it in 0..1: of a head of uint8 "
            f"on disk, divide it by 255"
        )
    size = per_axis(voxel_size, "voxel_size", dims=labels.ndim, of="the segmentation")
    begin = (0,) * labels.ndim
    rows = measures(labels, sure.astype(np.float32), begin=begin)
    whole = tuple(slice(0, n) for n in labels.shape)
    chosen = deepest(labels, rows, inside=whole, begin=begin, voxel_size=size)
    places = np.broadcast_to(np.asarray(offset, np.float64), (labels.ndim,))
    table = located_of(rows, chosen, voxel_size=size, offset=places.tolist())
    return of_size(table, min_size=min_size, max_size=max_size)


def located_of(
    rows: NDArray[np.void],
    chosen: NDArray[np.void],
    *,
    voxel_size: Sequence[float],
    offset: Sequence[float],
) -> Located:
    """The table of the objects of a volume.

    rows: of MEASURE, and chosen: of DEEPEST, of all blocks; voxel_size: nm; offset: nm, where the
    volume begins
    """
    objects, points = together(rows), best(chosen)
    assert np.array_equal(objects["id"], points["id"]), "a point for each object"
    dims = len(voxel_size)
    size, first = np.asarray(voxel_size, np.float64), np.asarray(offset, np.float64)

    def lengths(places: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(np.asarray(places, np.float64)[:, -dims:] * size + first)

    voxels = objects["voxels"]
    return Located(
        id=objects["id"],
        point=lengths(columns(points, "place") + 0.5),
        begin=lengths(columns(objects, "first")),
        end=lengths(columns(objects, "last") + np.uint64(1)),
        voxels=voxels,
        volume=voxels * (float(np.prod(size)) / (_NM3 if dims == 3 else _NM2)),
        confidence=np.minimum(objects["confidence"] / (voxels * float(STEPS)), 1),
    )


def of_size(located: Located, *, min_size: int, max_size: int | None) -> Located:
    """Objects that have from min_size to max_size voxels; None: or more."""
    kept = located.voxels >= min_size
    if max_size is not None:
        kept &= located.voxels <= max_size
    return located if kept.all() else located.chosen(kept)


__all__ = ["locate"]
