"""Ids 1..n of what is seen: of neurons, each one 6-connected piece, none tiny, and of bodies in
them."""

from __future__ import annotations

import cc3d
import edt
import fastremap
import numpy as np
from numpy.typing import NDArray

from lsd.synthetic.capsules import Floats

Ids = NDArray[np.uint64]
SMALLEST = 100  # voxels; a smaller piece of a neurite joins a neighbour


def connected(owners: NDArray[np.int32], *, smallest: int = SMALLEST) -> Ids:
    """6-connected components of equal owners (z, y, x), ids 1..n; those below `smallest` voxels
    join a neighbour.

    A small component joins the one it shares most faces with, again and again, until none is small.
    """
    pieces = cc3d.connected_components(owners + 1, connectivity=6, out_dtype=np.uint32)
    while True:
        sizes = np.bincount(pieces.ravel())
        table = _absorb(sizes, *_contacts(pieces, sizes < smallest), smallest)
        if np.array_equal(table, np.arange(len(sizes))):
            break
        pieces = table.astype(np.uint32)[pieces]
    return np.asarray(fastremap.renumber(pieces, in_place=False)[0], np.uint64)


def pieces_of_bodies(
    inside: NDArray[np.bool_], neurons: Ids, bodies: NDArray[np.int32], *, smallest: int = SMALLEST
) -> Ids:
    """Ids 1..n of the bodies that are seen `inside` (z, y, x), 0 elsewhere.

    Bodies of one neuron that touch by a face are one.  What is cut off of a body and has fewer than
    `smallest` voxels stays a part of it: of its largest piece in the same neuron, if there is a
    larger one.
    """
    pieces = cc3d.connected_components(
        np.where(inside, neurons, 0), connectivity=6, out_dtype=np.uint32
    )
    sizes = np.bincount(pieces.ravel())
    table = np.arange(len(sizes))
    held = np.stack([pieces[inside], neurons[inside], bodies[inside]], axis=1).astype(np.int64)
    held = np.unique(held, axis=0)
    for piece in np.flatnonzero(sizes[1:] < smallest) + 1:
        own = held[held[:, 0] == piece]
        beside = held[(held[:, 1] == own[0, 1]) & np.isin(held[:, 2], own[:, 2]), 0]
        # the first of the largest
        table[piece] = beside[np.argmax(sizes[beside])]
    while not np.array_equal(table, table[table]):
        table = table[table]
    ids = table.astype(np.uint32)[pieces]
    return np.asarray(fastremap.renumber(ids, in_place=False)[0], np.uint64)


def wall_distance(labels: Ids, spacing: tuple[float, ...]) -> Floats:
    """Distance of each voxel's centre to the border of its label (z, y, x), nm, to about half a
    voxel."""
    distance = edt.edt(labels, anisotropy=spacing, black_border=False, parallel=1)
    return np.asarray(np.minimum(distance, 1e6) - 0.5 * min(spacing), np.float32)


def _contacts(
    pieces: NDArray[np.uint32], small: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (m, 2) of a small piece and one that it touches, and the number of faces they share."""
    pairs = []
    for axis in range(pieces.ndim):
        along_axis = np.moveaxis(pieces, axis, 0)
        a, b = along_axis[:-1], along_axis[1:]
        touch = (a != b) & (small[a] | small[b])
        pairs += [np.stack([a[touch], b[touch]], 1), np.stack([b[touch], a[touch]], 1)]
    both = np.concatenate(pairs).astype(np.int64)
    return np.unique(both[small[both[:, 0]]], axis=0, return_counts=True)


def _absorb(
    sizes: NDArray[np.int64], pairs: NDArray[np.int64], faces: NDArray[np.int64], smallest: int
) -> NDArray[np.int64]:
    """Which piece each becomes: a small one its largest contact, if that is larger (by size, then
    id)."""
    table = np.arange(len(sizes))
    a, b = pairs[:, 0], pairs[:, 1]
    larger = (sizes[b] > sizes[a]) | ((sizes[b] == sizes[a]) & (b > a))
    a, b, faces = a[larger], b[larger], faces[larger]
    order = np.lexsort((b, faces, a))
    table[a[order]] = b[order]  # the last of each piece, that with most faces, stays
    while not np.array_equal(table, table[table]):
        table = table[table]
    return table
