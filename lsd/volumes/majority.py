"""The id that most voxels of a window have; of several the smallest."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


def majority(labels: NDArray[Any], factor: tuple[int, ...]) -> NDArray[Any]:
    """Labels (.., z, y, x) with `factor` voxels of each of their last axes in one; of more than
    three axes, some have the factor 1."""
    factor = (1,) * (labels.ndim - len(factor)) + tuple(factor)
    if labels.ndim > 3:
        axis = factor.index(1)
        others = factor[:axis] + factor[axis + 1 :]
        parts = [majority(part, others) for part in np.moveaxis(labels, axis, 0)]
        return np.stack(parts, axis=axis)
    flat = (1,) * (3 - labels.ndim)
    labels = np.ascontiguousarray(labels)
    shape = [-(-n // f) for n, f in zip(labels.shape, factor, strict=True)]
    coarse = np.empty(shape, labels.dtype)
    _majorities(
        labels.reshape(*flat, *labels.shape),
        np.array((*flat, *factor)),
        coarse.reshape(*flat, *shape),
    )
    return coarse


@numba.njit(cache=True, nogil=True)
def _majorities(labels, factor, majorities):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    window = np.empty(factor[0] * factor[1] * factor[2], labels.dtype)
    for z in range(majorities.shape[0]):
        for y in range(majorities.shape[1]):
            for x in range(majorities.shape[2]):
                count, same = 0, True
                for i in range(z * factor[0], min((z + 1) * factor[0], labels.shape[0])):
                    for j in range(y * factor[1], min((y + 1) * factor[1], labels.shape[1])):
                        for k in range(x * factor[2], min((x + 1) * factor[2], labels.shape[2])):
                            window[count] = labels[i, j, k]
                            same = same and window[count] == window[0]
                            count += 1
                majorities[z, y, x] = window[0] if same else _most(window[:count])


@numba.njit(cache=True, nogil=True)
def _most(ids):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The most frequent of `ids`, which are sorted by this; the first of several, which is the
    smallest."""
    ids.sort()
    best, most, begin = ids[0], 0, 0
    for at in range(1, len(ids) + 1):
        if at == len(ids) or ids[at] != ids[begin]:
            if at - begin > most:
                best, most = ids[begin], at - begin
            begin = at
    return best
