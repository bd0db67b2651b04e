"""The blocks that cover a region: where each reads, computes and writes.

    read     |<--------------------------------->|   compute, grown by the context
    compute       |<----------------------->|        what the function gives; begins on the step
                  grid
    write           |<---------------->|             what is kept: each voxel of the region in
                    exactly one block

Along an axis, write ROIs follow one another from the begin of the region and the last one is
cropped, so arrays that begin with the region may have any chunk that divides `write_shape`.
Compute ROIs begin at multiples of `step` in world voxels, whatever the region: a network that is
equivariant to shifts by `step` only gives a voxel the same value in every block and for every
region.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from funlib.geometry import Coordinate, Roi


@dataclass(frozen=True)
class Block:
    """One block; ROIs in world voxels.  index: its place in the grid, row by row (C order)."""

    index: int
    read: Roi
    compute: Roi
    write: Roi

    @property
    def kept(self) -> tuple[slice, ...]:
        """Where `write` lies in an array of the shape of `compute`."""
        begin = self.write.begin - self.compute.begin
        return tuple(slice(b, b + n) for b, n in zip(begin, self.write.shape, strict=True))


@dataclass(frozen=True)
class Grid:
    """The blocks of `roi`, computed when asked for; see `tile`.

    lead: voxels from the begin of a block's compute ROI to the begin of its write ROI
    """

    roi: Roi
    write_shape: Coordinate
    compute_shape: Coordinate
    context: tuple[Coordinate, Coordinate]
    lead: Coordinate

    @property
    def shape(self) -> Coordinate:
        """Blocks along each axis."""
        return Coordinate(-(-n // w) for n, w in zip(self.roi.shape, self.write_shape, strict=True))

    def __len__(self) -> int:
        return int(np.prod(self.shape, dtype=object))

    def __iter__(self) -> Iterator[Block]:
        return (self.block(index) for index in range(len(self)))

    def block(self, index: int) -> Block:
        """Block number `index`, 0 .. len - 1; IndexError beyond."""
        if not 0 <= index < len(self):
            raise IndexError(
                f"block {index} of a grid of {len(self)}; indices run from 0 to {len(self) - 1}"
            )
        begin = self.roi.begin + self._position(index) * self.write_shape
        compute = Roi(begin - self.lead, self.compute_shape)
        return Block(
            index,
            compute.grow(*self.context),
            compute,
            Roi(begin, self.write_shape).intersect(self.roi),
        )

    def _position(self, index: int) -> Coordinate:
        position = []
        for count in reversed(self.shape):
            index, place = divmod(index, count)
            position.append(place)
        return Coordinate(reversed(position))


def tile(
    roi: Roi,
    compute_shape: Sequence[int],
    *,
    step: Sequence[int],
    context: tuple[Sequence[int], Sequence[int]],
) -> Grid:
    """The grid of blocks that covers `roi` (world voxels).

    compute_shape: what the function gives for one block
    step:          compute ROIs begin at multiples of it
    context:       (below, above): voxels read around what is computed

    Write blocks are multiples of step, or the whole extent of an axis where one block covers it.
    Raises ValueError for an empty roi, and where blocks are too small to hold a multiple of step.
    """
    if not roi.size:
        raise ValueError(f"region {roi} holds no voxel; name one that does")
    lead = roi.begin % Coordinate(step)
    room = Coordinate(compute_shape) - lead
    write = Coordinate(
        n if n <= r else r // s * s for n, r, s in zip(roi.shape, room, step, strict=True)
    )
    if min(write) <= 0:
        raise ValueError(
            f"blocks of {tuple(compute_shape)} hold no multiple of {tuple(step)} after the "
            f"{tuple(lead)} voxels that "
            f"align them with {roi}; take larger blocks"
        )
    return Grid(
        roi,
        write,
        Coordinate(compute_shape),
        (Coordinate(context[0]), Coordinate(context[1])),
        lead,
    )


def chunk_shape(write_shape: Sequence[int], *, target: int = 64) -> Coordinate:
    """Chunks that no two blocks share: along each axis the divisor of `write_shape` next to
    `target` (by ratio)."""
    return Coordinate(_divisor(size, target) for size in write_shape)


def _divisor(size: int, target: int) -> int:
    divisors = (d for d in range(1, min(size, 4 * target) + 1) if size % d == 0)
    best = min(divisors, key=lambda d: max(d / target, target / d))
    # a prime size would make slivers of chunks: rather one large chunk
    return size if best * 4 < target else best
