"""A synthetic volume from its spec: raw, and the truth of neurons and of mitochondria."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsd.spec.volumes import Synthetic
from lsd.volumes.synthetic.capsules import FAR, Floats, join, nearest_two
from lsd.volumes.synthetic.growth import Neurite, grow
from lsd.volumes.synthetic.labels import Ids, connected, wall_distance
from lsd.volumes.synthetic.microscope import Imaging, damage, displacements, image
from lsd.volumes.synthetic.noise import smooth_noise
from lsd.volumes.synthetic.organelles import contents, mitochondria
from lsd.volumes.synthetic.render import Look, Scene, grey

SMALLEST = 100  # voxels; a smaller piece of a neurite joins a neighbour
LEAST_SHAPE = 16
WARP = ((14.0, 120.0), (5.0, 45.0))  # how far space is bent, and over which distance, nm
REACH = 75.0  # nm beyond a neurite's own surface that it may fill
LINING = 20.0  # nm of cytoplasm between a mitochondrion and the membrane

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
    volumes/labels/neuron_ids:    uint64, dense: 1..n, each id one 6-connected piece of SMALLEST voxels or more
    volumes/labels/mitochondria:  uint8, 1 inside; each lies within one neuron
    Calibres are in nm, so a smaller voxel_size shows fewer and larger neurites.
    Raises ValueError if the shape has not three axes of LEAST_SHAPE or more (an anisotropic volume: any z).
    """
    _check(synthetic)
    grown, bent, filled, painted, imaged, damaged = np.random.default_rng(synthetic.seed % 2**64).spawn(6)
    planes = _planes(synthetic)
    extent = tuple(n * size for n, size in zip(synthetic.shape, synthetic.voxel_size, strict=True))
    neurites = grow(extent, grown)
    scene = _scene(neurites, _positions(synthetic, planes, bent), _fine(synthetic, planes), planes, filled)
    value = grey(scene, LOOKS[synthetic.kind], painted)
    value = value.reshape(-1, planes, *value.shape[1:]).mean(axis=1, dtype=np.float32)
    value = image(value, IMAGING[synthetic.kind], synthetic.voxel_size, imaged)
    if synthetic.kind == "anisotropic":
        value = damage(value, damaged)
    middle = slice(planes // 2, None, planes)
    return {
        "volumes/raw": np.clip(value + 0.5, 0, 255).astype(np.uint8),
        "volumes/labels/neuron_ids": connected(scene.owner[middle], smallest=SMALLEST),
        "volumes/labels/mitochondria": (scene.mitochondrion[middle] < 0).astype(np.uint8),
    }


def _check(synthetic: Synthetic) -> None:
    shape, voxel_size = synthetic.shape, synthetic.voxel_size
    if len(shape) != 3 or len(voxel_size) != 3:
        raise ValueError(
            f"a synthetic volume has three axes, got shape {shape} and voxel_size {voxel_size}; give z, y and x of both"
        )
    in_plane = shape[1:] if synthetic.kind == "anisotropic" else shape
    if min(in_plane) < LEAST_SHAPE:
        raise ValueError(f"a synthetic volume of shape {shape} is too small; give {LEAST_SHAPE} voxels or more an axis")


def _planes(synthetic: Synthetic) -> int:
    """Planes that make one section: an odd number, some two voxels of the section apart; 1 if sections have no thickness."""
    if synthetic.kind == "isotropic":
        return 1
    depth, size = synthetic.voxel_size[0], min(synthetic.voxel_size[1:])
    return min(2 * int(depth / size / 4) + 1, 7)


def _fine(synthetic: Synthetic, planes: int) -> tuple[float, ...]:
    return (synthetic.voxel_size[0] / planes, *synthetic.voxel_size[1:])


def _positions(synthetic: Synthetic, planes: int, rng: np.random.Generator) -> Floats:
    """Where each fine voxel lies (3, z, y, x), nm: bent space, and sections displaced by about a voxel."""
    shape, size = (synthetic.shape[0] * planes, *synthetic.shape[1:]), _fine(synthetic, planes)
    positions = np.indices(shape, dtype=np.float32) * np.array(size, np.float32)[:, None, None, None]
    for amount, distance in WARP:
        for axis in range(3):
            spacing = tuple(distance / s for s in size)
            positions[axis] += np.float32(amount) * smooth_noise(rng, shape, spacing=spacing)
    if synthetic.kind == "anisotropic":
        moved = displacements(synthetic.shape[0], min(synthetic.voxel_size[1:]), rng)
        positions[1:] += np.repeat(moved, planes, axis=0).T[:, :, None, None]
    return positions


def _scene(neurites: list[Neurite], positions: Floats, size: tuple[float, ...], planes: int, rng: np.random.Generator) -> Scene:
    """Everything that is grown, seen on the grid of positions."""
    field = nearest_two(join([neurite.capsules for neurite in neurites]), positions, voxel_size=size, reach=REACH)
    owner = _everywhere(field.owner, size)
    wall = _wall(field.second - field.first, connected(owner, smallest=SMALLEST), size, planes)
    mito, stripe = _mitochondria(neurites, owner, wall, positions, size, rng)
    inside = contents(neurites, rng)
    outline = nearest_two(inside.walls, positions, voxel_size=size, reach=25.0)
    shown = (outline.owner == owner) & (wall > 10) & (mito > 6)
    synapse = nearest_two(inside.synapses, positions, voxel_size=size, reach=0.0)
    return Scene(
        owner=owner,
        wall=wall,
        mitochondrion=mito,
        stripe=stripe,
        outline=np.where(shown, outline.first, FAR),
        synapse=np.clip(-synapse.first / 25, 0, 1),
        postsynaptic=synapse.owner != owner,
        voxel_size=size,
    )


def _everywhere(owner: NDArray[np.int32], size: tuple[float, ...]) -> NDArray[np.int32]:
    """Voxels that no neurite reached take the owner of the nearest voxel that one did."""
    if (owner >= 0).all():
        return owner
    nearest = ndimage.distance_transform_edt(owner < 0, sampling=size, return_distances=False, return_indices=True)
    filled: NDArray[np.int32] = owner[tuple(nearest)]
    return filled


def _wall(margin: Floats, labels: Ids, size: tuple[float, ...], planes: int) -> Floats:
    """Distance to the border of the neurite, nm, finer than a voxel.

    margin: how much nearer the voxel's own neurite is than the next; over its slope that is a distance.  Kept within a
    voxel of the distance to the nearest voxel of another label, so that membranes are where labels end, and nowhere else.
    """
    margin = np.minimum(margin, np.float32(300))
    squared = np.zeros_like(margin)
    sections = margin.reshape(-1, planes, *margin.shape[1:]) if planes > 1 else margin[None]
    for axis in (1, 2, 3):
        if sections.shape[axis] > 1:
            squared += (np.gradient(sections, size[axis - 1], axis=axis) ** 2).reshape(margin.shape)
    distance = margin / np.maximum(np.sqrt(squared), np.float32(0.7))
    voxels = wall_distance(labels, size)
    voxel = np.float32(max(size))
    return np.clip(distance, voxels - voxel, np.maximum(voxels + np.float32(0.5) * voxel, 0)).astype(np.float32)


def _mitochondria(
    neurites: list[Neurite],
    owner: NDArray[np.int32],
    wall: Floats,
    positions: Floats,
    size: tuple[float, ...],
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Distance to the surface of a mitochondrion (nm, negative inside), and position along its axis (nm)."""
    bodies = mitochondria(neurites, rng)
    field = nearest_two(bodies.capsules, positions, voxel_size=size, reach=25.0)
    host = np.array([*bodies.host, -1], np.int32)[field.owner]
    lining = np.float32(max(LINING, 2 * min(size)))
    distance = np.where(host == owner, np.maximum(field.first, lining - wall), FAR)
    axis = np.concatenate([bodies.axis, np.zeros((1, 3), np.float32)])[field.owner]
    stripe = axis[..., 0] * positions[0] + axis[..., 1] * positions[1] + axis[..., 2] * positions[2]
    return distance, stripe
