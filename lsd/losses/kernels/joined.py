"""What edges join: connected components of voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.union_find import flatten, union


def components(joining: NDArray[np.bool_], steps: NDArray[np.int64]) -> NDArray[np.int32]:
    """The first voxel of the component of each voxel, (voxels,).

    joining: (channels, voxels), which edges join their ends; steps: `edges.Edges.steps`
    """
    roots = np.arange(joining.shape[1], dtype=np.int32)
    for channel, step in zip(joining, steps, strict=True):
        voxels = np.flatnonzero(channel)
        union(roots, voxels, voxels + step)
    flatten(roots)
    return roots
