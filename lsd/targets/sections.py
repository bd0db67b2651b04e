"""The target of a region of a volume, as the network sees it: whole, or section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from funlib.geometry import Coordinate

from lsd import spec
from lsd.arrays.offsets import reach
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


def reach_for(target: spec.Target, voxel_size: Sequence[float], *, dims: int) -> Coordinate:
    """Voxels around a part of a volume, on each side, with which its target is that of the whole,
    and known where that is: the context, and as far as the partners of a voxel are.

    A multiple of the kind's stride, so that the labels which are sampled are those of the whole
    where parts begin at such multiples; other arguments as of `context_for`.
    """
    kind = target_kind(target)
    context = context_for(target, voxel_size, dims=dims)
    flat = context.dims - dims
    partners = (0,) * flat + reach([(0,) * dims, *kind.partners(dims)])
    strides = (1,) * flat + (kind.stride,) * dims
    return Coordinate(
        -(-max(far) // stride) * stride
        for *far, stride in zip(context, partners, strides, strict=True)
    )


def whole_strides(shape: Sequence[int], target: spec.Target, *, dims: int) -> tuple[int, ...]:
    """`shape` of blocks of a volume, made so much smaller that each begins at a multiple of the
    stride of a target, for a network of `dims` axes."""
    strides = (1,) * (len(shape) - dims) + (target_kind(target).stride,) * dims
    return tuple(max(n // stride, 1) * stride for n, stride in zip(shape, strides, strict=True))
