"""How the extent of an array changes on its way through a trunk: one set of numbers an axis, no
torch.

A trunk with factors f_0, f_1, ... between its levels loses s_l voxels to the valid convolutions of
one side of level l.  With

    step    = f_0 f_1 ...                                the product of the factors
    descent = s_0 + f_0 s_1 + f_0 f_1 s_2 + ...          lost on the way down, all levels but the
    lowest
    shrink  = 2 descent + step s_lowest                  lost in all

an input of n voxels divides without rest at every level if and only if n = descent (modulo step),
and gives n - shrink.  196 voxels through 2, 2, 3 and two 3x3x3 convolutions a level: step 12,
descent 28, shrink 104, hence 92.  Same-padded trunks lose nothing inside, so their input is a
multiple of step; their shrink is what they discard when they predict.  A trunk that folds f voxels
into channels is one on a grid f times coarser: step and reach are f times as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from funlib.geometry import Coordinate

from lsd.spec.answering import HandedOut
from lsd.spec.base import Shape


@dataclass(frozen=True)
class Extent(HandedOut):
    """Of every axis: legal inputs are `remainder` modulo `step` and above `shrink`; the output has
    `shrink` voxels fewer.

    step:   shifts of the input by multiples of it shift the output and change nothing else
    shrink: even, so an output lies in the centre of its input
    """

    step: Coordinate
    remainder: Coordinate
    shrink: Coordinate

    def smallest(self, covering: int, axis: int) -> int:
        """Smallest legal input along an axis whose output has `covering` voxels or more."""
        least = max(covering, 1) + self.shrink[axis]
        return int(least + (self.remainder[axis] - least) % self.step[axis])

    def smallest_input(self, covering: Sequence[int]) -> Coordinate:
        """Smallest legal input whose output has at least this shape."""
        return Coordinate(self.smallest(n, axis) for axis, n in enumerate(covering))


@dataclass(frozen=True)
class Levels(HandedOut):
    """The convolutions and poolings of a trunk, level by level; a stack of convolutions is one
    level.

    kernels: of each level, the kernels of one side in the order in which they are applied going
             down; the same ones follow on the way up, except at the lowest level
    factors: of the pooling from each level to the next, one fewer than levels
    fold:    voxels an axis that become channels before the first level; (): none
    padded:  convolutions keep the extent (same padding)
    """

    kernels: tuple[tuple[Shape, ...], ...]
    factors: tuple[Shape, ...] = ()
    fold: Shape = ()
    padded: bool = False

    @property
    def dims(self) -> int:
        """2 or 3."""
        return len(self.kernels[0][0])

    @property
    def step(self) -> Coordinate:
        """Voxels an axis that become one at the lowest level."""
        return self._fold * Coordinate(self._product(axis) for axis in range(self.dims))

    def extent(self, discarded: Sequence[int] | None = None) -> Extent:
        """Step, remainder and shrink; discarded: voxels a side that a same-padded trunk drops,
        none by default."""
        axes, zero = range(self.dims), Coordinate((0,) * self.dims)
        if self.padded:
            return Extent(self.step, zero, Coordinate(discarded or zero) * 2)
        descent = Coordinate(self._descent(axis) for axis in axes)
        lowest = Coordinate(_lost(self.kernels[-1], axis) for axis in axes)
        return Extent(self.step, descent % self.step, descent * 2 + self.step * lowest)

    def receptive_field(self) -> Coordinate:
        """Voxels from any output voxel to the farthest input voxel it depends on, the worst over
        the phases of the step."""
        reach = Coordinate(self._reach(axis) for axis in range(self.dims))
        # from the last voxel of a folded cell to the first of another, or the other way round
        return reach * self._fold + self._fold - 1

    @property
    def _fold(self) -> Coordinate:
        return Coordinate(self.fold or (1,) * self.dims)

    def _reach(self, axis: int) -> int:
        places = range(self._product(axis))
        fields = [self._field(axis, 0, place, place) for place in places]
        return max(max(p - low, high - p) for p, (low, high) in zip(places, fields, strict=True))

    def _field(self, axis: int, level: int, low: int, high: int) -> tuple[int, int]:
        """Interval of level `level`'s input that its outputs low..high depend on, counted as if
        convolutions were padded."""
        half = _lost(self.kernels[level], axis) // 2
        low, high = low - half, high + half
        if level == len(self.factors):
            return low, high
        factor = self.factors[level][axis]
        deep_low, deep_high = self._field(axis, level + 1, low // factor, high // factor)
        return min(low, factor * deep_low) - half, max(high, factor * deep_high + factor - 1) + half

    def _product(self, axis: int) -> int:
        return prod(factor[axis] for factor in self.factors)

    def _descent(self, axis: int) -> int:
        total, scale = 0, 1
        for sizes, factor in zip(self.kernels, self.factors, strict=False):
            total += scale * _lost(sizes, axis)
            scale *= factor[axis]
        return total


def _lost(sizes: tuple[Shape, ...], axis: int) -> int:
    return sum(size[axis] - 1 for size in sizes)
