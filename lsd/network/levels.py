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

from dataclasses import dataclass
from functools import lru_cache
from typing import assert_never

from funlib.geometry import Coordinate

from lsd.spec import ResidualUNet, Shape, Trunk, UNet


@dataclass(frozen=True)
class Extent:
    """Of every axis: legal inputs are `remainder` modulo `step` and above `shrink`; the output has
    `shrink` voxels fewer.

    shrink is even, so an output lies in the centre of its input.
    """

    step: Coordinate
    remainder: Coordinate
    shrink: Coordinate

    def smallest(self, covering: int, axis: int) -> int:
        """Smallest legal input along an axis whose output has `covering` voxels or more."""
        least = max(covering, 1) + self.shrink[axis]
        return int(least + (self.remainder[axis] - least) % self.step[axis])


def kernels(trunk: Trunk) -> tuple[tuple[Shape, ...], ...]:
    """Of each level, the kernels of one side in the order in which they are applied going down."""
    match trunk:
        case UNet():
            return trunk.level_kernels or (trunk.kernels,) * (len(trunk.factors) + 1)
        case ResidualUNet():
            first = trunk.first_kernel or trunk.kernel
            # a residual module has three convolutions; the first level has the embedding as well
            return ((first,) * 4, *((trunk.kernel,) * 3 for _ in trunk.factors))
        case _:
            assert_never(trunk)


def fold(trunk: Trunk) -> Coordinate:
    """Voxels an axis that are folded into channels."""
    match trunk:
        case UNet():
            return Coordinate((1,) * trunk.dims)
        case ResidualUNet():
            return Coordinate(trunk.fold or (1,) * trunk.dims)
        case _:
            assert_never(trunk)


def is_padded(trunk: Trunk) -> bool:
    """Whether convolutions keep the extent (same padding)."""
    match trunk:
        case UNet():
            return trunk.padding == "same"
        case ResidualUNet():
            return True
        case _:
            assert_never(trunk)


@lru_cache(maxsize=256)
def extent(trunk: Trunk, *, training: bool = False) -> Extent:
    """Step, remainder and shrink of a trunk; a same-padded one keeps its extent in training."""
    dims = trunk.dims
    step = fold(trunk) * Coordinate(_product(trunk, axis) for axis in range(dims))
    zero = Coordinate((0,) * dims)
    if is_padded(trunk):
        return Extent(step, zero, zero if training else discarded(trunk) * 2)
    descent = Coordinate(_descent(trunk, axis) for axis in range(dims))
    lowest = Coordinate(_loss(kernels(trunk)[-1], axis) for axis in range(dims))
    return Extent(step, descent % step, descent * 2 + step * lowest)


def discarded(trunk: Trunk) -> Coordinate:
    """Voxels a side that a same-padded trunk discards in prediction: its `context`, by default all
    that padding reaches."""
    return Coordinate(trunk.context) if trunk.context is not None else receptive_field(trunk)


@lru_cache(maxsize=256)
def receptive_field(trunk: Trunk) -> Coordinate:
    """Voxels from any output voxel to the farthest input voxel it depends on, the worst over the
    phases of the step."""
    reach = []
    for axis in range(trunk.dims):
        places = range(_product(trunk, axis))
        fields = [_field(trunk, axis, 0, place, place) for place in places]
        reach.append(
            max(max(p - low, high - p) for p, (low, high) in zip(places, fields, strict=True))
        )
    # from the last voxel of a folded cell to the first of another, or the other way round
    return Coordinate(reach) * fold(trunk) + fold(trunk) - 1


def _field(trunk: Trunk, axis: int, level: int, low: int, high: int) -> tuple[int, int]:
    """Interval of level `level`'s input that its outputs low..high depend on, counted as if
    convolutions were padded."""
    half = _loss(kernels(trunk)[level], axis) // 2
    low, high = low - half, high + half
    if level == len(trunk.factors):
        return low, high
    factor = trunk.factors[level][axis]
    deep_low, deep_high = _field(trunk, axis, level + 1, low // factor, high // factor)
    return min(low, factor * deep_low) - half, max(high, factor * deep_high + factor - 1) + half


def _loss(sizes: tuple[Shape, ...], axis: int) -> int:
    return sum(size[axis] - 1 for size in sizes)


def _product(trunk: Trunk, axis: int) -> int:
    product = 1
    for factor in trunk.factors:
        product *= factor[axis]
    return product


def _descent(trunk: Trunk, axis: int) -> int:
    total, scale = 0, 1
    for sizes, factor in zip(kernels(trunk), trunk.factors, strict=False):
        total += scale * _loss(sizes, axis)
        scale *= factor[axis]
    return total
