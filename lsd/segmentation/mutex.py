"""Mutex watershed: the decoder that reads long-range affinities as what must stay apart (mwatershed underneath)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.segmentation.lookup import compact
from lsd.segmentation.nearest import unit


def mutex(
    affs: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    *,
    mask: NDArray[Any] | None = None,
    bias: tuple[float, float] = (-0.2, -0.2),
    stride: Sequence[int] = (1, 1, 1),
    min_size: int = 0,
) -> NDArray[np.uint64]:
    """Segmentation of `affs` (c, z, y, x), one channel for each offset: uint64 (z, y, x), ids 1..n; 2D drops z.

    affs:   floats in [0, 1] or uint8, changed into affinity - 0.5 + bias: the strongest decide first, positive ones
            join, negative ones keep apart.  Both kinds of offset may do either
    neighborhood: offsets in voxels, those of length 1 attract, others repel; of a 2D network: every section on its own
    mask:   (z, y, x), 0 where there is to be no segment
    bias:   of offsets that attract, and of those that repel
    stride: every n-th voxel an axis has the offsets that repel
    min_size: drop segments of fewer voxels; single voxels that nothing joins are 0 anyway

    Raises ImportError without the package mwatershed, ValueError for shapes that do not fit.
    Source: Wolf et al. 2018 (mutex watershed).
    """
    dims = len(neighborhood[0])
    if len(affs) != len(neighborhood) or affs.ndim - 1 not in (dims, 3):
        raise ValueError(f"affs of shape {affs.shape} do not fit the {len(neighborhood)} offsets {tuple(neighborhood)}")
    if mask is not None and mask.shape != affs.shape[1:]:
        raise ValueError(f"mask has shape {mask.shape}, the affinities {affs.shape[1:]}; they must agree")
    near = np.array([sum(abs(step) for step in offset) == 1 for offset in neighborhood])
    weights = unit(affs) - np.float64(0.5) + np.where(near, *bias).reshape(-1, *[1] * (affs.ndim - 1))
    if mask is not None:
        weights[:, mask == 0] = -1.0
    strides = [[1] * dims if is_near else list(stride)[-dims:] for is_near in near]
    labels = _decode(weights, [list(offset) for offset in neighborhood], strides)
    return compact(labels if mask is None else labels * (mask != 0), min_size=min_size)


def _decode(weights: NDArray[np.float64], offsets: list[list[int]], strides: list[list[int]]) -> NDArray[np.uint64]:
    try:
        import mwatershed
    except ImportError as error:
        raise ImportError("the mutex decoder needs the package mwatershed; pip install 'lsd-framework[mutex]'") from error
    sections = [weights] if weights.ndim - 1 == len(offsets[0]) else list(weights.swapaxes(0, 1))
    labels, last = [], 0
    for section in sections:
        found = mwatershed.agglom(np.ascontiguousarray(section), offsets, strides=strides)
        labels.append(np.where(found > 0, found + np.uint64(last), 0).astype(np.uint64))
        last = max(last, int(labels[-1].max(initial=0)))
    return labels[0] if len(sections) == 1 and sections[0] is weights else np.stack(labels)
