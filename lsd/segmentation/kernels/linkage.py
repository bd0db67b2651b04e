"""Average linkage over near and far affinities: which regions join, in the order of the mean
affinity between them.

A near affinity says whether a membrane was seen, a far one whether two places are one neuron.
Where a boundary has a hole, as between a neuron and a dark sheath, near affinities alone join what
the far ones around it keep apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.offsets import views
from lsd.arrays.pairs import hashed, slot
from lsd.segmentation.kernels.nearest import as_probabilities
from lsd.spec import Segment

_DEFAULT = Segment()
# planes that are copied at once
_SLAB = 16


class Links(NamedTuple):
    """Pairs u < v of ids in ascending order: (n, 2); of each the sum of its weighted affinities,
    the sum of the weights, and whether the two share a face."""

    pairs: NDArray[np.int64]
    sums: NDArray[np.float64]
    weights: NDArray[np.float64]
    touch: NDArray[np.bool_]


def links(
    affs: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    labels: NDArray[Any],
    *,
    within: tuple[slice, ...] | None = None,
) -> Links:
    """What the affinities (c, z, y, x) of any offsets say of each pair of ids other than 0 in
    `labels` (z, y, x).

    An affinity weighs 1 / length of its offset, so that every offset counts a contact by its area.
    labels: ids 0..n, without gaps.  Offsets of a 2D network have no z.  within: a box; only
    affinities that stand in it count.
    """
    assert len(affs) == len(neighborhood), (affs.shape, neighborhood)
    table = _Table.empty(1 << 12)
    for channel, offset in zip(affs, neighborhood, strict=True):
        whole = (0,) * (labels.ndim - len(offset)) + tuple(offset)
        one_side = views(labels.shape, whole)[0]
        if within is not None:
            one_side = tuple(
                slice(max(a.start, b.start), min(a.stop, b.stop))
                for a, b in zip(one_side, within, strict=True)
            )
        other_side = tuple(
            slice(a.start + step, a.stop + step) for a, step in zip(one_side, whole, strict=True)
        )
        near = sum(abs(step) for step in offset) == 1
        weight = 1 / np.sqrt(sum(step * step for step in offset))
        first, second, values = labels[one_side], labels[other_side], channel[one_side]
        for top in range(0, len(first), _SLAB):
            slab = slice(top, top + _SLAB)
            arrays = tuple(
                array.reshape(-1)
                for array in (first[slab], second[slab], as_probabilities(values[slab]))
            )
            begin, end = 0, arrays[0].size
            while begin < end:
                begin = _add(*arrays, begin, weight, near, *table)
                table = table if begin == end else table.grown()
    used = np.flatnonzero(table.weights)
    used = used[np.lexsort((table.second[used], table.first[used]))]
    pairs = np.stack([table.first[used], table.second[used]], axis=1).astype(np.int64)
    return Links(pairs, table.sums[used], table.weights[used], table.touch[used])


def linkage(
    between: Links,
    sizes: NDArray[Any],
    *,
    caution: float = _DEFAULT.caution,
    above: int = _DEFAULT.cautious_above,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Merges of regions that touch, the highest mean first: (n, 2) ids, each standing for its
    region; (n,) 1 - mean.

    sizes:   voxels of each id, (count,)
    caution: the mean counts (above / voxels of the smaller region) ** caution where that region has
             more than `above`

    What regions know of each other is added up as they join, so the mean is over all of their
    affinities.  Heights need not ascend.  `between` is used up: regions are joined in its arrays.
    Source: Bailoni et al. 2022, GASP (average linkage); the dependence on size is our own.
    """
    pairs, heights = _join(*between, sizes.astype(np.float64), float(caution), float(above))
    return pairs, heights.astype(np.float32)


class _Table(NamedTuple):
    """A hash table of pairs, open addressing; weight 0: free place; used[0]: pairs it holds."""

    first: NDArray[np.uint64]
    second: NDArray[np.uint64]
    sums: NDArray[np.float64]
    weights: NDArray[np.float64]
    touch: NDArray[np.bool_]
    used: NDArray[np.int64]

    @classmethod
    def empty(cls, size: int) -> _Table:
        """With `size` places, a power of two."""
        first, second = np.zeros((2, size), np.uint64)
        return cls(
            first,
            second,
            np.zeros(size),
            np.zeros(size),
            np.zeros(size, np.bool_),
            np.zeros(1, np.int64),
        )

    def grown(self) -> _Table:
        """The same pairs in four times the places."""
        larger = _Table.empty(4 * len(self.first))
        _move(*self, *larger)
        return larger


@numba.njit(cache=True, nogil=True)
def _add(one, other, values, begin, weight, near, first, second, sums, weights, touch, used):  # type: ignore[no-untyped-def]
    """Adds the pairs from `begin` on; where it stopped, since the table is half full, or the
    end."""
    for i in range(begin, len(one)):
        u, v = np.uint64(min(one[i], other[i])), np.uint64(max(one[i], other[i]))
        if u == v or u == 0:
            continue
        place = slot(first, second, weights, u, v)
        if weights[place] == 0:
            if 2 * used[0] >= len(first):
                return i
            first[place], second[place] = u, v
            used[0] += 1
        sums[place] += weight * values[i]
        weights[place] += weight
        touch[place] |= near
    return len(one)


@numba.njit(cache=True, nogil=True)
def _move(  # type: ignore[no-untyped-def]
    a, b, old_sums, old_weights, old_touch, old_used, first, second, sums, weights, touch, used
):
    for i in range(len(a)):
        if old_weights[i] != 0:
            place = slot(first, second, weights, a[i], b[i])
            first[place], second[place], sums[place] = a[i], b[i], old_sums[i]
            weights[place], touch[place] = old_weights[i], old_touch[i]
    used[0] = old_used[0]


@numba.njit(cache=True, nogil=True)
def _height(ends, mean, sizes, caution, above):  # type: ignore[no-untyped-def]
    # of regions below `above` it is less than 1 - mean, where every link waits, and so counts for
    # nothing
    return 1 - mean * (above / min(sizes[ends[0]], sizes[ends[1]])) ** caution


@numba.njit(cache=True, nogil=True)
def _place(table, ends, dead, one, other):  # type: ignore[no-untyped-def]
    """Where the link between two regions stands in a table of links, open addressing, or the free
    place (-1) where it belongs.  What stands where its regions were before they joined others is
    passed over, or found as what it has become."""
    u, v, last = min(one, other), max(one, other), len(table) - 1
    place = np.int64(hashed(np.uint64(u), np.uint64(v)) & np.uint64(last))
    while table[place] >= 0:
        link = table[place]
        a, b = ends[link]
        if not dead[link] and min(a, b) == u and max(a, b) == v:
            break
        place = (place + 1) & last
    return place


@numba.njit(cache=True, nogil=True)
def _fill(table, ends, dead):  # type: ignore[no-untyped-def]
    """Makes the table that of all living links, and gives their number."""
    table[:] = -1
    used = 0
    for link in range(len(ends)):
        if not dead[link]:
            table[_place(table, ends, dead, ends[link, 0], ends[link, 1])] = link
            used += 1
    return used


@numba.njit(cache=True, nogil=True)
def _lists(ends, count):  # type: ignore[no-untyped-def]
    """Of each region the list of its links, as its first and last entry, for each entry the one
    that follows (-1: none), and how many there are; entry 2 link + side."""
    following = np.full(2 * len(ends), -1)
    head, tail, degree = np.full(count, -1), np.full(count, -1), np.zeros(count, np.int64)
    for link in range(len(ends)):
        for side in range(2):
            node, entry = ends[link, side], 2 * link + side
            if tail[node] < 0:
                head[node] = entry
            else:
                following[tail[node]] = entry
            tail[node] = entry
            degree[node] += 1
    return head, tail, following, degree


@numba.njit(cache=True, nogil=True)
def _join(ends, sums, weights, touch, sizes, caution, above):  # type: ignore[no-untyped-def]
    """Regions are `_lists` of their links. A link that was added to another is dead; one that
    changed has a new version, and what the heap holds of older ones is passed over. Heights rise
    with sizes, so a link whose regions grew stands too low in the heap: it is put back at its
    height when its turn comes.

    Of two regions that become one, only the links of that with fewer are gone through, and a table
    says which of them the other has already.  So however large a region becomes, a link is moved
    only as often as what it belongs to doubles.
    """
    number, count = len(ends), len(sizes)
    head, tail, following, degree = _lists(ends, count)
    version, dead = np.zeros(number, np.int64), np.zeros(number, np.bool_)
    heap = [
        (1 - sums[link] / weights[link], link, version[link])
        for link in range(number)
        if touch[link]
    ]
    heapify(heap)
    places = 16
    while places < 2 * number:
        places *= 2
    table = np.empty(places, np.int64)
    used = _fill(table, ends, dead)
    merges, heights, done = np.empty((count, 2), np.int64), np.empty(count, np.float64), 0
    while heap:
        height, link, known = heappop(heap)
        if dead[link] or known != version[link]:
            continue
        higher = _height(ends[link], sums[link] / weights[link], sizes, caution, above)
        if higher > height:
            heappush(heap, (higher, link, known))
            continue
        large, small = ends[link]
        if degree[large] < degree[small]:
            large, small = small, large
        merges[done, 0], merges[done, 1], heights[done] = large, small, height
        done += 1
        sizes[large] += sizes[small]
        dead[link] = True
        entry = head[small]
        while entry >= 0:
            moved, side = entry >> 1, entry & 1
            if not dead[moved]:
                place = _place(table, ends, dead, ends[moved, 1 - side], large)
                kept = table[place]
                ends[moved, side] = large
                if kept < 0:
                    table[place] = moved
                    used += 1
                    if 4 * used > 3 * len(table):
                        used = _fill(table, ends, dead)
                else:
                    sums[kept] += sums[moved]
                    weights[kept] += weights[moved]
                    touch[kept] |= touch[moved]
                    dead[moved] = True
                    version[kept] += 1
                    if touch[kept]:
                        heappush(heap, (1 - sums[kept] / weights[kept], kept, version[kept]))
            entry = following[entry]
        following[tail[large]] = head[small]
        tail[large] = tail[small]
        degree[large] += degree[small]
    return merges[:done], heights[:done]
