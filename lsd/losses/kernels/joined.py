"""What edges join: connected components of voxels."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.union_find import find, flatten


def joined_components(joining: NDArray[np.bool_], steps: NDArray[np.int64]) -> NDArray[np.int32]:
    """The first voxel of the component of each voxel, (voxels,).

    joining: (channels, voxels), which edges join their ends; steps: `edges.Edges.steps`
    """
    roots = np.arange(joining.shape[1], dtype=np.int32)
    _join(joining, steps, roots)
    flatten(roots)
    return roots


@numba.njit(cache=True, nogil=True)
def _join(joining, steps, roots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    # voxel by voxel: roots are gone through once, and not once a channel
    for voxel in range(len(roots)):
        for channel in range(len(steps)):
            if joining[channel, voxel]:
                first, second = find(roots, voxel), find(roots, voxel + steps[channel])
                if first < second:
                    roots[second] = first
                elif second < first:
                    roots[first] = second
