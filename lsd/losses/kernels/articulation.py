"""Vertices of a graph without which it falls into more parts."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


def articulation_vertices(count: int, edges: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of `count` vertices are articulation vertices: those whose removal leaves more
    connected parts than there were.

    edges: (n, 2); one that is given several times counts once.
    Source: Hopcroft and Tarjan 1973, without recursion.
    """
    return np.asarray(_search(*_adjacency(count, edges)))


@numba.njit(cache=True, nogil=True)
def _adjacency(count, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Neighbours of all vertices in one array, and where those of each begin."""
    first = np.zeros(count + 1, np.int64)
    for i in range(len(edges)):
        first[edges[i, 0] + 1] += 1
        first[edges[i, 1] + 1] += 1
    first = np.cumsum(first)
    neighbours, place = np.empty(2 * len(edges), np.int32), first.copy()
    for i in range(len(edges)):
        for side in range(2):
            vertex = edges[i, side]
            neighbours[place[vertex]] = edges[i, 1 - side]
            place[vertex] += 1
    return first, neighbours


@numba.njit(cache=True, nogil=True)
def _search(first, neighbours):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Depth first from every vertex that was not reached.

    reached: the number of each vertex in the order in which they were reached, from 1
    lowest:  the least number that is reached from it and what comes after it by one step back
    """
    count = len(first) - 1
    reached, lowest = np.zeros(count, np.int64), np.zeros(count, np.int64)
    parents, place = np.full(count, -1, np.int32), first[:-1].copy()
    articulates = np.zeros(count, np.bool_)
    last = 0
    for start in range(count):
        if reached[start] or first[start] == first[start + 1]:
            continue
        last += 1
        reached[start] = lowest[start] = last
        vertex, children = start, 0
        while vertex >= 0:
            if place[vertex] < first[vertex + 1]:
                other = neighbours[place[vertex]]
                place[vertex] += 1
                if reached[other]:
                    lowest[vertex] = min(lowest[vertex], reached[other])
                    continue
                last += 1
                reached[other] = lowest[other] = last
                parents[other], vertex = vertex, other
                continue
            parent = parents[vertex]
            if parent == start:
                children += 1
            elif parent >= 0:
                articulates[parent] |= lowest[vertex] >= reached[parent]
            if parent >= 0:
                lowest[parent] = min(lowest[parent], lowest[vertex])
            vertex = parent
        articulates[start] = children > 1
    return articulates
