"""Mutex watershed: the decoder that reads long-range affinities as what must stay apart (mwatershed
underneath)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.arrays.ids import set_voxels
from lsd.arrays.lookup import compact
from lsd.arrays.offsets import Offset, views, warn_beyond
from lsd.segmentation.kernels.nearest import as_probabilities, checked, warn_of_a_mask

_DEFAULT = spec.Mutex()


def mutex(
    affs: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    *,
    mask: NDArray[Any] | None = None,
    bias: tuple[float, float] = _DEFAULT.bias,
    stride: Sequence[int] = _DEFAULT.stride,
    min_size: int = _DEFAULT.min_size,
) -> NDArray[np.uint64]:
    """Segmentation of `affs` (c, z, y, x), one channel for each offset: uint64 (z, y, x), ids 1..n;
    2D drops z.

    affs:   floats in [0, 1] or uint8, changed into affinity - 0.5 + bias: the strongest decide
            first, positive ones join, negative ones keep apart.  Both kinds of offset may do either
    neighborhood: offsets in voxels, those of length 1 attract, others repel; of a 2D network: every
                  section on its own
    mask:   (z, y, x), 0 where there is to be no segment.  Affinities with an end there say nothing,
            whatever they are
    bias:   of offsets that attract, and of those that repel
    stride: every n-th voxel an axis has the offsets that repel
    min_size: drop segments of fewer voxels; voxels that no affinity would join to another are 0
              anyway

    None of the arrays is changed.  Raises ImportError without the package mwatershed, ValueError
    for shapes that do not fit and affinities that are none; warns of offsets that are longer than
    the volume.
    Source: Wolf et al. 2018 (mutex watershed).
    """
    affs = checked(affs, neighborhood)
    warn_of_a_mask(affs)
    offsets = [(0,) * (affs.ndim - 1 - len(offset)) + tuple(offset) for offset in neighborhood]
    flat = len(neighborhood[0]) < affs.ndim - 1
    warn_beyond(affs.shape[1:], neighborhood)
    inside = set_voxels(mask, affs.shape[1:], of="the affinities")
    steps = _stride(stride, affs.ndim - 1)
    if len(bias) != 2 or not np.isfinite(bias).all():
        raise ValueError(
            f"bias is two finite numbers, of offsets that attract and of those that repel, got "
            f"{tuple(bias)}"
        )
    near = np.array([sum(map(abs, offset)) == 1 for offset in offsets])
    weights = (
        as_probabilities(affs)
        - np.float64(0.5)
        + np.where(near, *bias).reshape(-1, *[1] * (affs.ndim - 1))
    )
    if inside is not None:
        _cut(weights, offsets, inside)
    strides = [(1,) * len(steps) if is_near else steps for is_near in near]
    labels = _sections(weights, offsets, strides) if flat else _decode(weights, offsets, strides)
    return compact(labels, min_size=min_size)


def _stride(stride: Sequence[int], dims: int) -> tuple[int, ...]:
    """Of the last `dims` axes."""
    if len(stride) < dims or any(step < 1 or step != int(step) for step in stride):
        raise ValueError(
            f"stride is every n-th voxel along each of {dims} axes, n = 1, 2, ..., got "
            f"{tuple(stride)}"
        )
    return tuple(int(step) for step in stride[len(stride) - dims :])


def _cut(
    weights: NDArray[np.float64], offsets: Sequence[Offset], inside: NDArray[np.bool_]
) -> None:
    """Takes the edges with an end outside the mask away.

    mwatershed knows no missing edge, but one of weight 0 comes last and joins nothing; and it is no
    reason to keep a voxel.
    """
    for edges, offset in zip(weights, offsets, strict=True):
        first, second = views(edges.shape, offset)
        kept = np.zeros(edges.shape, np.bool_)
        kept[first] = inside[first] & inside[second]
        edges[~kept] = 0


def _sections(
    weights: NDArray[np.float64], offsets: Sequence[Offset], strides: Sequence[tuple[int, ...]]
) -> NDArray[np.uint64]:
    """Every section on its own, with ids of its own."""
    labels, last = np.zeros(weights.shape[1:], np.uint64), 0
    for z in range(weights.shape[1]):
        segments = _decode(
            weights[:, z], [offset[1:] for offset in offsets], [stride[1:] for stride in strides]
        )
        labels[z] = np.where(segments > 0, segments + np.uint64(last), 0)
        last = max(last, int(labels[z].max(initial=0)))
    return labels


def _decode(
    weights: NDArray[np.float64], offsets: Sequence[Offset], strides: Sequence[tuple[int, ...]]
) -> NDArray[np.uint64]:
    """Segments, named by one of their voxels, counted from 1; 0 where nothing would join a voxel to
    another."""
    try:
        import mwatershed
    except ImportError as error:
        raise ImportError(
            "the mutex decoder needs the package mwatershed; pip install 'lsd-framework[mutex]'"
        ) from error
    shape = weights.shape[1:]
    # it takes the end of a slice that is below 0 from behind
    fitting = [
        c
        for c, offset in enumerate(offsets)
        if all(abs(k) < n for k, n in zip(offset, shape, strict=True))
    ]
    if not fitting:
        return np.zeros(shape, np.uint64)
    kept, ways = np.ascontiguousarray(weights[fitting]), [list(offsets[c]) for c in fitting]
    segments: NDArray[np.uint64] = mwatershed.agglom(
        kept, ways, strides=[list(strides[c]) for c in fitting]
    ).astype(np.uint64)
    # a segment is named by one of its voxels, and the first one is number 0, which is also what
    # none is called
    if segments.flat[0] == 0 and _is_joined(kept, ways):
        segments.flat[0] = segments.size
    return segments


def _is_joined(weights: NDArray[np.float64], offsets: Sequence[Sequence[int]]) -> bool:
    """Whether an edge of the first voxel would join it to another."""
    first = (0,) * (weights.ndim - 1)
    ends = {c: tuple(max(0, -k) for k in offset) for c, offset in enumerate(offsets)}
    return any(
        weights[(c, *end)] > 0
        for c, end in ends.items()
        if end == first or tuple(e + k for e, k in zip(end, offsets[c], strict=True)) == first
    )
