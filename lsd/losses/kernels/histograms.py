"""Sets of voxels that are joined, and how many voxels of each label are in each.

A set is named by the voxel that is its root.  Most sets have voxels of one label, and these need no
table.  A set of several labels has a list of them, and one hash table for all sets says how many
voxels of a label a list has.  Where two lists become one, the shorter is moved, so a label is moved
at most log2(voxels) times.

The list of a set is named by the root that first had it, and an entry of a list by the root whose
label it was; each root is a reason for one list and one entry at most, so both fit into arrays of
one row a voxel.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

# columns of roots: voxels of the set that have a label; and 0 where none has one, the label where
# all of these have one, or ~ of the name of the list
LABELLED, LABEL = 0, 1
# columns of lists: of a list its first entry (-1: none) and how many there are, of an entry its
# label and the next entry
HEAD, LENGTH, ENTRY, NEXT = 0, 1, 2, 3
# columns of the table: list * NAMES + label + 1, or 0 at a free place, and how many voxels
KEY, COUNT = 0, 1
# of the state
NAMES, PLACES, HELD = 0, 1, 2
# places of a table that are in use at first
_PLACES = 1 << 10


class Sets(NamedTuple):
    """parents: of the union-find, int32 (voxels,)
    roots, lists: int32 (voxels, columns); table: int64 (places, columns)
    state:   int64: a number above any label; places of the table in use; keys in it
    """

    parents: NDArray[np.int32]
    roots: NDArray[np.int32]
    lists: NDArray[np.int32]
    table: NDArray[np.int64]
    state: NDArray[np.int64]


def singletons(labels: NDArray[np.int32], count: int) -> Sets:
    """Each voxel a set of its own; labels: 0 (none) .. count, flat.

    The table has room for all that can be in it, twice, and begins with a few places in use.  What
    is never touched takes no memory: the system gives zeros when they are.
    """
    size, places = labels.size, 1 << max(_PLACES.bit_length() - 1, (2 * labels.size).bit_length())
    parents, roots = np.empty(size, np.int32), np.empty((size, 2), np.int32)
    _fill(labels, parents, roots)
    return Sets(
        parents=parents,
        roots=roots,
        lists=np.empty((size, 4), np.int32),
        table=np.zeros((places, 2), np.int64),
        state=np.array([count + 1, _PLACES, 0]),
    )


def united(labels: NDArray[np.int32], components: NDArray[np.int32], count: int) -> Sets:
    """Each component a set, and all of its voxels of one label.

    components: the first voxel of that of each voxel, flat; further arguments as for `singletons`
    """
    sets = singletons(labels, count)
    _unite_all(components, sets.parents, sets.roots)
    return sets


@numba.njit(cache=True, nogil=True)
def _unite_all(components, parents, roots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for voxel in range(len(components)):
        first = components[voxel]
        if first != voxel:
            parents[voxel] = first
            roots[first, LABELLED] += roots[voxel, LABELLED]


@numba.njit(cache=True, nogil=True)
def _fill(labels, parents, roots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for voxel in range(len(labels)):
        parents[voxel] = voxel
        roots[voxel, LABELLED], roots[voxel, LABEL] = labels[voxel] != 0, labels[voxel]


@numba.njit(cache=True, nogil=True)
def join_sets(parents, roots, lists, table, state, first, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Joins two sets, given by their roots, which differ.

    Returns how many pairs of labelled voxels, one of either set, are of one label, and of two.
    """
    if roots[first, LABELLED] < roots[second, LABELLED]:
        first, second = second, first
    every = np.int64(roots[first, LABELLED]) * np.int64(roots[second, LABELLED])
    same = np.int64(0)
    if every > 0 and roots[first, LABEL] == roots[second, LABEL]:
        # of one label each: two lists never have one name
        same = every
    elif every > 0:
        same = _unite(roots, lists, table, state, first, second)
    elif roots[first, LABEL] == 0:
        roots[first, LABEL] = roots[second, LABEL]
    parents[second] = first
    roots[first, LABELLED] += roots[second, LABELLED]
    return same, every - same


@numba.njit(cache=True, nogil=True)
def _unite(roots, lists, table, state, large, small):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Makes one histogram of those of two sets that have labels, and not one label both; returns
    their pairs of one label."""
    one, other = roots[large, LABEL], roots[small, LABEL]
    of_one, of_other = np.int64(roots[large, LABELLED]), np.int64(roots[small, LABELLED])
    if one > 0 and other > 0:
        lists[large, HEAD], lists[large, LENGTH] = -1, 0
        roots[large, LABEL] = ~np.int32(large)
        _add(lists, table, state, large, one, of_one, large)
        return _add(lists, table, state, large, other, of_other, small)
    if other > 0:
        return _add(lists, table, state, ~one, other, of_other, small)
    if one > 0:
        roots[large, LABEL] = other
        return _add(lists, table, state, ~other, one, of_one, large)
    kept, moved = ~one, ~other
    if lists[kept, LENGTH] < lists[moved, LENGTH]:
        kept, moved = moved, kept
    roots[large, LABEL] = ~kept
    return _move(lists, table, state, moved, kept)


@numba.njit(cache=True, nogil=True)
def _move(lists, table, state, moved, kept):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Adds one list to another; returns the pairs of one label."""
    same, entry = np.int64(0), lists[moved, HEAD]
    while entry >= 0:
        label, after = lists[entry, ENTRY], lists[entry, NEXT]
        count = _taken(table, state, _key(state, moved, label))
        same += _add(lists, table, state, kept, label, count, entry)
        entry = after
    return same


@numba.njit(cache=True, nogil=True)
def _add(lists, table, state, to, label, count, entry):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Adds voxels of a label to a list, which gets the entry if the label is new there; returns the
    pairs with those that were there."""
    key = _key(state, to, label)
    place = _place(table, state, key)
    if table[place, KEY] == key:
        same = table[place, COUNT] * count
        table[place, COUNT] += count
        return same
    table[place, KEY], table[place, COUNT] = key, count
    state[HELD] += 1
    if 2 * state[HELD] > state[PLACES]:
        _grow(table, state)
    lists[entry, ENTRY], lists[entry, NEXT] = label, lists[to, HEAD]
    lists[to, HEAD] = entry
    lists[to, LENGTH] += 1
    return np.int64(0)


@numba.njit(cache=True, nogil=True)
def _taken(table, state, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Removes a key from the table; returns how many voxels it had.

    What stands behind moves up where it would not be found any more.
    """
    last, gap = state[PLACES] - 1, _place(table, state, key)
    count, place = table[gap, COUNT], (gap + 1) & last
    while table[place, KEY] != 0:
        away = (place - _home(state, table[place, KEY])) & last
        if away >= (place - gap) & last:
            table[gap, KEY], table[gap, COUNT] = table[place, KEY], table[place, COUNT]
            gap = place
        place = (place + 1) & last
    table[gap, KEY] = 0
    state[HELD] -= 1
    return count


@numba.njit(cache=True, nogil=True)
def _grow(table, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Takes twice as many places of the table in use."""
    held = table[: state[PLACES]].copy()
    table[: state[PLACES], KEY] = 0
    state[PLACES] *= 2
    for row in range(len(held)):
        if held[row, KEY] != 0:
            place = _place(table, state, held[row, KEY])
            table[place, KEY], table[place, COUNT] = held[row, KEY], held[row, COUNT]


@numba.njit(cache=True, nogil=True)
def _key(state, of, label):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return np.int64(of) * state[NAMES] + np.int64(label) + 1


@numba.njit(cache=True, nogil=True)
def _place(table, state, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Where a key stands, or the free place where it belongs."""
    place = _home(state, key)
    while table[place, KEY] != 0 and table[place, KEY] != key:
        place = (place + 1) & (state[PLACES] - 1)
    return place


@numba.njit(cache=True, nogil=True)
def _home(state, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(24)) & (state[PLACES] - 1)
