"""The target of a region of a volume, as the network sees it: whole, or section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from funlib.geometry import Coordinate

from lsd import spec
from lsd.targets.target import Array, Known, Values, compute, target_kind


def compute_for(
    target: spec.Target,
    labels: Array,
    *,
    dims: int,
    known: Array | None,
    arrays: Mapping[str, Array],
    voxel_size: Sequence[float],
) -> tuple[Values, Known]:
    """As `lsd.targets.target.compute`, of labels (z, y, x): (c, z, y, x), for a network of `dims`
    axes.  One of 2 axes sees each section by itself."""
    if dims == labels.ndim:
        return compute(target, labels, known=known, arrays=arrays, voxel_size=voxel_size)
    sections = [
        compute(
            target,
            labels[z],
            known=None if known is None else known[z],
            arrays={name: array[z] for name, array in arrays.items()},
            voxel_size=voxel_size[1:],
        )
        for z in range(len(labels))
    ]
    values, masks = ([section[i] for section in sections] for i in (0, 1))
    return np.stack(values, axis=1), np.stack(masks, axis=1)


def context_for(target: spec.Target, voxel_size: Sequence[float], *, dims: int) -> Coordinate:
    """Voxels of labels around a region of a volume, on each side, that its target depends on, for a
    network of `dims` axes; voxel_size: nm, one an axis of the volume."""
    context = target_kind(target).context(voxel_size[-dims:])
    return Coordinate((0,) * (len(voxel_size) - len(context)) + tuple(context))
