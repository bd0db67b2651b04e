"""Skeletons of grown neuropil: the paths that its neurites were grown along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons, voxels_of
from lsd.spec.synthetic import Synthetic
from lsd.synthetic.growth import Neurite
from lsd.synthetic.labels import connected
from lsd.synthetic.scene import owners
from lsd.synthetic.tissue import Tissue, grown_tissue

Floats = NDArray[np.float64]
# steps that find where in the volume a point of the bent space is seen; each divides the error by
# about five
_STEPS = 10


def grown_skeletons(synthetic: Synthetic) -> Skeletons:
    """As `lsd.synthetic.skeletons`, of neuropil."""
    tissue, _ = grown_tissue(synthetic)
    points, neurite, edges = _lines(tissue.neurites)
    owner = owners(tissue.neurites, tissue.positions, tissue.voxel_size)[tissue.middle]
    positions = _seen_at(points, tissue)
    voxels = voxels_of(positions, voxel_size=synthetic.voxel_size)
    inside = _in_own_voxels(voxels, neurite, owner)
    ids = np.zeros(len(points), np.uint64)
    ids[inside] = connected(owner)[tuple(voxels[inside].T)]
    # a neurite that leaves the volume and comes back is another label there
    edges = edges[inside[edges].all(axis=1) & (ids[edges[:, 0]] == ids[edges[:, 1]])]
    used = np.unique(edges)
    numbers = np.zeros(len(points), np.int64)
    numbers[used] = np.arange(1, len(used) + 1)
    return Skeletons(numbers[used], ids[used], positions[used], numbers[edges])


def _lines(neurites: list[Neurite]) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Points (n, 3) nm of all paths, the neurite of each (n,), and edges (m, 2), indices of points.

    A branch begins at a point of the path that it leaves, which is one point.
    """
    paths = [(neurite.owner, path.points) for neurite in neurites for path in neurite.paths]
    rows = np.concatenate(
        [np.c_[np.full(len(points), owner), points] for owner, points in paths]
        or [np.zeros((0, 4))]
    )
    first = np.cumsum([0, *(len(points) for _, points in paths)])
    following = np.setdiff1d(np.arange(len(rows)), first)
    # in the order of the paths, not of their coordinates
    _, kept, place = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(kept)
    number = np.empty(len(kept), np.int64)
    number[order] = np.arange(len(kept))
    node_of = number[place.reshape(-1)]
    edges = np.sort(np.stack([node_of[following - 1], node_of[following]], axis=1), axis=1)
    edges = np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0)
    kept = kept[order]
    return rows[kept, 1:], rows[kept, 0].astype(np.int64), edges


def _seen_at(points: Floats, tissue: Tissue) -> Floats:
    """Where in the volume points of space are seen, nm from the corner of its first voxel.

    Each voxel says where in space it lies, which is its index times its size and a little more; so
    the index is found by taking away that little, again and again.
    """
    size = np.asarray(tissue.voxel_size)
    last = np.array(tissue.positions.shape[1:]) - 1
    index = points / size
    for _ in range(_STEPS):
        voxel = np.clip(np.rint(index), 0, last).astype(np.int64)
        moved = tissue.positions[:, *voxel.T].T - voxel * size
        index = (points - moved) / size
    return np.asarray((index + 0.5) * size)


def _in_own_voxels(
    voxels: NDArray[np.int64], neurite: NDArray[np.int64], owner: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Which voxels (n, 3) lie in the volume and belong to the neurite of their point (n,)."""
    own = np.asarray(((voxels >= 0) & (voxels < owner.shape)).all(axis=1))
    own[own] = owner[tuple(voxels[own].T)] == neurite[own]
    return own
