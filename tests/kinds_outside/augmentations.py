"""Augmentations of one's own: of grey values, and of places."""

from typing import ClassVar, Literal

import numpy as np

from lsd.batches.augmentations.augmentation import RawAugmentation
from lsd.batches.augmentations.deform import GeometricAugmentation
from lsd.batches.augmentations.motion import Motion
from lsd.spec import Augmentation, Range


class Gamma(Augmentation):
    """Raw in 0..1 to a power that is drawn from a range."""

    kind: Literal["gamma"] = "gamma"
    behaviour: ClassVar[str] = "kinds_outside.augmentations:GammaAugmentation"
    power: Range = (0.7, 1.4)


class GammaAugmentation(RawAugmentation[Gamma]):
    """Changes raw alone."""

    def change(self, raw, rng):
        return raw ** np.float32(rng.uniform(*self.spec.power))


class Zoom(Augmentation):
    """Everything smaller or larger, by a factor that is drawn from a range; sections keep their
    distance."""

    kind: Literal["zoom"] = "zoom"
    behaviour: ClassVar[str] = "kinds_outside.augmentations:ZoomAugmentation"
    factor: Range = (0.8, 1.25)


class ZoomAugmentation(GeometricAugmentation[Zoom]):
    """Moves voxels in their plane."""

    # it is linear, so there is no need to compute it at each voxel
    every = 32

    def draw(self, rng, *, voxel_size, flat):
        return Zoomed(rng.uniform(*self.spec.factor))


class Zoomed(Motion):
    """What is `factor` times as large came from a place that is less far from the centre."""

    def __init__(self, factor):
        self.scale = np.array([1, 1 / factor, 1 / factor])

    def before(self, points):
        return points * self.scale.reshape(3, 1, 1, 1)

    def displacements(self, steps):
        return steps * self.scale
