"""Union-find over numbered nodes: an array holds for each node one that it belongs to, and a root
holds itself.

Roots are the smallest nodes of what they stand for, so the result does not depend on the order of
the unions.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


def joined(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Root of each of the nodes 0 .. count - 1, the smallest that it is one with, where `pairs`
    (n, 2) join them."""
    roots = np.arange(count)
    union(roots, pairs[:, 0], pairs[:, 1])
    flatten(roots)
    return roots


@numba.njit(cache=True, nogil=True)
def find(parents, node):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Root of a node; the way to it becomes shorter.  parents: any unsigned or signed integers."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = np.int64(parents[node])
    return node


@numba.njit(cache=True, nogil=True)
def union(parents, first, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Joins each node of `first` with the node at the same place of `second`, in `parents`; the
    smaller root stays."""
    for i in range(len(first)):
        u, v = find(parents, first[i]), find(parents, second[i])
        if u < v:
            parents[v] = u
        elif v < u:
            parents[u] = v


@numba.njit(cache=True, nogil=True)
def flatten(parents):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Lets every node point at its root; a root is smaller than what it holds, so one pass is
    enough."""
    for node in range(len(parents)):
        parents[node] = parents[parents[node]]


@numba.njit(cache=True, nogil=True)
def joining_merge(count, merges, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Index of the merge after which the two ends of each edge are in one region; len(merges) if
    there is none.

    count: of nodes; merges, edges: (n, 2) and (m, 2) nodes; merges are done one after the other.

    Here the smaller tree hangs below the larger, so paths are short without being shortened, and a
    tree keeps the index of the merge that hung it there: these only grow on the way up, and the
    last one on the way between the ends is the answer.
    """
    parents, sizes = np.arange(count), np.ones(count, np.int64)
    never = len(merges)
    hung = np.full(count, never)
    for i in range(never):
        small, large = _top(parents, merges[i, 0]), _top(parents, merges[i, 1])
        if sizes[small] > sizes[large]:
            small, large = large, small
        parents[small] = large
        hung[small] = i
        sizes[large] += sizes[small]
    merge_of_edge = np.empty(len(edges), np.int64)
    for i in range(len(edges)):
        u, v = edges[i]
        answer = never
        while u != v:
            if hung[u] > hung[v]:
                u, v = v, u
            answer = hung[u]
            if answer == never:
                break
            u = parents[u]
        merge_of_edge[i] = answer
    return merge_of_edge


@numba.njit(cache=True, nogil=True)
def _top(parents, node):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Root of a node; the way to it stays as it is."""
    while parents[node] != node:
        node = parents[node]
    return node
