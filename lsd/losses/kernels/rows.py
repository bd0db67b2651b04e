"""Objects as runs along x: which runs are one component, and which components touch.

A run is a stretch of voxels of one object, of which all are mistaken or none is.  Work is linear in
the number of runs, of which there are never more than voxels and mostly far fewer.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.union_find import find, flatten

# how many coordinates of two neighbours may differ, by axes and connectivity
DIFFERING = {2: {4: 1, 8: 2}, 3: {6: 1, 18: 2, 26: 3}}
_ROWS_BEFORE = ((-1, -1), (-1, 0), (-1, 1), (0, -1))


class Runs(NamedTuple):
    """first: (rows + 1,), the runs of row i are first[i] .. first[i + 1] - 1
    begins, ends: along x, the end exclusive; mistaken: whether their voxels are; (runs,) each
    roots: the first run of the component of each run
    contacts: (n, 2), a mistaken run and a run of the same object that is not, which are neighbours;
              each such pair once
    """

    first: NDArray[np.int64]
    begins: NDArray[np.int32]
    ends: NDArray[np.int32]
    mistaken: NDArray[np.bool_]
    roots: NDArray[np.int32]
    contacts: NDArray[np.int32]


def runs_of(objects: NDArray[Any], mistaken: NDArray[np.bool_], connectivity: int) -> Runs:
    """The runs of `objects` (2D or 3D, 0 is none) and what follows from them.

    Components are of equal objects that are equally mistaken, by a connectivity of `DIFFERING`.
    """
    most = DIFFERING[objects.ndim][connectivity]
    height, width = objects.shape[-2:]
    # not -1: of an array without voxels, the number of rows does not follow
    rows = math.prod(objects.shape[:-1])
    flat = np.ascontiguousarray(objects).reshape(rows, width)
    wrong = np.ascontiguousarray(mistaken).reshape(rows, width)
    first = np.zeros(len(flat) + 1, np.int64)
    # room for as many runs as voxels; what is not touched takes no memory
    columns = [np.empty(flat.size, dtype) for dtype in (np.int32, np.int32, np.bool_, flat.dtype)]
    _fill(flat, wrong, first, *columns)
    begins, ends, of_runs, ids = (column[: int(first[-1])].copy() for column in columns)
    roots = np.arange(len(ids), dtype=np.int32)
    before = np.array(
        [
            (dz, dy, int(abs(dz) + abs(dy) < most))
            for dz, dy in _ROWS_BEFORE
            if abs(dz) + abs(dy) <= most and (dz == 0 or objects.ndim == 3)
        ],
        np.int64,
    )
    contacts = _connect(first, begins, ends, of_runs, ids, before, height, roots)
    flatten(roots)
    return Runs(first, begins, ends, of_runs, roots, contacts)


def voxels_of_runs(
    runs: Runs, chosen: NDArray[np.bool_], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """The voxels of chosen runs, as a mask of the shape."""
    mask = np.zeros(shape, np.bool_)
    rows = mask.reshape(math.prod(shape[:-1]), shape[-1])
    _paint(runs.first, runs.begins, runs.ends, chosen, rows)
    return mask


@numba.njit(cache=True, nogil=True)
def _fill(objects, mistaken, first, begins, ends, of_runs, ids):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(objects.shape[0]):
        run = first[row] - 1
        for x in range(objects.shape[1]):
            name, wrong = objects[row, x], mistaken[row, x]
            if name == 0:
                continue
            if x == 0 or name != objects[row, x - 1] or wrong != mistaken[row, x - 1]:
                run += 1
                begins[run], of_runs[run], ids[run] = x, wrong, name
            ends[run] = x + 1
        first[row + 1] = run + 1


@numba.njit(cache=True, nogil=True)
def _connect(first, begins, ends, mistaken, ids, before, height, roots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Joins runs that are neighbours in `roots`, or gives their contacts.

    before: (rows, 3), steps along z and y to rows before, and by how many voxels runs may lie apart
            along x
    """
    contacts, made = np.empty((max(16, len(ids) // 4), 2), np.int32), 0
    for row in range(len(first) - 1):
        for run in range(first[row] + 1, first[row + 1]):
            if ends[run - 1] == begins[run] and ids[run - 1] == ids[run]:
                contacts, made = _noted(contacts, made, mistaken, run - 1, run)
        for dz, dy, apart in before:
            y = row % height + dy
            other = row + dz * height + dy
            if other < 0 or y < 0 or y >= height:
                continue
            lowest = first[other]
            for run in range(first[row], first[row + 1]):
                while lowest < first[other + 1] and ends[lowest] + apart <= begins[run]:
                    lowest += 1
                near = lowest
                while near < first[other + 1] and begins[near] < ends[run] + apart:
                    if ids[near] == ids[run]:
                        if mistaken[near] == mistaken[run]:
                            _join(roots, near, run)
                        else:
                            contacts, made = _noted(contacts, made, mistaken, near, run)
                    near += 1
    return contacts[:made]


@numba.njit(cache=True, nogil=True)
def _join(roots, first, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    u, v = find(roots, first), find(roots, second)
    if u < v:
        roots[v] = u
    elif v < u:
        roots[u] = v


@numba.njit(cache=True, nogil=True)
def _noted(contacts, made, mistaken, first, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The contacts with one more, the mistaken run before the other; in a larger array where this
    one is full."""
    if made == len(contacts):
        larger = np.empty((2 * made, 2), np.int32)
        larger[:made] = contacts
        contacts = larger
    wrong = mistaken[first]
    contacts[made, 0] = first if wrong else second
    contacts[made, 1] = second if wrong else first
    return contacts, made + 1


@numba.njit(cache=True, nogil=True)
def _paint(first, begins, ends, chosen, mask):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(first) - 1):
        for run in range(first[row], first[row + 1]):
            if chosen[run]:
                mask[row, begins[run] : ends[run]] = True
