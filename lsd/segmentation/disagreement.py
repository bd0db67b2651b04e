"""How far what a network predicted is from what a segmentation would have it be, voxel by voxel.

Descriptors say where a neuron goes and how thick it is around a voxel.  A network that learned them
says so of raw alone; those of a segmentation follow from its segments.  Where both differ, a
segment is not what the network saw: part of a neuron, or of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.arrays.arguments import explaining_calls, per_axis
from lsd.arrays.ids import ids
from lsd.targets.sections import compute_for
from lsd.targets.target import check_of_labels, target_kind

# steps that a disagreement of 1 has on disk
STEPS = 255


@explaining_calls
def disagreement(
    predicted: NDArray[Any],
    segmentation: NDArray[Any],
    target: spec.Target,
    *,
    voxel_size: float | Sequence[float],
    dims: int | None = None,
    inside: tuple[slice, ...] | None = None,
) -> NDArray[np.float32]:
    """Mean over the channels of |predicted - target of the segmentation|, as a fraction of the
    range of the target: float32 (z, y, x) in 0..1, or (y, x); 0 where the target is not known, as
    that of descriptors is on label 0.

    predicted:    what a head gave, in the range of its target, (c, z, y, x), or (c, y, x)
    segmentation: segments, (z, y, x) or (y, x)
    target:       what the head learned, such as `lsd.spec.Descriptors(sigma=80)`
    voxel_size:   nm, one value or one an axis
    dims:         axes of the network, which saw section by section where they are fewer; None: all
    inside:       what of the segmentation was predicted; the rest is context.  None: all

    Near the border of the arrays the target may lack context (`TargetKind.context`), as it did in
    training.  Raises ValueError for shapes that do not fit, and for a target that needs more than
    labels.
    """
    segments = ids(segmentation, "segmentation", dims=(2, 3)).astype(np.uint64, copy=False)
    sizes = per_axis(voxel_size, "voxel_size", dims=segments.ndim, of="this segmentation")
    check_of_labels(target)
    kind = target_kind(target)
    axes = segments.ndim if dims is None else dims
    own = inside or (slice(None),) * segments.ndim
    wanted = (kind.channels(axes), *segments[own].shape)
    if np.shape(predicted) != wanted:
        raise ValueError(
            f"predicted has shape {np.shape(predicted)}; wanted: {wanted}, the channels of the "
            f"target and the shape of the segmentation, or of what is inside"
        )
    values, known = compute_for(
        target, segments, dims=axes, known=None, arrays={}, voxel_size=sizes
    )
    apart = np.zeros(wanted[1:], np.float32)
    for channel, value in zip(predicted, values, strict=True):
        apart += np.abs(channel - value[own])
    apart /= np.float32(len(values) * (kind.activation.high - kind.activation.low))
    is_known = np.all(known[(slice(None), *own)], axis=0)
    return np.where(is_known, np.minimum(apart, 1), np.float32(0))


def as_steps(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Disagreement as it lies on disk: 0..255 for 0..1."""
    return np.asarray(np.rint(values * np.float32(STEPS)), np.uint8)
