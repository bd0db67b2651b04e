"""How often two ids stand at the same voxel: a sparse table, counted in one pass and any number of
blocks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

# voxels handled at once: conversions to uint64 stay within the caches' reach
_CHUNK = 2**20


class Pairs(NamedTuple):
    """Distinct pairs (first, second) in ascending order, and how often each occurred."""

    first: NDArray[np.uint64]
    second: NDArray[np.uint64]
    counts: NDArray[np.int64]


def count_pairs(
    first: NDArray[Any], second: NDArray[Any], *, mask: NDArray[Any] | None = None
) -> Pairs:
    """Pairs of ids of two arrays of one shape and any integer dtype; where mask is given, only of
    voxels it sets.

    Exact for all of uint64: ids are kept whole, never packed into one key or made floats.
    """
    table = _empty(1024)
    for part in _slabs(first.shape):
        a, b = (np.asarray(array[part], dtype=np.uint64) for array in (first, second))
        if mask is not None:
            inside = np.asarray(mask[part], dtype=bool)
            a, b = a[inside], b[inside]
        begin, a, b = 0, a.reshape(-1), b.reshape(-1)
        while begin < a.size:
            begin = _count(a, b, begin, *table)
            table = table if begin == a.size else _grown(table)
    return _sorted(table)


def sum_pairs(
    first: NDArray[np.uint64], second: NDArray[np.uint64], counts: NDArray[np.int64]
) -> Pairs:
    """The distinct ones among pairs that may repeat, with the sum of their counts."""
    table = _empty(len(first))
    _sum(first, second, counts, *table)
    return _sorted(table)


def touching(labels: NDArray[Any], *, in_xy: bool = False) -> NDArray[np.uint64]:
    """Every pair of ids other than 0 that share a face somewhere: uint64 (n, 2), smaller id first,
    in ascending order.

    in_xy: within a section, every one on its own
    """
    pairs_of_axes = [np.empty((2, 0), dtype=np.uint64)]
    for axis in range(labels.ndim - 2 if in_xy else 0, labels.ndim):
        begin = tuple(slice(None) for _ in range(axis))
        pairs = count_pairs(labels[(*begin, slice(1, None))], labels[(*begin, slice(None, -1))])
        different = (pairs.first != pairs.second) & (pairs.first > 0) & (pairs.second > 0)
        pairs_of_axes.append(
            np.sort(np.stack([pairs.first[different], pairs.second[different]]), axis=0)
        )
    u, v = np.concatenate(pairs_of_axes, axis=1)
    u, v, _ = sum_pairs(u, v, np.ones(len(u), dtype=np.int64))
    return np.stack([u, v], axis=1)


def _slabs(shape: tuple[int, ...]) -> list[slice]:
    voxels = int(np.prod(shape))
    step = max(1, shape[0] * _CHUNK // max(1, voxels))
    return [slice(begin, begin + step) for begin in range(0, shape[0] if voxels else 0, step)]


class _Table(NamedTuple):
    """A hash table of pairs, open addressing; counts 0: free place; used[0]: pairs it holds."""

    first: NDArray[np.uint64]
    second: NDArray[np.uint64]
    counts: NDArray[np.int64]
    used: NDArray[np.int64]


def _empty(expected: int) -> _Table:
    """With room for `expected` pairs, which fill at most half of it."""
    size = 1 << max(10, (2 * int(expected) + 1).bit_length())
    return _Table(
        np.empty(size, np.uint64),
        np.empty(size, np.uint64),
        np.zeros(size, np.int64),
        np.zeros(1, np.int64),
    )


def _grown(table: _Table) -> _Table:
    held = np.flatnonzero(table.counts)
    larger = _empty(2 * len(held))
    _sum(table.first[held], table.second[held], table.counts[held], *larger)
    return larger


def _sorted(table: _Table) -> Pairs:
    held = np.flatnonzero(table.counts)
    order = held[np.lexsort((table.second[held], table.first[held]))]
    return Pairs(table.first[order], table.second[order], table.counts[order])


@numba.njit(cache=True, nogil=True, inline="always")
def hashed(a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """32 bits in which each bit of the pair, uint64, has a part."""
    mixed = (a * np.uint64(0x9E3779B97F4A7C15)) ^ (b * np.uint64(0xC2B2AE3D27D4EB4F))
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return mixed >> np.uint64(32)


@numba.njit(cache=True, nogil=True, inline="always")
def slot(first, second, counts, a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Where the pair stands in a table, or the free place (count 0) where it belongs."""
    last = counts.size - 1
    place = np.int64(hashed(a, b) & np.uint64(last))
    while counts[place] and (first[place] != a or second[place] != b):
        place = (place + 1) & last
    return place


@numba.njit(cache=True, nogil=True)
def _count(a, b, begin, first, second, counts, used):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the pairs of two flat arrays from `begin` on, run by run: neighbours mostly agree.

    Returns where it stopped: at the end, or earlier because the table is half full.
    """
    held = used[0]
    while begin < a.size and 2 * held <= counts.size:
        x, y = a[begin], b[begin]
        end = begin + 1
        while end < a.size and a[end] == x and b[end] == y:
            end += 1
        place = slot(first, second, counts, x, y)
        if counts[place] == 0:
            first[place], second[place] = x, y
            held += 1
        counts[place] += end - begin
        begin = end
    used[0] = held
    return begin


@numba.njit(cache=True, nogil=True)
def _sum(a, b, weights, first, second, counts, used):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count pairs with their weights; the table must have room for them."""
    for i in range(a.size):
        place = slot(first, second, counts, a[i], b[i])
        if counts[place] == 0:
            first[place], second[place] = a[i], b[i]
            used[0] += 1
        counts[place] += weights[i]
