"""Joining voxels in the order of their affinities, and how many pairs of voxels each edge joins.

Only edges between sets that are still apart matter, and after the highest quarter of edges most
voxels are in few sets.  So that quarter is sorted and joined, the rest is looked through for edges
that still matter, in the order of memory, and so on (filter-Kruskal, Osipov et al. 2009).

Nearly all of the time is spent in waiting for memory; four things are done against it, see
`_leave_out`, `_join_all` and `_read_ahead`, and `histograms`, whose table stays small.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.union_find import find
from lsd.losses.kernels.edges import NEGATIVE, OUTSIDE, POSITIVE, UNKNOWN, Edges
from lsd.losses.kernels.histograms import Sets, join_sets, singletons, united
from lsd.losses.kernels.joined import joined_components
from lsd.losses.kernels.ordering import sort_descending, split_off_highest

# of the edges that are left, how many are sorted at once
_FRACTION = 0.25
# edges that are not worth being looked through again
_FEW = 1 << 16
# edges whose sets are looked up at once
_BATCH = 128
# the half of a turn that is the edge, and the highest key of 32 bits
_EDGE = np.uint64(0xFFFFFFFF)


def pairs_of_two_labels(
    keys: NDArray[Any],
    edges: Edges,
    labels: NDArray[np.int32],
    objects: NDArray[np.int32],
    *,
    count: int,
    top: int,
) -> NDArray[np.int64]:
    """For each negative edge, how many pairs of voxels of two labels it joins where all positive
    edges have the affinity 1.

    keys:    unsigned integers (channels, voxels), in the order of affinities; top: that of 1
    labels:  0 (none) .. count, flat
    objects: the components that positive edges make, by their first voxels (`joined_components`)
    """
    rules = _rules(keys, counted=NEGATIVE, forced=POSITIVE, given=top, top=top)
    together = np.zeros(len(labels), np.int32)
    if _another_at(keys.reshape(-1), edges.classes.reshape(-1), rules):
        return _pass(keys, edges, rules, singletons(labels, count), together)
    return _pass(keys, edges, rules, united(labels, objects, count), together)


def pairs_of_one_label(
    keys: NDArray[Any],
    edges: Edges,
    labels: NDArray[np.int32],
    objects: NDArray[np.int32],
    *,
    count: int,
    top: int,
) -> NDArray[np.int64]:
    """For each positive edge, how many pairs of voxels of one label it joins where all negative
    edges have the affinity 0; arguments as for `pairs_of_two_labels`."""
    rules = _rules(keys, counted=POSITIVE, forced=NEGATIVE, given=0, top=top)
    groups = objects
    if (edges.classes == UNKNOWN).any():
        joining = (edges.classes == POSITIVE) | (edges.classes == UNKNOWN)
        groups = joined_components(joining, edges.steps)
    return _pass(keys, edges, rules, singletons(labels, count), groups)


def _rules(keys: NDArray[Any], *, counted: int, forced: int, given: int, top: int) -> Any:
    """Which edges are counted, which are forced to a key, to which one, and the key of 1."""
    of_keys = keys.dtype.type
    return np.uint8(counted), np.uint8(forced), of_keys(given), of_keys(top)


def _pass(
    keys: NDArray[Any], edges: Edges, rules: Any, sets: Sets, groups: NDArray[np.int32]
) -> NDArray[np.int64]:
    """groups: a number below that of voxels for each voxel; edges between 0 and 1 do not lead from
    one group to another."""
    # written to all over, so the system should not give it page by page, as it does zeros
    pairs = np.full(keys.shape, 0, np.int64)
    flat, classes = keys.reshape(-1), edges.classes.reshape(-1)
    kept = classes.copy()
    if keys.itemsize <= 4:
        _leave_out(flat, classes, edges.steps, rules, len(groups), kept)
    _join_all(flat, kept, edges.steps, rules, sets, groups, pairs.reshape(-1))
    return pairs


@numba.njit(cache=True, nogil=True)
def _another_at(keys, classes, rules):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether an edge has the key that others are forced to, and is none of them."""
    for edge in range(len(keys)):
        if keys[edge] == rules[2] and classes[edge] != rules[1] and classes[edge] != OUTSIDE:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _leave_out(keys, classes, steps, rules, voxels, kept):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Makes edges OUTSIDE in `kept` that join nothing, because the others of a cycle of four came
    before: the last edge of a cycle never does.

    Cycles are of two offsets c and d: from a voxel to its neighbours at c and d, and from both to
    the one at c + d.  Half of all edges are found so, in the order of memory.  Keys have at most 32
    bits.
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
                last = max(
                    max(_turn(keys, classes, rules, one), _turn(keys, classes, rules, beside)),
                    max(_turn(keys, classes, rules, other), _turn(keys, classes, rules, beyond)),
                )
                kept[np.int64(last & _EDGE)] = OUTSIDE


@numba.njit(cache=True, nogil=True, inline="always")
def _turn(keys, classes, rules, edge):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """A number that is higher for edges that join later; its lower half is the edge.

    The highest of such numbers is found without a branch, which would be guessed wrong at each
    second edge.
    """
    forced, given = rules[1], rules[2]
    key = np.uint64(given if classes[edge] == forced else keys[edge])
    return ((_EDGE - key) << np.uint64(32)) | np.uint64(edge)


@numba.njit(cache=True, nogil=True)
def _join_all(keys, classes, steps, rules, sets, groups, pairs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Joins along all edges, those of affinity 1, then those between 0 and 1, then those of 0.

    Groups have nothing to do with each other, so those between 0 and 1 are joined group by group:
    where a group is an object, work stays within a near cache.
    """
    counted = rules[0]
    _join_equal(keys, classes, steps, rules, rules[3], sets, pairs)
    ends, at_zero = _count_apart(keys, classes, steps, rules, sets[0], groups)
    edge_keys, numbers = np.empty(ends[-1], keys.dtype), np.empty(ends[-1], np.int32)
    _list_apart(keys, classes, steps, rules, sets[0], groups, ends, edge_keys, numbers)
    begin = 0
    for end in ends:
        if begin < end:
            some_keys, some = edge_keys[begin:end], numbers[begin:end]
            _join_listed(some_keys, some, classes, steps, counted, sets, pairs)
        begin = end
    if at_zero:
        _join_equal(keys, classes, steps, rules, keys.dtype.type(0), sets, pairs)


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
def _count_apart(keys, classes, steps, rules, parents, groups):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """How many edges between 0 and 1 whose ends are apart are in groups up to each, and whether
    edges at 0 are among those that are counted."""
    counted, forced, given, top = rules
    voxels, at_zero = len(parents), False
    ends = np.zeros(voxels, np.int64)
    for c in range(len(steps)):
        for voxel in range(voxels):
            kind = classes[c * voxels + voxel]
            if kind == OUTSIDE:
                continue
            key = given if kind == forced else keys[c * voxels + voxel]
            if key == 0:
                at_zero |= kind == counted
            elif key != top and find(parents, voxel) != find(parents, voxel + steps[c]):
                ends[groups[voxel]] += 1
    for group in range(1, voxels):
        ends[group] += ends[group - 1]
    return ends, at_zero


@numba.njit(cache=True, nogil=True)
def _list_apart(keys, classes, steps, rules, parents, groups, ends, edge_keys, numbers):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lists those edges group by group, each in their order, from the last one on."""
    _, forced, given, top = rules
    voxels = len(parents)
    for c in range(len(steps) - 1, -1, -1):
        for voxel in range(voxels - 1, -1, -1):
            edge = c * voxels + voxel
            kind = classes[edge]
            if kind == OUTSIDE:
                continue
            key = given if kind == forced else keys[edge]
            if 0 < key < top and find(parents, voxel) != find(parents, voxel + steps[c]):
                group = groups[voxel]
                ends[group] -= 1
                edge_keys[ends[group]], numbers[ends[group]] = key, edge
    # each end has become a begin, which is where the one before ends
    ends[:-1], ends[-1] = ends[1:], len(numbers)


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
