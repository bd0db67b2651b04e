"""A point deep inside of each object: of its voxels that are as far from its border as any, the
nearest to its centroid.

A centroid may lie outside of its object, as that of a horseshoe does; one of its voxels never does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.distances import distances_to_others
from lsd.arrays.groups import group_begins
from lsd.objects.measures import AXES, centroids, renumbered

# rows: the voxel of an object (in a block) that is chosen: how deep it lies, in steps, its squared
# distance to the centroid, nm, and its place, voxels from the begin of the volume
DEEPEST = np.dtype(
    [("id", "<u8"), ("depth", "<u8"), ("apart", "<f8")]
    + [(f"place_{axis}", "<u8") for axis in AXES]
)
# steps of a depth in one side of the smallest voxel: what rounding makes of a distance in a block
# and in another is one step
_STEPS = 32


def deepest(
    labels: NDArray[np.uint64],
    objects: NDArray[np.void],
    *,
    inside: tuple[slice, ...],
    begin: Sequence[int],
    voxel_size: Sequence[float],
    depth: float = np.inf,
    in_xy: bool = False,
) -> NDArray[np.void]:
    """Rows of DEEPEST of the labels of a block, in ascending order.

    labels:  (z, y, x), 2D drops z, of the block and around it, at least `depth` and a voxel more
    objects: rows of MEASURE that tell the centroid of each label, in ascending order
    inside:  where the block lies in `labels`; begin: of the block within the volume, voxels
    depth:   nm up to which it matters how far a voxel lies from the border of its object
    in_xy:   objects end with their section
    """
    own = labels[inside]
    numbers, of_ids = renumbered(own)
    rows = np.zeros(len(of_ids), DEEPEST)
    if not len(of_ids):
        return rows
    flat = (1,) * (3 - labels.ndim)
    depths = _depths(labels, voxel_size, depth=depth, in_xy=in_xy)[inside]
    measured = objects[np.searchsorted(objects["id"], of_ids)]
    assert np.array_equal(measured["id"], of_ids), "each label was measured"
    chosen, apart = np.zeros((len(of_ids), 4), np.int64), np.zeros(len(of_ids))
    _choose(
        numbers.reshape(flat + own.shape),
        np.ascontiguousarray(depths).reshape(flat + own.shape),
        np.array((0,) * len(flat) + tuple(begin), np.int64),
        centroids(measured),
        np.array((0.0,) * len(flat) + tuple(voxel_size)),
        chosen,
        apart,
    )
    # a depth of 0 means that there is none yet
    rows["id"], rows["depth"], rows["apart"] = of_ids, chosen[:, 0] - 1, apart
    for axis, place in zip(AXES, chosen[:, 1:].T, strict=True):
        rows[f"place_{axis}"] = place
    return rows


def best(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Of the rows of DEEPEST of several blocks one for each object, ascending; of voxels that are
    as good, the first."""
    places = [rows[f"place_{axis}"] for axis in AXES[::-1]]
    # the last key counts first; np.uint64 has no negative numbers
    shallow = np.iinfo(np.uint64).max - rows["depth"]
    ordered = rows[np.lexsort((*places, rows["apart"], shallow, rows["id"]))]
    return ordered[group_begins(ordered["id"])]


def _depths(
    labels: NDArray[np.uint64], voxel_size: Sequence[float], *, depth: float, in_xy: bool
) -> NDArray[np.int64]:
    if in_xy and labels.ndim == 3:
        planes = [_depths(one, voxel_size[1:], depth=depth, in_xy=False) for one in labels]
        return np.stack(planes)
    distances = distances_to_others(labels, voxel_size)
    far = float(np.linalg.norm(np.multiply(labels.shape, voxel_size)))
    # where all is one object there is no other
    limited = np.minimum(distances.astype(np.float64), min(depth, far))
    return np.asarray(np.rint(limited * (_STEPS / min(voxel_size))), np.int64)


@numba.njit(cache=True, nogil=True)
def _choose(numbers, depths, begin, centroids, size, chosen, apart):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """chosen: (n, 4) depth + 1 and place of the best voxel of each object, apart: (n,) how far it
    is from the centroid; voxels come in raster order, so the first of equal ones is kept."""
    for z in range(numbers.shape[0]):
        for y in range(numbers.shape[1]):
            for x in range(numbers.shape[2]):
                number = numbers[z, y, x]
                if number < 0:
                    continue
                depth = depths[z, y, x] + 1
                if depth < chosen[number, 0]:
                    continue
                place = (begin[0] + z, begin[1] + y, begin[2] + x)
                squared = 0.0
                for axis in range(3):
                    step = (place[axis] - centroids[number, axis]) * size[axis]
                    squared += step * step
                if depth > chosen[number, 0] or squared < apart[number]:
                    chosen[number, 0], apart[number] = depth, squared
                    for axis in range(3):
                        chosen[number, 1 + axis] = place[axis]
