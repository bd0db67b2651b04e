"""Augmentations that move voxels, labels and raw alike: several in a row are one warp, read by one
node, so that raw is interpolated once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import gunpowder as gp
import numpy as np

from lsd.batches.augmentations.augmentation import AugmentationKind, Settings
from lsd.batches.augmentations.motion import Motion
from lsd.batches.augmentations.warp import Warp, draw_warp
from lsd.batches.keys import KNOWN, RAW, Filter, array, generator, total


class GeometricAugmentation(AugmentationKind[Settings]):
    """Moves voxels."""

    moves: ClassVar[bool] = True

    @abstractmethod
    def draw(self, rng: np.random.Generator, *, voxel_size: Sequence[float], flat: bool) -> Motion:
        """A random movement; see `node` for the arguments.

        rng: all that is random is drawn from it, so that batch i follows from the seed and i
        """

    @property
    def every(self) -> int | None:
        """Voxels between the points at which the movement is computed, and between which it is
        linear.  None: whole voxels change places, so alone it needs no interpolation."""
        return 1

    @property
    def displaces_sections(self) -> bool:
        """Whether it displaces single sections, which are none any more once voxels between them
        are moved."""
        return False

    def joins(self, run: Sequence[AugmentationKind[Any]]) -> bool:
        """With others that move voxels, unless they displaced sections and this one goes between
        them."""
        others = [kind for kind in run if isinstance(kind, GeometricAugmentation)]
        displaced = any(other.displaces_sections for other in others)
        return len(others) == len(run) > 0 and not (displaced and self.every is not None)

    def nodes(
        self, run: Sequence[AugmentationKind[Any]], *, voxel_size: Sequence[float], flat: bool
    ) -> list[gp.BatchFilter]:
        """One node, or where nothing needs to be interpolated, one each."""
        moving = [kind for kind in run if isinstance(kind, GeometricAugmentation)]
        if any(kind.every is not None for kind in moving):
            return [Deform(moving, voxel_size=voxel_size, flat=flat)]
        return super().nodes(run, voxel_size=voxel_size, flat=flat)

    def node(self, *, voxel_size: Sequence[float], flat: bool) -> gp.BatchFilter:
        """A node of one warp."""
        return Deform([self], voxel_size=voxel_size, flat=flat)


class Deform(Filter):
    """Reads all arrays through one random warp; raw is interpolated, the rest takes the nearest
    voxel.

    Each array asks for what its own points need, labels for less than raw.
    """

    def __init__(
        self,
        kinds: Sequence[GeometricAugmentation[Any]],
        *,
        voxel_size: Sequence[float],
        flat: bool = False,
    ) -> None:
        self.draws = [partial(kind.draw, voxel_size=voxel_size, flat=flat) for kind in kinds]
        self.every = min((kind.every for kind in kinds if kind.every is not None), default=1)
        self.warp: Warp | None = None

    def prepare(self, request: gp.BatchRequest) -> None:
        """Draws the warp and turns the request into what it reads."""
        whole = total(wanted.roi for _, wanted in request.items())
        self.warp = draw_warp(self.draws, whole, generator(request), every=self.every)
        for _, wanted in request.items():
            wanted.roi = self.warp.source_roi(wanted.roi)

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """Reads every array once."""
        assert self.warp is not None
        read = gp.Batch()
        for key, wanted in request.items():
            source = batch[key]
            if key == KNOWN and source.data.all():  # nothing to look for
                data = np.ones(wanted.roi.shape, np.bool_)
            else:
                data = self.warp.read(
                    source.data, source.spec.roi, wanted.roi, interpolate=key == RAW
                )
            read[key] = array(data, wanted.roi)
        return read
