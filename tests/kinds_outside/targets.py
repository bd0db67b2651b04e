"""Targets of one's own: how deep inside a neuron a voxel lies, which way is deeper, and affinities
of all neighbours within a ball."""

import itertools
import math
from collections.abc import Hashable, Sequence
from typing import ClassVar, Literal

import numpy as np
from funlib.geometry import Coordinate
from scipy.ndimage import distance_transform_edt

from lsd.spec import Target
from lsd.spec.base import Positive, PositiveFloat
from lsd.targets.activation import Activation
from lsd.targets.affinities import affinities
from lsd.targets.boundary import boundary
from lsd.targets.opinion import Opinion
from lsd.targets.target import Sample, TargetKind


class Distance(Target):
    """Distance to the boundary of a neuron, from 0 on it and on background to 1 at `reach` nm."""

    kind: Literal["distance"] = "distance"
    behaviour: ClassVar[str] = "kinds_outside.targets:DistanceTarget"
    reach: PositiveFloat = 40.0


class DistanceTarget(TargetKind[Distance]):
    """One channel in 0..1, so a head gives it by a sigmoid, which is what targets have unless they
    say otherwise."""

    def channels(self, dims):
        return 1

    def context(self, voxel_size):
        # one voxel more than the distance, for the boundary itself
        return Coordinate(math.ceil(self.spec.reach / size) + 1 for size in voxel_size)

    def compute(self, sample):
        return depth(sample, self.spec.reach)[np.newaxis], sample.inside[np.newaxis]


class Flow(Target):
    """The direction in which distance to the boundary grows as far as `reach` nm, a unit vector."""

    kind: Literal["flow"] = "flow"
    behaviour: ClassVar[str] = "kinds_outside.targets:FlowTarget"
    reach: PositiveFloat = 40.0


class Tanh(Activation):
    """Values in -1..1."""

    low, high = -1, 1

    def __call__(self, logits):
        return logits.tanh()

    def inverse(self, values):
        return values.clamp(-1 + 1e-6, 1 - 1e-6).atanh()


class FlowTarget(TargetKind[Flow]):
    """A component for each axis."""

    activation = Tanh()

    def channels(self, dims):
        return dims

    def context(self, voxel_size):
        return Coordinate(math.ceil(self.spec.reach / size) + 2 for size in voxel_size)

    def compute(self, sample):
        grown = depth(sample, self.spec.reach)
        slopes = np.stack(np.gradient(grown, *sample.voxel_size))
        length = np.sqrt((slopes**2).sum(axis=0))
        values = np.divide(slopes, length, out=np.zeros_like(slopes), where=length > 0)
        known = np.broadcast_to(sample.inside & (sample.labels > 0), values.shape)
        return values.astype(np.float32), known

    def turned(self, turn):
        # a component lies along the axis that its own has become, and changes its sign with it
        places = [turn.order.index(axis) for axis in range(len(turn.order))]
        return tuple(Opinion(place, (0,) * len(places), turn.flips[place]) for place in places)

    def axis_keys(self, dims: int) -> Sequence[Hashable]:
        return ("one unit of length along all axes",) * dims


class Contacts(Target):
    """Affinities of each voxel to all that lie before it within `radius` voxels."""

    kind: Literal["contacts"] = "contacts"
    behaviour: ClassVar[str] = "kinds_outside.targets:ContactTarget"
    radius: Positive = 1

    def affinity_offsets(self):
        offsets = itertools.product(range(-self.radius, 1), repeat=3)
        squares = {offset: sum(step * step for step in offset) for offset in offsets}
        near = [offset for offset, square in squares.items() if 0 < square <= self.radius**2]
        return tuple(sorted(near, key=squares.__getitem__))


class ContactTarget(TargetKind[Contacts]):
    """A channel for each offset."""

    binary = True

    def channels(self, dims):
        return len(self.neighborhood(dims))

    def context(self, voxel_size):
        return Coordinate((self.spec.radius,) * len(voxel_size))

    def compute(self, sample):
        return affinities(sample.labels, self.neighborhood(sample.dims), mask=sample.known)


def depth(sample: Sample, reach: float) -> np.ndarray:
    """Distance (z, y, x) to the boundary, 1 from `reach` nm on."""
    inside = boundary(sample.labels, mask=sample.known)[0][0] == 0
    if inside.all():
        return np.ones(inside.shape, np.float32)
    distance = distance_transform_edt(inside, sampling=sample.voxel_size)
    return np.minimum(distance / reach, 1).astype(np.float32)
