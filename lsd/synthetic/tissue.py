"""What neuropil is grown of, and the grid of voxels that it is seen on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lsd.spec.synthetic import Synthetic
from lsd.synthetic.capsules import Floats
from lsd.synthetic.generator import check_shape
from lsd.synthetic.growth import Neurite, grow
from lsd.synthetic.microscope import displacements
from lsd.synthetic.noise import smooth_noise

WARP = ((14.0, 120.0), (5.0, 45.0))  # how far space is bent, and over which distance, nm


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
    check_shape(synthetic, in_plane=synthetic.kind == "anisotropic")
    grown, bent, *later = np.random.default_rng(synthetic.seed % 2**64).spawn(6)
    planes = _planes(synthetic)
    extent = tuple(n * size for n, size in zip(synthetic.shape, synthetic.voxel_size, strict=True))
    positions = _positions(synthetic, planes, bent)
    return Tissue(grow(extent, grown), positions, planes, _fine(synthetic, planes)), later


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
