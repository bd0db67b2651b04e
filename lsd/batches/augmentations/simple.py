"""Mirroring and transposition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gunpowder as gp
import numpy as np

from lsd import spec
from lsd.arrays.turning import Turn
from lsd.batches.augmentations.deform import GeometricAugmentation
from lsd.batches.augmentations.motion import Motion, Points, Value
from lsd.batches.keys import Filter, array, generator, total


def draw_turn(
    simple: spec.Simple,
    rng: np.random.Generator,
    *,
    voxel_size: Sequence[float],
    flat: bool = False,
) -> Turn:
    """A random turn of 3D arrays.

    Axes are transposed only among those of one voxel size.  flat: sections of a 2D network, whose z
    stays as it is.
    """
    names = "yx" if flat else "zyx"
    transposed = ["zyx".index(name) for name in names if name in simple.transpose]
    mirrored = ["zyx".index(name) for name in names if name in simple.mirror]
    order = [0, 1, 2]
    for size in dict.fromkeys(voxel_size):
        axes = [axis for axis in transposed if voxel_size[axis] == size]
        for axis, origin in zip(axes, rng.permutation(axes), strict=True):
            order[axis] = int(origin)
    flips = rng.random(3) < 0.5
    return Turn(tuple(order), tuple(axis in mirrored and bool(flips[axis]) for axis in range(3)))


class SimpleAugmentation(GeometricAugmentation[spec.Simple]):
    """Mirrors and transposes all arrays alike."""

    @property
    def every(self) -> None:
        """None: whole voxels change places."""
        return None

    def draw(self, rng: np.random.Generator, *, voxel_size: Sequence[float], flat: bool) -> Motion:
        """A random turn, as part of a warp."""
        return Turning(draw_turn(self.spec, rng, voxel_size=voxel_size, flat=flat))

    def node(self, *, voxel_size: Sequence[float], flat: bool) -> gp.BatchFilter:
        """A node that interpolates nothing."""
        return TurnAround(self.spec, voxel_size=voxel_size, flat=flat)


@dataclass(frozen=True)
class Turning(Motion):
    """A turn as part of a warp."""

    turn: Turn

    def before(self, points: Points) -> Points:
        """Where the output points were before the turn."""
        return self.turn.before(points)

    def displacements(self, steps: Points) -> Points:
        """The displacements, turned like the points."""
        return self.turn.before(steps.T).T

    def source(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """The values in the order that the axes had before the turn."""
        return self.turn.source(values)


class TurnAround(Filter):
    """Mirrors and transposes all arrays alike."""

    def __init__(
        self, simple: spec.Simple, *, voxel_size: Sequence[float], flat: bool = False
    ) -> None:
        self.simple, self.voxel_size, self.flat = simple, voxel_size, flat
        self.turn = Turn.none(3)

    def prepare(self, request: gp.BatchRequest) -> None:
        """Draws the turn, and turns the request into what becomes it."""
        self.turn = draw_turn(
            self.simple, generator(request), voxel_size=self.voxel_size, flat=self.flat
        )
        whole = total(wanted.roi for _, wanted in request.items())
        for _, wanted in request.items():
            wanted.roi = self.turn.source_roi(wanted.roi, whole)

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """Views of the arrays, turned."""
        turned = gp.Batch()
        for key, wanted in request.items():
            turned[key] = array(self.turn.apply(batch[key].data), wanted.roi)
        return turned
