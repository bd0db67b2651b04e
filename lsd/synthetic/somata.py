"""Cell bodies with nuclei among neurites, made block by block: what is at a voxel follows from the
seed and the voxel alone, so any block is the same whatever the blocks are.

Lengths are in steps, the shortest edge of a voxel; a step is drawn as 10 nm of other neuropil.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.spec.synthetic import Somata
from lsd.synthetic.capsules import FAR, Floats, NearestOwners, nearest_two
from lsd.synthetic.cells import Cells, cells
from lsd.synthetic.generator import Generator, Part, check_shape
from lsd.synthetic.lattice import PlacedNoise
from lsd.synthetic.microscope import image
from lsd.synthetic.neuropil import IMAGING, LOOKS
from lsd.synthetic.render import Cytoplasm, blend, grey_values, line, tones
from lsd.synthetic.scene import Scene
from lsd.synthetic.tangle import Tangle, tangle

Triple = tuple[int, int, int]

BLOCK = 64  # voxels that are made at once, an axis
HALO = 2  # voxels beyond a block that imaging blurs into it
DRAWN_AS = 10.0  # nm
WARP = ((2.2, 28.0), (0.5, 5.0))  # how far space is bent, and over which distance
REACH = 6.5  # beyond a neurite's own surface that it may fill
SEEN = 30.0  # beyond a cell's surface
LINING = 3.0  # of cytoplasm between a nucleus and the membrane
LOOK = LOOKS["isotropic"]
CELL_TONE, NUCLEUS_TONE, NUCLEOLUS_TONE, ENVELOPE_TONE = (150.0, 14.0), 166.0, 104.0, 78.0


class SomataGenerator(Generator):
    """`spec.Somata`."""

    def __init__(self, spec: Somata) -> None:
        super().__init__(spec)
        check_shape(spec)
        extent = tuple(n * step for n, step in zip(spec.shape, steps(spec), strict=True))
        self.cells = cells(spec.seed, extent, fraction=spec.fraction)

    def parts(self) -> Iterator[Part]:
        """Blocks, row by row."""
        shape = self.spec.shape
        for corner in product(*(range(0, n, BLOCK) for n in shape)):
            z, y, x = corner
            size = tuple(min(BLOCK, n - b) for b, n in zip(corner, shape, strict=True))
            yield self.part((z, y, x), size)

    def part(self, begin: Triple, shape: tuple[int, ...]) -> Part:
        """Any box of the volume: raw uint8, somata and nuclei uint64, whose ids are those of the
        cells, from 1 on."""
        seen = _seen(self.spec, self.cells, begin, shape)
        value = _grey_values(self.spec, seen)
        inner = tuple(slice(HALO, HALO + n) for n in shape)
        ids = np.where(seen.in_cell, seen.bodies.owner + 1, 0).astype(np.uint64)
        arrays: dict[str, NDArray[Any]] = {
            "volumes/raw": np.clip(value + 0.5, 0, 255).astype(np.uint8),
            "volumes/labels/somata": ids,
            "volumes/labels/nuclei": np.where(seen.nucleus < 0, ids, np.uint64(0)),
        }
        return Part(
            begin, {name: np.ascontiguousarray(data[inner]) for name, data in arrays.items()}
        )


@dataclass(frozen=True)
class _Seen:
    """What is where in a block and its halo, per voxel (z, y, x).

    positions: (3, z, y, x) where each voxel lies
    cells, around: those of the volume, and the neurites that may come into the block
    bodies, neurites: the nearest of each;  in_nucleus_of: the nearest nucleus
    wall:      to the membrane of the cell or neurite;  nucleus: to the surface of the cell's own,
               negative inside
    """

    noise: PlacedNoise
    positions: Floats
    cells: Cells
    bodies: NearestOwners
    around: Tangle
    neurites: NearestOwners
    wall: Floats
    nucleus: Floats
    in_nucleus_of: NearestOwners

    @property
    def in_cell(self) -> NDArray[np.bool_]:
        return self.bodies.first < 0


def steps(synthetic: Somata) -> tuple[float, ...]:
    """The size of a voxel in steps."""
    shortest = min(synthetic.voxel_size)
    return tuple(size / shortest for size in synthetic.voxel_size)


def _seen(synthetic: Somata, all_cells: Cells, begin: Triple, shape: tuple[int, ...]) -> _Seen:
    first = tuple(b - HALO for b in begin)
    noise = PlacedNoise(synthetic.seed, first, tuple(n + 2 * HALO for n in shape))
    size = steps(synthetic)
    positions = _positions(noise, size)
    low, high = positions.min(axis=(1, 2, 3)), positions.max(axis=(1, 2, 3))
    around = tangle(synthetic.seed, low.astype(np.float64) - REACH, high.astype(np.float64) + REACH)
    bodies = nearest_two(all_cells.bodies, positions, voxel_size=size, reach=SEEN, begin=first)
    nuclei = nearest_two(all_cells.nuclei, positions, voxel_size=size, reach=SEEN, begin=first)
    neurites = nearest_two(around.neurites, positions, voxel_size=size, reach=REACH, begin=first)
    wall = _wall(bodies, neurites)
    own = (bodies.first < 0) & (nuclei.owner == bodies.owner)
    nucleus = np.where(own, np.maximum(nuclei.first, np.float32(LINING) - wall), FAR)
    return _Seen(noise, positions, all_cells, bodies, around, neurites, wall, nucleus, nuclei)


def _positions(noise: PlacedNoise, size: tuple[float, ...]) -> Floats:
    """Where each voxel lies (3, z, y, x), in bent space."""
    index = np.indices(noise.shape, dtype=np.float32)
    index += np.array(noise.begin, np.float32)[:, None, None, None]
    positions = index * np.array(size, np.float32)[:, None, None, None]
    for amount, distance in WARP:
        for axis in range(3):
            bent = noise.smooth(tuple(distance / step for step in size))
            positions[axis] += np.float32(amount) * bent
    return positions


def _wall(bodies: NearestOwners, neurites: NearestOwners) -> Floats:
    """Distance to the nearest membrane: of a cell, between two of them, or between neurites."""
    # two surfaces that face each other come nearer by two steps a step, others by fewer
    between_cells = (bodies.second - bodies.first) / 2
    between_neurites = (neurites.second - neurites.first) / np.float32(1.7)
    between_neurites[neurites.owner < 0] = FAR
    return np.where(
        bodies.first < 0,
        np.minimum(-bodies.first, between_cells),
        np.minimum(bodies.first, between_neurites),
    )


def _grey_values(synthetic: Somata, seen: _Seen) -> Floats:
    scene = _scene(synthetic, seen)
    look = replace(LOOK, strength=synthetic.membranes)
    value = grey_values(scene, look, _cytoplasm(seen), seen.noise)
    value = _nuclei(value, scene, seen)
    return image(value, IMAGING["isotropic"], scene.voxel_size, seen.noise)


def _scene(synthetic: Somata, seen: _Seen) -> Scene:
    """What is seen as a scene of neuropil, in which lengths are in nm."""
    size, first = steps(synthetic), seen.noise.begin
    bodies = nearest_two(
        seen.around.mitochondria, seen.positions, voxel_size=size, reach=4.0, begin=first
    )
    # within cells they lie as they come, within neurites in their own
    hosted = seen.in_cell | (bodies.owner == seen.neurites.owner)
    bounds = np.maximum(np.float32(2.5) - seen.wall, np.float32(2.5) - seen.nucleus)
    mitochondrion = np.where(hosted, np.maximum(bodies.first, bounds), FAR)
    axis = seen.around.axis[bodies.owner]
    stripe = (np.moveaxis(axis, -1, 0) * seen.positions).sum(axis=0, dtype=np.float32)
    reticulum = np.abs(seen.noise.smooth(tuple(6 / step for step in size))) * np.float32(3.5)
    shown = seen.in_cell & (seen.wall > 2) & (seen.nucleus > 1.5) & (mitochondrion > 0.6)
    nothing = np.zeros(seen.wall.shape, np.float32)
    drawn_as = np.float32(DRAWN_AS)
    return Scene(
        owner=seen.neurites.owner,
        wall=drawn_as * np.maximum(seen.wall, 0),
        mitochondrion=drawn_as * mitochondrion,
        body=bodies.owner,
        stripe=drawn_as * stripe,
        outline=np.where(shown, drawn_as * reticulum, FAR),
        synapse=nothing,
        postsynaptic=nothing > 0,
        voxel_size=tuple(DRAWN_AS * step for step in size),
    )


def _cytoplasm(seen: _Seen) -> Cytoplasm:
    dark, rough = seen.around.uniform.T
    tone = tones(seen.around.normal.astype(np.float64), dark, LOOK)
    mean, spread = CELL_TONE
    of_cells = mean + spread * (2 * seen.cells.uniform - 1)
    return Cytoplasm(
        np.where(
            seen.in_cell,
            _by_owner(of_cells, seen.bodies, nobody=mean),
            _by_owner(tone, seen.neurites, nobody=LOOK.cytoplasm[0]),
        ),
        np.where(seen.in_cell, np.float32(1), _by_owner(0.5 + rough, seen.neurites, nobody=1.0)),
    )


def _nuclei(value: Floats, scene: Scene, seen: _Seen) -> Floats:
    """Paler than the cytoplasm, with patches of chromatin, a nucleolus and a dark envelope."""
    patches = np.clip(scene.noise(90, seen.noise) - np.float32(0.6), 0, None)
    chromatin = np.float32(NUCLEUS_TONE) + 9 * scene.noise(40, seen.noise) - 26 * patches
    radius = _by_owner(seen.cells.nuclei.radius[:, 0], seen.in_nucleus_of, nobody=1.0)
    from_middle = seen.in_nucleus_of.first + radius
    nucleolus: Floats = np.clip((np.float32(0.3) * radius - from_middle) / 2, 0, 1)
    chromatin = blend(chromatin, NUCLEOLUS_TONE, nucleolus)
    inside = np.clip(np.float32(0.5) - seen.nucleus, 0, 1)
    value = np.asarray(value + (chromatin - value) * inside, np.float32)
    return blend(value, ENVELOPE_TONE, np.float32(0.85) * line(seen.nucleus, 0.9))


def _by_owner(values: NDArray[Any], nearest: NearestOwners, *, nobody: float) -> Floats:
    """The value of each voxel's owner; `nobody` where it has none, which is owner -1."""
    return np.append(values, nobody).astype(np.float32)[nearest.owner]
