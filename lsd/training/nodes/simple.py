"""Mirroring and transposition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import gunpowder as gp
import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.training.nodes.keys import Filter, array, generator, total

Value = TypeVar("Value")


@dataclass(frozen=True)
class Orientation:
    """Output axis a is input axis order[a], backwards where flips[a]."""

    order: tuple[int, ...]
    flips: tuple[bool, ...]

    def apply(self, data: NDArray[Any]) -> NDArray[Any]:
        """A view of `data` (..., z, y, x), re-oriented."""
        lead = data.ndim - len(self.order)
        turned = data.transpose(*range(lead), *(lead + axis for axis in self.order))
        return np.flip(turned, tuple(lead + axis for axis, flip in enumerate(self.flips) if flip))

    def before(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where output points (3, ...), relative to the centre, lie in the input."""
        source = np.empty_like(points)
        for axis, (origin, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            source[origin] = -points[axis] if flip else points[axis]
        return source

    def source(self, values: Sequence[Value]) -> tuple[Value, Value, Value]:
        """One value per output axis, e.g. a shape, in the order of the input's axes."""
        z, y, x = (values[self.order.index(axis)] for axis in range(3))
        return z, y, x

    def source_roi(self, roi: gp.Roi, whole: gp.Roi) -> gp.Roi:
        """The input ROI that becomes `roi`, where the whole output is `whole`; both begin at the same voxel."""
        begin = [
            (whole.end - roi.end)[axis] if self.flips[axis] else (roi.begin - whole.begin)[axis] for axis in range(roi.dims)
        ]
        return gp.Roi(whole.begin + gp.Coordinate(self.source(begin)), self.source(roi.shape))


def draw(simple: spec.Simple, rng: np.random.Generator, *, voxel_size: Sequence[float], flat: bool = False) -> Orientation:
    """A random orientation of 3D arrays.

    Axes are transposed only among those of one voxel size.  flat: sections of a 2D network, whose z stays as it is.
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
    return Orientation(tuple(order), tuple(axis in mirrored and bool(flips[axis]) for axis in range(3)))


class Simple(Filter):
    """Mirrors and transposes all arrays alike."""

    def __init__(self, simple: spec.Simple, *, voxel_size: Sequence[float], flat: bool = False) -> None:
        self.simple, self.voxel_size, self.flat = simple, voxel_size, flat
        self.orientation = Orientation((0, 1, 2), (False, False, False))

    def prepare(self, request: gp.BatchRequest) -> None:
        """Draws the orientation and turns the request into what becomes it."""
        self.orientation = draw(self.simple, generator(request), voxel_size=self.voxel_size, flat=self.flat)
        whole = total(wanted.roi for _, wanted in request.items())
        for _, wanted in request.items():
            wanted.roi = self.orientation.source_roi(wanted.roi, whole)

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """Views of the arrays, turned."""
        turned = gp.Batch()
        for key, wanted in request.items():
            turned[key] = array(self.orientation.apply(batch[key].data), wanted.roi)
        return turned
