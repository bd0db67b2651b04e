"""Targets of volumes for whose channels there is no memory: block by block, equal to the whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lsd import spec
from lsd.arrays.arguments import explaining_calls, whole_number
from lsd.targets.sections import reach_for
from lsd.targets.target import Known, Values, compute, target_kind

Slices = tuple[slice, ...]


class TargetBlock(NamedTuple):
    """The target of a part of a volume.

    region: the part, a slice of each axis of the labels
    values: float32 (c, *shape of the part)
    known:  bool, of that shape
    """

    region: Slices
    values: Values
    known: Known


@explaining_calls
def target_blocks(
    target: spec.Target,
    labels: Any,
    *,
    block: Sequence[int],
    voxel_size: Sequence[float],
    known: Any = None,
    arrays: Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> Iterator[TargetBlock]:
    """The target of `labels` (z, y, x), or (y, x), block after block, row by row.

    labels, known, arrays: as of `lsd.targets.target.compute`; numpy arrays, or what has a shape and
                           gives one where it is sliced, as arrays on disk do
    block:      voxels of a block, one number an axis; those at the end are smaller
    voxel_size: nm, one an axis
    threads:    None: as many as this process has cores

    Each is computed with what lies around it as far as its kind looks, so blocks are parts of the
    whole; memory is that of a block.  Raises ValueError for a block of another number of axes, and
    for a target that follows from more than what lies around, as pieces that hang together do.
    """
    shape = tuple(labels.shape)
    sides = tuple(whole_number(side, "a side of a block", low=1) for side in block)
    if len(sides) != len(shape):
        raise ValueError(f"block {sides} is of {len(sides)} axes, labels of {len(shape)}")
    kind = target_kind(target)
    if not kind.is_local:
        raise ValueError(
            f"target {target.kind!r} follows from whole objects, wherever they go on, so blocks "
            f"are no parts of the whole; compute it at once (descriptors of pieces that are apart "
            f"are those of lsd.arrays.components.connected_components(labels)[0] with "
            f"connected=False)"
        )
    around = reach_for(target, voxel_size, dims=len(shape))
    for region in _regions(shape, sides):
        read, inside = _with_context(region, around, shape, stride=kind.stride)
        values, valid = compute(
            target,
            np.asarray(labels[read]),
            known=None if known is None else np.asarray(known[read]),
            arrays={name: np.asarray(array[read]) for name, array in (arrays or {}).items()},
            voxel_size=voxel_size,
            threads=threads,
        )
        kept = (slice(None), *inside)
        yield TargetBlock(region, values[kept], valid[kept])
        # let go before the next one is made
        del values, valid


def _regions(shape: Sequence[int], sides: Sequence[int]) -> Iterator[Slices]:
    begins = (range(0, n, side) for n, side in zip(shape, sides, strict=True))
    for begin in itertools.product(*begins):
        yield tuple(
            slice(first, min(first + side, n))
            for first, side, n in zip(begin, sides, shape, strict=True)
        )


def _with_context(
    region: Slices, around: Sequence[int], shape: Sequence[int], *, stride: int
) -> tuple[Slices, Slices]:
    """The region with what lies around, as far as there is some, and where it lies in that; begins
    where the whole is sampled."""
    read = tuple(
        slice(max(part.start - far, 0) // stride * stride, min(part.stop + far, n))
        for part, far, n in zip(region, around, shape, strict=True)
    )
    inside = tuple(
        slice(part.start - wide.start, part.stop - wide.start)
        for part, wide in zip(region, read, strict=True)
    )
    return read, inside
