"""Where the truth of a volume may be, block by block in bounded memory; what was never written is
not read.

Blocks are whole chunks where chunks are small, so each is unpacked once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.volumes.array import Array
from lsd.volumes.stored_chunks import stored
from lsd.volumes.volume import OpenVolume

Mask = NDArray[np.bool_]
Counts = Callable[[NDArray[np.uint64], Mask], Mask]

# voxels of a block, and how many are read in search of truth: about a minute
SMALL, LARGE = 1 << 21, 1 << 24
LIMIT = 1 << 33


@dataclass(frozen=True)
class Blocks:
    """Blocks of a region that may hold truth, each inside the region.  whole: all of it lies in
    them."""

    rois: tuple[Roi, ...]
    whole: bool


def truth_blocks(
    volume: OpenVolume, roi: Roi, *, masked: bool = True, limit: int = LIMIT
) -> Blocks:
    """The blocks of `roi`, which lies in the volume's, that may hold a label above 0 or, where
    masks hide, known voxels.

    masked: what labels_mask or the unknown label hides is no truth.  limit: voxels; of more, blocks
            are drawn at random, the
    same ones each time.
    """
    assert volume.labels is not None, volume.name
    shape = _block_shape(volume.labels)
    origin = np.asarray(volume.labels.layout.offset)
    first = (np.asarray(roi.begin) - origin) // shape
    grid = -(-(np.asarray(roi.end) - origin) // shape) - first
    on_disk = [chunks for chunks in map(stored, _telling(volume, masked=masked)) if chunks]
    touched = None
    if on_disk:
        begins, extent = min(on_disk, key=lambda chunks: len(chunks[0]) * math.prod(chunks[1]))
        touched = _touched(begins - origin, np.asarray(extent), shape) - first
        touched = touched[((touched >= 0) & (touched < grid)).all(axis=1)]
    count = math.prod(grid.tolist()) if touched is None else len(touched)
    chosen = _some(count, most=max(1, limit // int(shape.prod())))
    table = (
        np.stack(np.unravel_index(chosen, tuple(grid)), axis=-1)
        if touched is None
        else touched[chosen]
    )
    rois = (
        Roi(
            Coordinate((origin + (first + index) * shape).tolist()), Coordinate(shape.tolist())
        ).intersect(roi)
        for index in table
    )
    return Blocks(tuple(rois), whole=len(chosen) == count)


def boxes(volume: OpenVolume, blocks: Blocks, counts: Counts) -> Iterator[tuple[Roi, int]]:
    """The smallest box that holds what `counts` (labels, known) says counts of each block, and how
    much that is."""
    for block in blocks.rois:
        counted = counts(*volume.read_truth(block))
        number = int(np.count_nonzero(counted))
        if number:
            yield bounding_box(counted) + block.begin, number


def bounding_box(mask: Mask) -> Roi:
    """The smallest ROI that holds all of `mask`, some of which is set."""
    axes = range(mask.ndim)
    lines = [
        np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis)))
        for axis in axes
    ]
    return Roi([int(line[0]) for line in lines], [int(line[-1] - line[0] + 1) for line in lines])


def known_everywhere(volume: OpenVolume) -> bool:
    """Whether all of the volume's region is known, by its spec and the sizes of its images."""
    sizes = volume.image_sizes
    differ = sizes is not None and bool((sizes < sizes.max(axis=0)).any())
    return not differ and not hides_truth(volume)


def hides_truth(volume: OpenVolume) -> bool:
    """Whether a mask, a label or values of raw say of what there is that it is not known."""
    hidden = volume.spec.invalid == "mask" and volume.raw.dtype.kind == "f"
    return volume.labels_mask is not None or volume.spec.unknown is not None or hidden


def _telling(volume: OpenVolume, *, masked: bool) -> list[Array]:
    """Arrays that are 0 where there is no truth."""
    assert volume.labels is not None
    if not masked or known_everywhere(volume):
        return [volume.labels]
    nothing = volume.spec.unknown == 0
    return [array for array in (volume.labels_mask, volume.labels if nothing else None) if array]


def _block_shape(array: Array) -> NDArray[np.int64]:
    """A chunk, doubled or halved along its shortest or longest axis until it is of a good size."""
    axes = [array.layout.disk.index(axis) for axis in array.axes[-array.roi.dims :]]
    shape = np.array(array.source.chunks, np.int64)[axes]
    extent = np.array(array.layout.roi.shape)
    while shape.prod() * 2 <= SMALL and (shape < extent).any():
        shape[np.argmin(np.where(shape < extent, shape, np.iinfo(np.int64).max))] *= 2
    while shape.prod() > LARGE:
        shape[shape.argmax()] = -(-shape.max() // 2)
    return shape


def _touched(
    begins: NDArray[np.int64], extent: NDArray[np.int64], shape: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Indices of the blocks that boxes of one extent touch, each once."""
    first, last = begins // shape, (begins + extent - 1) // shape
    reach = (last - first).max(axis=0, initial=0) + 1
    steps = np.stack(np.meshgrid(*map(np.arange, reach), indexing="ij"), axis=-1).reshape(
        -1, len(shape)
    )
    indices = first[:, None] + steps
    return np.unique(indices[(indices <= last[:, None]).all(axis=-1)], axis=0)


def _some(count: int, *, most: int) -> NDArray[np.int64]:
    """0 .. count - 1, ascending; of more than `most` some of them."""
    return (
        np.arange(count)
        if count <= most
        else np.unique(np.random.default_rng(0).integers(count, size=most))
    )
