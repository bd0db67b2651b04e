"""Elastic deformation: rotation, a smooth random field, and sections that lie displaced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from lsd import spec
from lsd.batches.augmentations.deform import GeometricAugmentation
from lsd.batches.augmentations.motion import Motion, Points


class ElasticAugmentation(GeometricAugmentation[spec.Elastic]):
    """Deforms all arrays alike."""

    @property
    def every(self) -> int:
        """Voxels between the points at which the deformation is computed."""
        return self.spec.subsample

    @property
    def displaces_sections(self) -> bool:
        """Whether the spec allows sections to be displaced."""
        return self.spec.slip + self.spec.shift > 0

    def draw(
        self, rng: np.random.Generator, *, voxel_size: Sequence[float], flat: bool
    ) -> Deformation:
        """A deformation as the spec describes it."""
        elastic = self.spec
        angle = rng.uniform(*elastic.rotation)
        axis = rng.normal(size=3) if elastic.isotropic and not flat else np.array([1.0, 0, 0])
        matrix = rotation(angle, axis / np.linalg.norm(axis), voxel_size=voxel_size)
        jitter = with_z(elastic.jitter, 0.0)
        return Deformation(
            elastic,
            matrix,
            with_z(elastic.spacing, 1.0),
            (0.0, *jitter[1:]) if flat else jitter,
            flat,
            rng,
        )


@dataclass(frozen=True)
class Deformation(Motion):
    """One drawn deformation.

    matrix: (3, 3) of its rotation, in voxels;  flat: sections stay in their plane
    """

    elastic: spec.Elastic
    matrix: Points
    spacing: tuple[float, ...]
    jitter: tuple[float, ...]
    flat: bool
    rng: np.random.Generator

    def before(self, points: Points) -> Points:
        """The output points, rotated and moved by smooth noise."""
        moved = np.tensordot(self.matrix, points, axes=1)
        for axis, jitter in enumerate(self.jitter):
            if jitter:
                moved[axis] += spline_noise(
                    points, spacing=self.spacing, sigma=jitter, rng=self.rng
                )
        return moved

    def displacements(self, steps: Points) -> Points:
        """The displacements, rotated like the points."""
        return np.asarray(steps @ self.matrix.T)

    def sections(self, count: int) -> Points | None:
        """Displacements of single sections."""
        return None if self.flat else displaced_sections(self.elastic, count, self.rng)


def rotation(angle: float, axis: Points, *, voxel_size: Sequence[float]) -> Points:
    """Matrix (3, 3) in voxels of a rotation in nm by `angle` radians about the unit vector `axis`
    (z y x).  Rodrigues 1840."""
    z, y, x = axis
    cross = np.array([[0, -x, y], [x, 0, -z], [-y, z, 0]])
    turn = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    size = np.asarray(voxel_size, dtype=float)
    # where voxels are cubes the product is exact; 1 * size / size may not be
    return np.asarray(turn * (size[None, :] / size[:, None]))


def spline_noise(
    points: Points, *, spacing: Sequence[float], sigma: float, rng: np.random.Generator
) -> Points:
    """Values at `points` (3, ...) of a cubic spline through normal numbers every `spacing` voxels;
    sigma: their deviation."""
    flat = points.reshape(3, -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    step = np.asarray(spacing, dtype=float)
    # a control point beyond either end, so that the ends move like the rest
    shape = np.ceil((high - low) / step).astype(int) + 3
    control = rng.normal(scale=sigma, size=shape)
    at = (flat - low[:, None]) / step[:, None] + 1
    return np.asarray(map_coordinates(control, at, order=3, mode="nearest")).reshape(
        points.shape[1:]
    )


def displaced_sections(elastic: spec.Elastic, count: int, rng: np.random.Generator) -> Points:
    """Displacement (count, 3) of each section: on its own (slip), or together with all that follow
    (shift)."""
    chance = rng.random(count)
    offsets = np.zeros((count, 3))
    offsets[:, 1:] = rng.integers(
        -elastic.misalign, elastic.misalign, size=(count, 2), endpoint=True
    )
    slips = chance < elastic.slip
    shifts = ~slips & (chance < elastic.slip + elastic.shift)
    return np.asarray(offsets * slips[:, None] + np.cumsum(offsets * shifts[:, None], axis=0))


def with_z(values: Sequence[float], z: float) -> tuple[float, ...]:
    """Values for z y x; a 2D dataset may give them for y x alone."""
    return tuple(values) if len(values) == 3 else (z, *values)
