"""Voxels of some parts of a segmentation, and their faces on others of the same whole; arrays are
(z, y, x)."""

from __future__ import annotations

import numba
import numpy as np

from lsd.arrays.pairs import slot


@numba.njit(cache=True, nogil=True)
def fill(targets, first, second, held):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """A hash table of the targets (n, 2); held: 1 + the number of each."""
    for i in range(targets.shape[0]):
        place = slot(first, second, held, targets[i, 0], targets[i, 1])
        first[place], second[place], held[place] = targets[i, 0], targets[i, 1], i + 1


@numba.njit(cache=True, nogil=True)
def number(parts, wholes, own, first, second, held, numbers):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """numbers: of the target of each voxel that is `own`.  Neighbours mostly agree, so the last
    answer is tried first."""
    part, whole, answer = np.uint64(0), np.uint64(0), -1
    known = False
    for z in range(parts.shape[0]):
        for y in range(parts.shape[1]):
            for x in range(parts.shape[2]):
                if not own[z, y, x]:
                    continue
                if not known or parts[z, y, x] != part or wholes[z, y, x] != whole:
                    known, part, whole = True, parts[z, y, x], wholes[z, y, x]
                    answer = held[slot(first, second, held, part, whole)] - 1
                numbers[z, y, x] = answer


@numba.njit(cache=True, nogil=True)
def find(parts, wholes, counted, numbers, from_axis, at, target, other):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Writes each face where there is room; returns how many there are."""
    shape = parts.shape
    found = 0
    for z in range(shape[0]):
        for y in range(shape[1]):
            for x in range(shape[2]):
                target_number = numbers[z, y, x]
                if target_number < 0:
                    continue
                for axis in range(from_axis, 3):
                    for step in (-1, 1):
                        c = z + step if axis == 0 else z
                        b = y + step if axis == 1 else y
                        a = x + step if axis == 2 else x
                        if not (0 <= c < shape[0] and 0 <= b < shape[1] and 0 <= a < shape[2]):
                            continue
                        if (
                            not counted[c, b, a]
                            or wholes[c, b, a] != wholes[z, y, x]
                            or parts[c, b, a] == parts[z, y, x]
                        ):
                            continue
                        if found < at.size:
                            at[found] = (z * shape[1] + y) * shape[2] + x
                            target[found], other[found] = target_number, parts[c, b, a]
                        found += 1
    return found


@numba.njit(cache=True, nogil=True)
def measure(numbers, begin, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Adds each voxel to the row of its target: count, sums, first and last places."""
    for z in range(numbers.shape[0]):
        for y in range(numbers.shape[1]):
            for x in range(numbers.shape[2]):
                target_number = numbers[z, y, x]
                if target_number < 0:
                    continue
                row = table[target_number]
                row[0] += 1
                place = (begin[0] + z, begin[1] + y, begin[2] + x)
                for axis in range(3):
                    row[1 + axis] += place[axis]
                    row[4 + axis] = min(row[4 + axis], place[axis])
                    row[7 + axis] = max(row[7 + axis], place[axis])


@numba.njit(cache=True, nogil=True)
def choose(numbers, begin, is_free, counts, totals, size, chosen, apart):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The voxel of each free target that is nearest to its middle, totals / counts; voxels come in
    raster order, so the first of equal ones is kept."""
    for z in range(numbers.shape[0]):
        for y in range(numbers.shape[1]):
            for x in range(numbers.shape[2]):
                target_number = numbers[z, y, x]
                if target_number < 0 or not is_free[target_number]:
                    continue
                place = (begin[0] + z, begin[1] + y, begin[2] + x)
                squared = 0.0
                for axis in range(3):
                    steps = counts[target_number] * place[axis] - totals[target_number, axis]
                    step = steps * size[axis]
                    squared += step * step
                if squared < apart[target_number]:
                    apart[target_number] = squared
                    for axis in range(3):
                        chosen[target_number, axis] = place[axis]
