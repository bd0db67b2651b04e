"""A synthetic volume from its spec: raw, and the truth of neurons and of mitochondria."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.spec.volumes import Synthetic
from lsd.synthetic.capsules import Floats
from lsd.synthetic.growth import Neurite, grow
from lsd.synthetic.labels import connected, pieces_of_bodies
from lsd.synthetic.microscope import Imaging, damage, displacements, image
from lsd.synthetic.noise import smooth_noise
from lsd.synthetic.render import Look, grey_values
from lsd.synthetic.scene import build_scene

LEAST_SHAPE = 16
WARP = ((14.0, 120.0), (5.0, 45.0))  # how far space is bent, and over which distance, nm

LOOKS = {
    "isotropic": Look(
        membrane=56,
        mitochondrion=88,
        outline=96,
        cytoplasm=(160, 18),
        width=12,
        cleft=0,
        grain=8,
        cloud=6,
        cristae=20,
        rim=0.35,
    ),
    "anisotropic": Look(
        membrane=32,
        mitochondrion=104,
        outline=28,
        cytoplasm=(182, 13),
        width=4.5,
        cleft=5.5,
        grain=20,
        cloud=9,
        cristae=60,
        rim=1.0,
    ),
}
IMAGING = {
    "isotropic": Imaging(blur=(0.6, 0.6, 0.6), noise=2.0, shot=0.38),
    "anisotropic": Imaging(blur=(0.0, 0.7, 0.7), noise=2.0, shot=0.8),
}


def synthesize(synthetic: Synthetic) -> dict[str, NDArray[Any]]:
    """Arrays of the volume by name, all (z, y, x); a function of the spec alone.

    volumes/raw:                  uint8
    volumes/labels/neuron_ids:    uint64, dense: 1..n, each id one 6-connected piece of SMALLEST
                                  voxels or more
    volumes/labels/mitochondria:  uint64, 1..n inside, 0 elsewhere; each lies within one neuron.
                                  Those that touch are one, as nothing is drawn between them
    Calibres are in nm, so a smaller voxel_size shows fewer and larger neurites.
    Raises ValueError if the shape has not three axes of LEAST_SHAPE or more (an anisotropic volume:
    any z).
    """
    tissue, (filled, painted, imaged, damaged) = grown_tissue(synthetic)
    planes = tissue.planes
    scene = build_scene(tissue.neurites, tissue.positions, tissue.voxel_size, planes, filled)
    look = replace(LOOKS[synthetic.kind], strength=synthetic.membranes)
    value = grey_values(scene, look, painted)
    value = value.reshape(-1, planes, *value.shape[1:]).mean(axis=1, dtype=np.float32)
    value = image(value, IMAGING[synthetic.kind], synthetic.voxel_size, imaged)
    if synthetic.kind == "anisotropic":
        value = damage(value, damaged)
    neurons = connected(scene.owner[tissue.middle])
    inside = scene.mitochondrion[tissue.middle] < 0
    return {
        "volumes/raw": np.clip(value + 0.5, 0, 255).astype(np.uint8),
        "volumes/labels/neuron_ids": neurons,
        "volumes/labels/mitochondria": pieces_of_bodies(inside, neurons, scene.body[tissue.middle]),
    }


@dataclass(frozen=True)
class Tissue:
    """What was grown, and the grid of voxels that it is seen on.

    positions:  (3, z, y, x) nm, where in space each voxel lies
    planes:     that make one section of the volume; 1: a voxel is one of the volume
    voxel_size: of the grid, nm
    """

    neurites: list[Neurite]
    positions: Floats
    planes: int
    voxel_size: tuple[float, ...]

    @property
    def middle(self) -> slice:
        """The planes whose labels are those of the sections."""
        return slice(self.planes // 2, None, self.planes)


def grown_tissue(synthetic: Synthetic) -> tuple[Tissue, Sequence[np.random.Generator]]:
    """The tissue of a volume, and the generators of all that comes after it.

    Raises ValueError as `synthesize` does.
    """
    _check(synthetic)
    grown, bent, *later = np.random.default_rng(synthetic.seed % 2**64).spawn(6)
    planes = _planes(synthetic)
    extent = tuple(n * size for n, size in zip(synthetic.shape, synthetic.voxel_size, strict=True))
    positions = _positions(synthetic, planes, bent)
    return Tissue(grow(extent, grown), positions, planes, _fine(synthetic, planes)), later


def _check(synthetic: Synthetic) -> None:
    shape, voxel_size = synthetic.shape, synthetic.voxel_size
    if len(shape) != 3 or len(voxel_size) != 3:
        raise ValueError(
            f"a synthetic volume has three axes, got shape {shape} and voxel_size {voxel_size}; "
            f"give z, y and x of both"
        )
    in_plane = shape[1:] if synthetic.kind == "anisotropic" else shape
    if min(in_plane) < LEAST_SHAPE:
        raise ValueError(
            f"a synthetic volume of shape {shape} is too small; give {LEAST_SHAPE} voxels or more "
            f"an axis"
        )


def _planes(synthetic: Synthetic) -> int:
    """Planes that make one section: an odd number, some two voxels of the section apart; 1 if
    sections have no thickness."""
    if synthetic.kind == "isotropic":
        return 1
    depth, size = synthetic.voxel_size[0], min(synthetic.voxel_size[1:])
    return min(2 * int(depth / size / 4) + 1, 7)


def _fine(synthetic: Synthetic, planes: int) -> tuple[float, ...]:
    return (synthetic.voxel_size[0] / planes, *synthetic.voxel_size[1:])


def _positions(synthetic: Synthetic, planes: int, rng: np.random.Generator) -> Floats:
    """Where each fine voxel lies (3, z, y, x), nm: bent space, and sections displaced by about a
    voxel."""
    shape, size = (synthetic.shape[0] * planes, *synthetic.shape[1:]), _fine(synthetic, planes)
    positions = (
        np.indices(shape, dtype=np.float32) * np.array(size, np.float32)[:, None, None, None]
    )
    for amount, distance in WARP:
        for axis in range(3):
            spacing = tuple(distance / s for s in size)
            positions[axis] += np.float32(amount) * smooth_noise(rng, shape, spacing=spacing)
    if synthetic.kind == "anisotropic":
        moved = displacements(synthetic.shape[0], min(synthetic.voxel_size[1:]), rng)
        positions[1:] += np.repeat(moved, planes, axis=0).T[:, :, None, None]
    return positions
