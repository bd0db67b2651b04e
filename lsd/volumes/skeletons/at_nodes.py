"""Labels at the nodes of skeletons, of arrays that may be larger than memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import ArrayLike, NDArray

from lsd.arrays.ids import ids
from lsd.arrays.skeletons import voxels_of
from lsd.volumes.array import Array

# voxels an axis that are read at once of arrays that lie on disk as they are
_PIECE = 64


def labels_on_disk(array: Array, positions: ArrayLike) -> NDArray[np.uint64]:
    """The label of `array` at each position (n, 3), nm of the world: uint64 (n,), 0 outside of it.

    Nodes are grouped by the chunk that they lie in, and no chunk is read twice; one chunk is held
    at a time.  As `lsd.arrays.skeletons.labels_at` for arrays in memory.
    """
    begin = [float(nm) for nm in array.remainder]
    voxels = voxels_of(positions, voxel_size=array.voxel_size, offset=begin)
    return labels_in_voxels(array, voxels)


def labels_in_voxels(array: Array, voxels: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The same, of voxels (n, axes) of the world."""
    labels = np.zeros(len(voxels), np.uint64)
    inside = np.flatnonzero(((voxels >= array.roi.begin) & (voxels < array.roi.end)).all(axis=1))
    if not len(inside):
        return labels
    begin = np.asarray(array.layout.offset)
    chunks = (voxels[inside] - begin) // read_at_once(array)
    _, chunk = np.unique(chunks, axis=0, return_inverse=True)
    order = np.argsort(chunk.reshape(-1), kind="stable")
    for nodes in np.split(inside[order], np.cumsum(np.bincount(chunk.reshape(-1)))[:-1]):
        first, last = voxels[nodes].min(axis=0), voxels[nodes].max(axis=0)
        box = Roi(Coordinate(first), Coordinate(last - first + 1))
        # ids, since a label below 0 is no segment
        labels[nodes] = ids(array.read(box), array.name)[tuple((voxels[nodes] - first).T)]
    return labels


def read_at_once(array: Array) -> Sequence[int]:
    """Shape of the pieces that an array is read in, z y x, from its first voxel on."""
    if array.source.in_one_piece:
        return [_PIECE] * int(array.roi.dims)
    size_of: dict[str, int] = dict(zip(array.layout.disk, array.source.chunks, strict=True))
    return [int(size_of[axis]) for axis in array.axes if axis != "c"]
