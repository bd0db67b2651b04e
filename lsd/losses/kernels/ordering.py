"""Edges in descending order of their keys, equal ones in ascending order of their numbers; in time
that is linear."""

from __future__ import annotations

import numba
import numpy as np

# bits that are sorted by at once: the counts of 2**11 values stay in the nearest cache
_BITS = 11
# bits of a key that tell which keys are among the highest
_LEADING = 16
# edges that are sooner inserted than counted
_FEW = 64


@numba.njit(cache=True, nogil=True)
def split_off_highest(keys, edges, fraction):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Moves edges with the highest keys to the front, at least `fraction` of all; equal keys stay
    together, and order within both parts stays.

    keys: unsigned integers, (n,); edges: their numbers (n,).  Both are changed in place.  Returns
    how many are in front.
    """
    shift = max(0, 8 * keys.itemsize - _LEADING)
    counts = np.zeros(1 << _LEADING, np.int64)
    for key in keys:
        counts[np.int64(key >> shift)] += 1
    lowest, wanted = counts.size, fraction * len(keys)
    front = 0
    while front < wanted:
        lowest -= 1
        front += counts[lowest]
    rest_keys, rest_edges = np.empty_like(keys[front:]), np.empty_like(edges[front:])
    first, other = 0, 0
    for i in range(len(keys)):
        key, edge = keys[i], edges[i]
        if np.int64(key >> shift) >= lowest:
            keys[first], edges[first] = key, edge
            first += 1
        else:
            rest_keys[other], rest_edges[other] = key, edge
            other += 1
    keys[front:], edges[front:] = rest_keys, rest_edges
    return front


@numba.njit(cache=True, nogil=True)
def sort_descending(keys, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Sorts edges by descending keys, in place; edges with equal keys stay in their order.

    A radix sort from the least digit on, of a few edges an insertion sort.  A digit that all keys
    share takes no time to sort by.
    """
    if len(keys) <= _FEW:
        _insert(keys, edges)
        return
    other_keys, other_edges = np.empty_like(keys), np.empty_like(edges)
    for shift in range(0, 8 * keys.itemsize, _BITS):
        counts = np.zeros(1 << _BITS, np.int64)
        for key in keys:
            counts[_digit(key, shift)] += 1
        if counts.max() == len(keys):
            continue
        # where the edges of each digit begin, the highest first
        begin = 0
        for digit in range(counts.size - 1, -1, -1):
            begin, counts[digit] = begin + counts[digit], begin
        for i in range(len(keys)):
            digit = _digit(keys[i], shift)
            place = counts[digit]
            counts[digit] += 1
            other_keys[place], other_edges[place] = keys[i], edges[i]
        keys[:], edges[:] = other_keys, other_edges


@numba.njit(cache=True, nogil=True)
def _insert(keys, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(1, len(keys)):
        key, edge, place = keys[i], edges[i], i
        while place > 0 and keys[place - 1] < key:
            keys[place], edges[place] = keys[place - 1], edges[place - 1]
            place -= 1
        keys[place], edges[place] = key, edge


@numba.njit(cache=True, nogil=True, inline="always")
def _digit(key, shift):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return np.int64(key >> shift) & ((1 << _BITS) - 1)
