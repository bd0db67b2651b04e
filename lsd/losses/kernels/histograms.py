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

# columns of roots: voxels of the set; those of them that have a label; and 0 where none has one,
# the label where all have one, or ~ of the name of the list
SIZE, LABELLED, LABEL = 0, 1, 2
# columns of lists: of a list its first entry (-1: none) and how many there are, of an entry its
# label and the next entry
HEAD, LENGTH, ENTRY, NEXT = 0, 1, 2, 3
# columns of the table: list * names + label + 1, or 0 at a free place, and how many voxels
KEY, COUNT = 0, 1


class Sets(NamedTuple):
    """parents: of the union-find, int32 (voxels,)
    roots, lists: int32 (voxels, columns); table: int64 (places, columns)
    names:   more than any label
    """

    parents: NDArray[np.int32]
    roots: NDArray[np.int32]
    lists: NDArray[np.int32]
    table: NDArray[np.int64]
    names: int


def singletons(labels: NDArray[np.int32], count: int) -> Sets:
    """Each voxel a set of its own; labels: 0 (none) .. count, flat.

    The table has room for all that can be in it, twice.  What is never used of it takes no memory:
    numpy asks the system for zeros, which come as they are touched.
    """
    size, places = labels.size, 1 << max(4, (2 * labels.size).bit_length())
    roots = np.empty((size, 4), np.int32)
    roots[:, SIZE], roots[:, LABELLED], roots[:, LABEL] = 1, labels != 0, labels
    return Sets(
        parents=np.arange(size, dtype=np.int32),
        roots=roots,
        lists=np.empty((size, 4), np.int32),
        table=np.zeros((places, 2), np.int64),
        names=count + 1,
    )


@numba.njit(cache=True, nogil=True)
def join(parents, roots, lists, table, names, first, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Joins two sets, given by their roots, which differ.

    Returns how many pairs of labelled voxels, one of either set, are of one label, and of two.
    """
    if roots[first, SIZE] < roots[second, SIZE]:
        first, second = second, first
    every = np.int64(roots[first, LABELLED]) * np.int64(roots[second, LABELLED])
    same = np.int64(0)
    if every > 0 and roots[first, LABEL] == roots[second, LABEL]:
        # of one label each: two lists never have one name
        same = every
    elif every > 0:
        same = _unite(roots, lists, table, names, first, second)
    elif roots[first, LABEL] == 0:
        roots[first, LABEL] = roots[second, LABEL]
    parents[second] = first
    roots[first, SIZE] += roots[second, SIZE]
    roots[first, LABELLED] += roots[second, LABELLED]
    return same, every - same


@numba.njit(cache=True, nogil=True)
def _unite(roots, lists, table, names, large, small):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Makes one histogram of those of two sets that have labels, and not one label both; returns
    their pairs of one label."""
    one, other = roots[large, LABEL], roots[small, LABEL]
    of_one, of_other = np.int64(roots[large, LABELLED]), np.int64(roots[small, LABELLED])
    if one > 0 and other > 0:
        lists[large, HEAD], lists[large, LENGTH] = -1, 0
        roots[large, LABEL] = ~np.int32(large)
        _add(lists, table, names, large, one, of_one, large)
        return _add(lists, table, names, large, other, of_other, small)
    if other > 0:
        return _add(lists, table, names, ~one, other, of_other, small)
    if one > 0:
        roots[large, LABEL] = other
        return _add(lists, table, names, ~other, one, of_one, large)
    kept, moved = ~one, ~other
    if lists[kept, LENGTH] < lists[moved, LENGTH]:
        kept, moved = moved, kept
    roots[large, LABEL] = ~kept
    return _move(lists, table, names, moved, kept)


@numba.njit(cache=True, nogil=True)
def _move(lists, table, names, moved, kept):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Adds one list to another; returns the pairs of one label."""
    same, entry = np.int64(0), lists[moved, HEAD]
    while entry >= 0:
        label, after = lists[entry, ENTRY], lists[entry, NEXT]
        count = _taken(table, _key(names, moved, label))
        same += _add(lists, table, names, kept, label, count, entry)
        entry = after
    return same


@numba.njit(cache=True, nogil=True)
def _add(lists, table, names, to, label, count, entry):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Adds voxels of a label to a list, which gets the entry if the label is new there; returns the
    pairs with those that were there."""
    key = _key(names, to, label)
    place = _home(table, key)
    while table[place, KEY] != 0 and table[place, KEY] != key:
        place = (place + 1) & (len(table) - 1)
    if table[place, KEY] == key:
        same = table[place, COUNT] * count
        table[place, COUNT] += count
        return same
    table[place, KEY], table[place, COUNT] = key, count
    lists[entry, ENTRY], lists[entry, NEXT] = label, lists[to, HEAD]
    lists[to, HEAD] = entry
    lists[to, LENGTH] += 1
    return np.int64(0)


@numba.njit(cache=True, nogil=True)
def _taken(table, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Removes a key from the table; returns how many voxels it had.

    What stands behind moves up where it would not be found any more.
    """
    last, gap = len(table) - 1, _home(table, key)
    while table[gap, KEY] != key:
        gap = (gap + 1) & last
    count, place = table[gap, COUNT], (gap + 1) & last
    while table[place, KEY] != 0:
        away = (place - _home(table, table[place, KEY])) & last
        if away >= (place - gap) & last:
            table[gap, KEY], table[gap, COUNT] = table[place, KEY], table[place, COUNT]
            gap = place
        place = (place + 1) & last
    table[gap, KEY] = 0
    return count


@numba.njit(cache=True, nogil=True)
def _key(names, of, label):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return np.int64(of) * names + np.int64(label) + 1


@numba.njit(cache=True, nogil=True)
def _home(table, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(24)) & (len(table) - 1)
