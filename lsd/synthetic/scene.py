"""What is where in the volume: neurites, their borders and their organelles, seen on a grid of
voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsd.synthetic.capsules import FAR, Floats, NearestOwners, join, nearest_two
from lsd.synthetic.growth import Neurite
from lsd.synthetic.labels import Ids, connected, wall_distance
from lsd.synthetic.noise import Noise
from lsd.synthetic.organelles import contents, mitochondria

REACH = 75.0  # nm beyond a neurite's own surface that it may fill
LINING = 20.0  # nm of cytoplasm between a mitochondrion and the membrane


@dataclass(frozen=True)
class Scene:
    """What is where, per voxel (z, y, x); distances in nm.

    owner: neurite;  wall: to the border of the neurite;  mitochondrion: to the surface of one,
           negative inside;  body: the nearest one, where one is near, -1 elsewhere;
    stripe: position along its axis, nm;  outline: to the wall of a vesicle or tubule;  synapse:
            0..1;
    postsynaptic: whether the voxel is on the receiving side
    """

    owner: NDArray[np.int32]
    wall: Floats
    mitochondrion: Floats
    body: NDArray[np.int32]
    stripe: Floats
    outline: Floats
    synapse: Floats
    postsynaptic: NDArray[np.bool_]
    voxel_size: tuple[float, ...]

    def noise(self, nm: float, noise: Noise) -> Floats:
        """Normal noise that is smooth over so many nm; noise: of the same grid."""
        return noise.smooth(tuple(nm / size for size in self.voxel_size))


def build_scene(
    neurites: list[Neurite],
    positions: Floats,
    size: tuple[float, ...],
    planes: int,
    rng: np.random.Generator,
) -> Scene:
    """Everything that is grown, seen on a grid.

    positions: (3, z, y, x) nm, where in space each voxel lies;  size: of a voxel, nm;  planes: that
               make one section
    """
    field = _nearest(neurites, positions, size)
    owner = _everywhere(field.owner, size)
    wall = _wall(field.second - field.first, connected(owner), size, planes)
    mito, body, stripe = _mitochondria(neurites, owner, wall, positions, size, rng)
    inside = contents(neurites, rng)
    outline = nearest_two(inside.walls, positions, voxel_size=size, reach=25.0)
    shown = (outline.owner == owner) & (wall > 10) & (mito > 6)
    synapse = nearest_two(inside.synapses, positions, voxel_size=size, reach=0.0)
    return Scene(
        owner=owner,
        wall=wall,
        mitochondrion=mito,
        body=body,
        stripe=stripe,
        outline=np.where(shown, outline.first, FAR),
        synapse=np.clip(-synapse.first / 25, 0, 1),
        postsynaptic=synapse.owner != owner,
        voxel_size=size,
    )


def owners(
    neurites: list[Neurite], positions: Floats, size: tuple[float, ...]
) -> NDArray[np.int32]:
    """The neurite that each voxel belongs to (z, y, x); arguments as of `build_scene`."""
    return _everywhere(_nearest(neurites, positions, size).owner, size)


def _nearest(neurites: list[Neurite], positions: Floats, size: tuple[float, ...]) -> NearestOwners:
    capsules = join([neurite.capsules for neurite in neurites])
    return nearest_two(capsules, positions, voxel_size=size, reach=REACH)


def _everywhere(owner: NDArray[np.int32], size: tuple[float, ...]) -> NDArray[np.int32]:
    """Voxels that no neurite reached take the owner of the nearest voxel that one did."""
    if (owner >= 0).all():
        return owner
    nearest = ndimage.distance_transform_edt(
        owner < 0, sampling=size, return_distances=False, return_indices=True
    )
    filled: NDArray[np.int32] = owner[tuple(nearest)]
    return filled


def _wall(margin: Floats, labels: Ids, size: tuple[float, ...], planes: int) -> Floats:
    """Distance to the border of the neurite, nm, finer than a voxel.

    margin: how much nearer the voxel's own neurite is than the next; over its slope that is a
            distance.  Kept within a
    voxel of the distance to the nearest voxel of another label, so that membranes are where labels
    end, and nowhere else.
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
    return np.clip(
        distance, voxels - voxel, np.maximum(voxels + np.float32(0.5) * voxel, 0)
    ).astype(np.float32)


def _mitochondria(
    neurites: list[Neurite],
    owner: NDArray[np.int32],
    wall: Floats,
    positions: Floats,
    size: tuple[float, ...],
    rng: np.random.Generator,
) -> tuple[Floats, NDArray[np.int32], Floats]:
    """Distance to the surface of a mitochondrion (nm, negative inside), which one it is, and the
    position along its axis (nm)."""
    bodies = mitochondria(neurites, rng)
    field = nearest_two(bodies.capsules, positions, voxel_size=size, reach=25.0)
    host = np.array([*bodies.host, -1], np.int32)[field.owner]
    lining = np.float32(max(LINING, 2 * min(size)))
    distance = np.where(host == owner, np.maximum(field.first, lining - wall), FAR)
    axis = np.concatenate([bodies.axis, np.zeros((1, 3), np.float32)])[field.owner]
    stripe = axis[..., 0] * positions[0] + axis[..., 1] * positions[1] + axis[..., 2] * positions[2]
    return distance, field.owner, stripe
