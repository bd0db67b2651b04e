"""How far what a network predicted is from what a segmentation would have it be, voxel by voxel.

Descriptors say where a neuron goes and how thick it is around a voxel.  A network that learned them
says so of raw alone; those of a segmentation follow from its segments.  Where both differ, a
segment is not what the network saw: part of a neuron, or of two.

A network sees neurons go on where a volume ends, so segments have to as well: beyond the border
they are as in a mirror.  Cut off there instead, they would disagree most along the border, whatever
is wrong elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.arrays.arguments import explaining_calls, per_axis
from lsd.arrays.ids import ids
from lsd.targets.sections import compute_for, reach_for
from lsd.targets.target import check_of_labels, target_kind

# steps that a disagreement of 1 has on disk
STEPS = 255
# where a part of an array begins and ends along each axis
Ends = Sequence[tuple[int, int]]


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

    Where the segmentation lacks context that the target needs (`TargetKind.context`), it is
    mirrored at its border; what the target says of two voxels stays unknown where one lies there.
    Raises ValueError for shapes that do not fit, and for a target that needs more than labels.
    """
    segments = ids(segmentation, "segmentation", dims=(2, 3)).astype(np.uint64, copy=False)
    sizes = per_axis(voxel_size, "voxel_size", dims=segments.ndim, of="this segmentation")
    check_of_labels(target)
    kind = target_kind(target)
    axes = segments.ndim if dims is None else dims
    parts = inside or (slice(None),) * segments.ndim
    own: Ends = [part.indices(n)[:2] for part, n in zip(parts, segments.shape, strict=True)]
    wanted = (kind.channels(axes), *(end - begin for begin, end in own))
    if np.shape(predicted) != wanted:
        raise ValueError(
            f"predicted has shape {np.shape(predicted)}; wanted: {wanted}, the channels of the "
            f"target and the shape of the segmentation, or of what is inside"
        )
    segments, own, there = _with_context(segments, own, target, voxel_size=sizes, dims=axes)
    values, known = compute_for(
        target, segments, dims=axes, known=there, arrays={}, voxel_size=sizes
    )
    looked_at = tuple(slice(begin, end) for begin, end in own)
    apart = np.zeros(wanted[1:], np.float32)
    for channel, value in zip(predicted, values, strict=True):
        apart += np.abs(channel - value[looked_at])
    apart /= np.float32(len(values) * (kind.activation.high - kind.activation.low))
    is_known = np.all(known[(slice(None), *looked_at)], axis=0)
    return np.where(is_known, np.minimum(apart, 1), np.float32(0))


def _with_context(
    segments: NDArray[np.uint64],
    own: Ends,
    target: spec.Target,
    *,
    voxel_size: Sequence[float],
    dims: int,
) -> tuple[NDArray[np.uint64], Ends, NDArray[np.bool_] | None]:
    """Segments with all context of `own` that the target needs, where `own` lies in them, and which
    voxels were there before; None: all."""
    stride, context = target_kind(target).stride, reach_for(target, voxel_size, dims=dims)
    lacking = [
        (max(0, far - begin), max(0, far - (extent - end)))
        for (begin, end), extent, far in zip(own, segments.shape, context, strict=True)
    ]
    if not np.any(lacking):
        return segments, own, None
    # so far that samples stay where they were
    lacking = [(-(-before // stride) * stride, after) for before, after in lacking]
    moved = [
        (begin + before, end + before)
        for (begin, end), (before, _) in zip(own, lacking, strict=True)
    ]
    there = np.pad(np.ones(segments.shape, np.bool_), lacking)
    return np.pad(segments, lacking, mode="reflect"), moved, there


def as_steps(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Disagreement as it lies on disk: 0..255 for 0..1."""
    return np.asarray(np.rint(values * np.float32(STEPS)), np.uint8)
