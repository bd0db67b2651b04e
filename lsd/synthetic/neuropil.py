"""Neuropil that is grown as a whole: raw, and the truth of neurons and of mitochondria."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons
from lsd.spec.synthetic import Synthetic
from lsd.synthetic.centerlines import grown_skeletons
from lsd.synthetic.generator import Generator, Part
from lsd.synthetic.labels import connected, pieces_of_bodies
from lsd.synthetic.microscope import Imaging, damage, image
from lsd.synthetic.noise import DrawnNoise
from lsd.synthetic.render import Look, drawn_cytoplasm, grey_values
from lsd.synthetic.scene import build_scene
from lsd.synthetic.tissue import grown_tissue

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


class NeuropilGenerator(Generator):
    """`spec.Neuropil` and `spec.SerialSections`."""

    def parts(self) -> Iterator[Part]:
        """The volume, in one part."""
        yield Part((0, 0, 0), grown_arrays(self.spec))

    def skeletons(self) -> Skeletons:
        """The paths that neurites were grown along."""
        return grown_skeletons(self.spec)


def grown_arrays(synthetic: Synthetic) -> dict[str, NDArray[Any]]:
    """Arrays of the volume by name, all (z, y, x).

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
    cytoplasm = drawn_cytoplasm(scene.owner, look, painted)
    value = grey_values(scene, look, cytoplasm, DrawnNoise(painted, scene.owner.shape))
    value = value.reshape(-1, planes, *value.shape[1:]).mean(axis=1, dtype=np.float32)
    noise = DrawnNoise(imaged, value.shape)
    value = image(value, IMAGING[synthetic.kind], synthetic.voxel_size, noise)
    if synthetic.kind == "anisotropic":
        value = damage(value, damaged)
    neurons = connected(scene.owner[tissue.middle])
    inside = scene.mitochondrion[tissue.middle] < 0
    return {
        "volumes/raw": np.clip(value + 0.5, 0, 255).astype(np.uint8),
        "volumes/labels/neuron_ids": neurons,
        "volumes/labels/mitochondria": pieces_of_bodies(inside, neurons, scene.body[tissue.middle]),
    }
