"""Skeletons: center lines of neurons, as nodes in nm and edges between them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsd.arrays.ids import ids

# ids that a message names, and how far beyond a voxel's face rounding may carry a node, voxels
_NAMED, _HAIR = 5, 1e-6


@dataclass(frozen=True, eq=False)
class Skeletons:
    """Nodes and edges of one or more skeletons.

    node_ids:     (n,) ids of nodes, each once
    skeleton_ids: (n,) which skeleton each node belongs to
    positions:    (n, 3) nm, z y x; in 2D (n, 2), also where n is 0
    edges:        (m, 2) pairs of node ids
    places:       (m, 2) indices of the same nodes, which follow from these
    Ids are whole numbers up to 2**64 - 1.  Cycles, several pieces of one skeleton and nodes without
    edges are allowed.  Raises ValueError, with the ids, for a node that is there twice or lies
    nowhere, and for an edge that joins two skeletons, ends at an unknown node, joins a node to
    itself or is there twice.
    """

    node_ids: NDArray[np.uint64]
    skeleton_ids: NDArray[np.uint64]
    positions: NDArray[np.float64]
    edges: NDArray[np.uint64]
    places: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        nodes = _ids(self.node_ids, "node_ids", (-1,))
        skeletons = _ids(self.skeleton_ids, "skeleton_ids", nodes.shape)
        edges = _ids(self.edges, "edges", (-1, 2))
        positions = _positions(self.positions, nodes)
        places = _places(nodes, edges)
        _check_edges(edges, skeletons[places])
        arrays = (nodes, skeletons, positions, edges, places)
        names = ("node_ids", "skeleton_ids", "positions", "edges", "places")
        for name, array in zip(names, arrays, strict=True):
            # what was checked stays as it is, whatever becomes of the arrays that were given
            own = array.copy()
            own.flags.writeable = False
            object.__setattr__(self, name, own)

    def __len__(self) -> int:
        """Number of nodes."""
        return len(self.node_ids)

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Length of each edge, nm."""
        ends = self.positions[self.places]
        return np.asarray(np.sqrt(((ends[:, 0] - ends[:, 1]) ** 2).sum(axis=1)))

    @property
    def digest(self) -> str:
        """What tells their content from that of others."""
        arrays = (self.node_ids, self.skeleton_ids, self.positions, self.edges)
        return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

    def kept(self, chosen: NDArray[np.bool_]) -> Skeletons:
        """The nodes that are `chosen` (n,), and the edges between two of them."""
        inside = _all(chosen[self.places])
        return Skeletons(
            self.node_ids[chosen],
            self.skeleton_ids[chosen],
            self.positions[chosen],
            self.edges[inside],
        )

    def each(self) -> Iterator[tuple[int, Skeletons]]:
        """The skeletons one after another, ids ascending; their nodes and edges stay in order."""
        owner = self.skeleton_ids[self.places[:, 0]]
        nodes, edges = (np.argsort(of, kind="stable") for of in (self.skeleton_ids, owner))
        names, begins = np.unique(self.skeleton_ids[nodes], return_index=True)
        edge_begins = np.searchsorted(owner[edges], names)
        for name, own, between in zip(
            names.tolist(), np.split(nodes, begins[1:]), np.split(edges, edge_begins[1:]),
            strict=False,
        ):  # fmt: skip
            yield (
                name,
                Skeletons(
                    self.node_ids[own],
                    self.skeleton_ids[own],
                    self.positions[own],
                    self.edges[between],
                ),
            )

    def cropped(self, begin: Sequence[float], end: Sequence[float]) -> Skeletons:
        """What lies in a box, begin <= position < end (nm); a node that loses its last edge goes,
        too."""
        return self.without_stubs(_all((self.positions >= begin) & (self.positions < end)))

    def without_stubs(self, chosen: NDArray[np.bool_]) -> Skeletons:
        """The nodes that are `chosen` (n,), without those that lose their last edge by it."""
        left = _all(chosen[self.places])
        had, has = (_ends(self.places[used], len(self)) for used in (slice(None), left))
        return self.kept(chosen & (has | ~had))

    def pieces(self) -> Skeletons:
        """Each connected piece as a skeleton of its own, numbered from 1."""
        # takes long to load, and few volumes have skeletons
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        first, second = self.places.T
        joined = coo_array((np.ones(len(first), np.bool_), (first, second)), (len(self),) * 2)
        _, piece = connected_components(joined, directed=False)
        return Skeletons(self.node_ids, piece.astype(np.uint64) + 1, self.positions, self.edges)


def voxels_of(
    positions: ArrayLike, *, voxel_size: Sequence[float], offset: Sequence[float] | float = 0.0
) -> NDArray[np.int64]:
    """The voxel that each position (n, axes) lies in: floor((position - offset) / voxel_size).

    voxel_size, offset: nm; offset: where the array begins.  Positions that rounding left a hair
    before the face of a voxel count as inside of it.
    """
    relative = (np.asarray(positions, np.float64) - offset) / np.asarray(voxel_size, np.float64)
    return np.floor(relative + _HAIR).astype(np.int64)


def labels_at(
    labels: NDArray[Any],
    positions: ArrayLike,
    *,
    voxel_size: Sequence[float],
    offset: Sequence[float] | float = 0.0,
) -> NDArray[np.uint64]:
    """The label of `labels` (z, y, x) at each position (n, 3), nm: uint64 (n,), 0 outside of the
    array.  offset: where the array begins, nm.  Raises ValueError for labels that are no ids, and
    positions of other axes."""
    array, places = ids(labels, "labels"), np.asarray(positions, np.float64)
    places = places if places.size else places.reshape(0, array.ndim)
    if places.ndim != 2 or places.shape[1] != array.ndim:
        raise ValueError(
            f"positions have shape {places.shape}, labels {array.shape}; wanted: "
            f"(n, {array.ndim}), nm"
        )
    voxels = voxels_of(places, voxel_size=voxel_size, offset=offset)
    inside = _all((voxels >= 0) & (voxels < array.shape))
    of_positions = np.zeros(len(voxels), np.uint64)
    of_positions[inside] = array[tuple(voxels[inside].T)]
    return of_positions


def _ids(values: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray[np.uint64]:
    array = ids(values, name).astype(np.uint64, copy=False)
    array = array.reshape(0, 2) if array.size == 0 and len(shape) == 2 else array
    if len(array.shape) != len(shape) or any(
        wanted not in (-1, there) for wanted, there in zip(shape, array.shape, strict=True)
    ):
        wanted = "(n,)" if shape == (-1,) else "(m, 2)" if len(shape) == 2 else str(shape)
        raise ValueError(f"{name} have shape {array.shape}; wanted: {wanted}")
    return array


def _positions(values: ArrayLike, nodes: NDArray[np.uint64]) -> NDArray[np.float64]:
    positions = np.asarray(values, np.float64)
    if positions.size == 0 and not len(nodes) and positions.shape != (0, 2):
        positions = positions.reshape(0, 3)
    if positions.ndim != 2 or len(positions) != len(nodes) or positions.shape[1] not in (2, 3):
        raise ValueError(
            f"positions have shape {positions.shape}; wanted: ({len(nodes)}, 3), nm, z y x, one "
            f"for each node"
        )
    nowhere = ~_all(np.isfinite(positions))
    if nowhere.any():
        raise ValueError(f"nodes without a position: {_named(nodes[nowhere])}; give each one in nm")
    return positions


def _places(nodes: NDArray[np.uint64], edges: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Indices of the nodes that edges name."""
    order = np.argsort(nodes, kind="stable")
    ordered = nodes[order]
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise ValueError(f"nodes that are there twice: {_named(np.unique(twice))}; give each once")
    at = np.searchsorted(ordered, edges)
    known = at < len(nodes)
    known[known] = ordered[at[known]] == edges[known]
    if not known.all():
        unknown = np.unique(edges[~known])
        raise ValueError(
            f"edges end at unknown nodes: {_named(unknown)}; edges are pairs of node_ids"
        )
    return order[at].astype(np.int64).reshape(-1, 2)


def _check_edges(edges: NDArray[np.uint64], skeletons: NDArray[np.uint64]) -> None:
    """skeletons: of both ends of each edge."""
    alone = edges[:, 0] == edges[:, 1]
    if alone.any():
        raise ValueError(f"edges from a node to itself: {_named(edges[alone, 0])}; leave them out")
    between = skeletons[:, 0] != skeletons[:, 1]
    if between.any():
        raise ValueError(
            f"edges between two skeletons: {_pairs(edges[between])}; an edge lies within one"
        )
    ordered, counts = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"edges that are there twice: {_pairs(ordered[counts > 1])}; give each once, in either "
            f"direction"
        )


def _all(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows (n, axes) hold nothing but True."""
    return np.asarray(rows.all(axis=1))


def _ends(places: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Which of `count` nodes have an edge."""
    has = np.zeros(count, np.bool_)
    has[places.reshape(-1)] = True
    return has


def _named(values: NDArray[np.uint64]) -> str:
    shown = [str(int(value)) for value in values[:_NAMED]]
    return ", ".join(shown) + _more(len(values))


def _pairs(values: NDArray[np.uint64]) -> str:
    shown = [f"{int(first)}-{int(second)}" for first, second in values[:_NAMED]]
    return ", ".join(shown) + _more(len(values))


def _more(count: int) -> str:
    return f" and {count - _NAMED} more" if count > _NAMED else ""
