"""Joining voxels in the order of their affinities, and how many pairs of voxels each edge joins.

Only edges between sets that are still apart matter, and after the highest quarter of edges most
voxels are in few sets.  So that quarter is sorted and joined, the rest is looked through for edges
that still matter, in the order of memory, and so on (filter-Kruskal, Osipov et al. 2009).

Nearly all of the time is spent in waiting for memory; four things are done against it, see
`_leave_out`, `_grouped` and `_read_ahead`, and `histograms`, whose table stays small.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.union_find import find
from lsd.losses.kernels.edges import NEGATIVE, OUTSIDE, POSITIVE, Edges
from lsd.losses.kernels.histograms import join_sets, singletons
from lsd.losses.kernels.ordering import sort_descending, split_off_highest

# of the edges that are left, how many are sorted at once
_FRACTION = 0.25
# edges that are not worth being looked through again
_FEW = 1 << 16
# edges whose sets are looked up at once
_BATCH = 128


def pairs_of_two_labels(
    keys: NDArray[Any], edges: Edges, labels: NDArray[np.int32], *, count: int, top: int
) -> NDArray[np.int64]:
    """For each negative edge, how many pairs of voxels of two labels it joins where all positive
    edges have the affinity 1.

    keys:   unsigned integers (channels, voxels), in the order of affinities; top: that of 1
    labels: 0 (none) .. count, flat
    """
    return _pass(keys, edges, labels, count=count, counted=NEGATIVE, forced=POSITIVE, top=top)


def pairs_of_one_label(
    keys: NDArray[Any], edges: Edges, labels: NDArray[np.int32], *, count: int, top: int
) -> NDArray[np.int64]:
    """For each positive edge, how many pairs of voxels of one label it joins where all negative
    edges have the affinity 0; arguments as for `pairs_of_two_labels`."""
    return _pass(keys, edges, labels, count=count, counted=POSITIVE, forced=NEGATIVE, top=top)


def _pass(
    keys: NDArray[Any],
    edges: Edges,
    labels: NDArray[np.int32],
    *,
    count: int,
    counted: int,
    forced: int,
    top: int,
) -> NDArray[np.int64]:
    # written to all over, so the system should not give it page by page, as it does zeros
    pairs = np.full(keys.shape, 0, np.int64)
    sets = singletons(labels, count)
    given = keys.dtype.type(top if forced == POSITIVE else 0)
    rules = (np.uint8(counted), np.uint8(forced), given, keys.dtype.type(top))
    flat, classes = keys.reshape(-1), edges.classes.reshape(-1)
    kept = classes.copy()
    _leave_out(flat, classes, edges.steps, rules, len(labels), kept)
    edge_keys, numbers = np.empty(flat.shape, flat.dtype), np.empty(flat.shape, np.int32)
    _join_all(flat, kept, edges.steps, rules, sets, edge_keys, numbers, pairs.reshape(-1))
    return pairs


@numba.njit(cache=True, nogil=True)
def _leave_out(keys, classes, steps, rules, voxels, kept):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Makes edges OUTSIDE in `kept` that join nothing, because the others of a cycle of four came
    before: the last edge of a cycle never does.

    Cycles are of two offsets c and d: from a voxel to its neighbours at c and d, and from both to
    the one at c + d.  Half of all edges are found so, in the order of memory.
    """
    for c in range(len(steps)):
        for d in range(c + 1, min(c + 3, len(steps))):
            for voxel in range(voxels):
                one, other = c * voxels + voxel, d * voxels + voxel
                if classes[one] == OUTSIDE or classes[other] == OUTSIDE:
                    continue
                beside, beyond = one + steps[d], other + steps[c]
                if classes[beside] == OUTSIDE or classes[beyond] == OUTSIDE:
                    continue
                last = _later(keys, classes, rules, one, beside)
                last = _later(
                    keys, classes, rules, last, _later(keys, classes, rules, other, beyond)
                )
                kept[last] = OUTSIDE


@numba.njit(cache=True, nogil=True, inline="always")
def _later(keys, classes, rules, first, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """That of two edges that comes later in the order in which they join."""
    forced, given = rules[1], rules[2]
    one = given if classes[first] == forced else keys[first]
    other = given if classes[second] == forced else keys[second]
    if one == other:
        return max(first, second)
    return first if one < other else second


@numba.njit(cache=True, nogil=True)
def _join_all(keys, classes, steps, rules, sets, edge_keys, numbers, pairs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Joins along all edges, those of affinity 1, then those between 0 and 1, then those of 0.

    edge_keys, numbers: room for all edges, for those that are sorted
    """
    parents, counted = sets[0], rules[0]
    _join_equal(keys, classes, steps, rules, rules[3], sets, pairs)
    left, at_zero = _gather(keys, classes, steps, rules, parents, edge_keys, numbers)
    ends = np.array([left])
    if counted == POSITIVE:
        ends = _grouped(steps, parents, edge_keys[:left], numbers[:left])
    begin = 0
    for end in ends:
        if begin < end:
            some_keys, some = edge_keys[begin:end], numbers[begin:end]
            _join_listed(some_keys, some, classes, steps, counted, sets, pairs)
        begin = end
    if at_zero:
        _join_equal(keys, classes, steps, rules, keys.dtype.type(0), sets, pairs)


@numba.njit(cache=True, nogil=True)
def _grouped(steps, parents, edge_keys, numbers):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lists edges component by component, each in their order; returns where they end.

    Components of all listed edges have nothing to do with each other, and edges inside objects make
    one of each object.  So work stays within an object, which is small enough for a near cache.
    """
    voxels, joined = len(parents), parents.copy()
    for edge in numbers:
        channel = edge // voxels
        voxel = edge - channel * voxels
        first, second = find(joined, voxel), find(joined, voxel + steps[channel])
        joined[max(first, second)] = min(first, second)
    # roots of sets that were joined before need not be their first voxels
    for voxel in range(voxels):
        joined[voxel] = find(joined, voxel)
    ends = np.zeros(voxels, np.int64)
    for edge in numbers:
        ends[joined[edge % voxels]] += 1
    ends = np.cumsum(ends)
    ungrouped_keys, ungrouped = edge_keys.copy(), numbers.copy()
    for i in range(len(numbers) - 1, -1, -1):
        component = joined[ungrouped[i] % voxels]
        ends[component] -= 1
        edge_keys[ends[component]], numbers[ends[component]] = ungrouped_keys[i], ungrouped[i]
    # each end has become a begin, which is where the one before ends
    ends[:-1], ends[-1] = ends[1:], len(numbers)
    return ends


@numba.njit(cache=True, nogil=True)
def _join_listed(edge_keys, numbers, classes, steps, counted, sets, pairs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Joins along listed edges in descending order of their keys; the list is used up."""
    left = len(numbers)
    while left > 0:
        sorted_now = left
        if left > _FEW:
            sorted_now = split_off_highest(edge_keys[:left], numbers[:left], _FRACTION)
        sort_descending(edge_keys[:sorted_now], numbers[:sorted_now])
        _join_in_turn(numbers[:sorted_now], classes, steps, counted, sets, pairs)
        left = _still_apart(steps, sets[0], edge_keys, numbers, sorted_now, left)


@numba.njit(cache=True, nogil=True)
def _join_in_turn(numbers, classes, steps, counted, sets, pairs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Joins along listed edges, in their order.

    Edges in the order of affinities lie anywhere in memory, and each has to be waited for.  So what
    a batch of edges will need is read ahead, where one wait does not depend on another.
    """
    parents, roots, lists, table, state = sets
    near, touched = np.empty((_BATCH, 2), np.int32), 0
    for begin in range(0, len(numbers), _BATCH):
        batch = numbers[begin : begin + _BATCH]
        touched ^= _read_ahead(batch, classes, steps, parents, roots, near)
        for i in range(len(batch)):
            first, second = find(parents, near[i, 0]), find(parents, near[i, 1])
            if first != second:
                edge = batch[i]
                same, other = join_sets(parents, roots, lists, table, state, first, second)
                if classes[edge] == counted:
                    pairs[edge] = same if counted == POSITIVE else other
    return touched


@numba.njit(cache=True, nogil=True)
def _read_ahead(edges, classes, steps, parents, roots, near):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fills `near` with a voxel of the set of either end of each edge, nearer to its root; what is
    returned keeps compilers from leaving out what is only read."""
    voxels, touched = len(parents), 0
    for i in range(len(edges)):
        touched ^= classes[edges[i]]
        channel = edges[i] // voxels
        voxel = edges[i] - channel * voxels
        near[i, 0], near[i, 1] = parents[voxel], parents[voxel + steps[channel]]
    for _ in range(2):
        for i in range(len(edges)):
            near[i, 0], near[i, 1] = parents[near[i, 0]], parents[near[i, 1]]
    for i in range(len(edges)):
        for side in range(2):
            touched ^= parents[near[i, side]] ^ roots[near[i, side], 0]
    return touched


@numba.njit(cache=True, nogil=True)
def _join_equal(keys, classes, steps, rules, key, sets, pairs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Joins along all edges of one key, in their order."""
    counted, forced, given, _ = rules
    parents, roots, lists, table, state = sets
    voxels = len(parents)
    for c in range(len(steps)):
        for voxel in range(voxels):
            edge = c * voxels + voxel
            kind = classes[edge]
            if kind == OUTSIDE or (given if kind == forced else keys[edge]) != key:
                continue
            first, second = find(parents, voxel), find(parents, voxel + steps[c])
            if first != second:
                same, other = join_sets(parents, roots, lists, table, state, first, second)
                if kind == counted:
                    pairs[edge] = same if counted == POSITIVE else other


@numba.njit(cache=True, nogil=True)
def _gather(keys, classes, steps, rules, parents, edge_keys, numbers):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lists the edges between 0 and 1 whose ends are apart.

    Returns how many there are, and whether edges at 0 are among those that are counted.
    """
    counted, forced, given, top = rules
    voxels, left, at_zero = len(parents), 0, False
    for c in range(len(steps)):
        for voxel in range(voxels):
            edge = c * voxels + voxel
            kind = classes[edge]
            if kind == OUTSIDE:
                continue
            key = given if kind == forced else keys[edge]
            if key == 0:
                at_zero |= kind == counted
            elif key != top and find(parents, voxel) != find(parents, voxel + steps[c]):
                edge_keys[left], numbers[left] = key, edge
                left += 1
    return left, at_zero


@numba.njit(cache=True, nogil=True)
def _still_apart(steps, parents, edge_keys, numbers, begin, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lists those edges from begin to end whose ends are apart, from the front on; returns how many
    there are."""
    voxels, left = len(parents), 0
    for i in range(begin, end):
        channel = numbers[i] // voxels
        voxel = numbers[i] - channel * voxels
        if find(parents, voxel) != find(parents, voxel + steps[channel]):
            edge_keys[left], numbers[left] = edge_keys[i], numbers[i]
            left += 1
    return left
