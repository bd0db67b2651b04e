"""Made-up volumes, with their truth."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lsd.spec.base import MOST, PerAxis, PositiveFloat, Shape
from lsd.spec.kinds import Kind

VoxelSize = Annotated[tuple[PositiveFloat, ...], PerAxis]


class Synthetic(Kind):
    """A made-up volume with its truth; see lsd.synthetic.generator for what a kind of it does.

    kind:       "isotropic" neuropil, "anisotropic" serial sections of it with their defects, or
                "somata": cell bodies in a coarser neuropil
    shape:      voxels, z y x
    voxel_size: in nm, z y x; neurites have their size in nm, so larger voxels show thinner ones
    membranes:  how dark membranes are, as a share of the usual: fainter ones are harder to find
    seed:       what it is grown from: another one gives another volume
    """

    default: ClassVar[str] = "isotropic"
    noun: ClassVar[str] = "synthetic volume"

    kind: str = "isotropic"
    shape: Shape = (128, 128, 128)
    voxel_size: VoxelSize = (10.0, 10.0, 10.0)
    # not written where it is the usual one: volumes of before had no such field
    membranes: Annotated[float, Field(gt=0, le=1, exclude_if=lambda share: share == 1)] = 1.0
    seed: Annotated[int, Field(ge=-MOST, le=MOST)] = 0


class Neuropil(Synthetic):
    """Neurites that fill the volume, with their mitochondria, in isotropic voxels."""

    kind: Literal["isotropic"] = "isotropic"
    behaviour: ClassVar[str] = "lsd.synthetic.neuropil:NeuropilGenerator"


class SerialSections(Synthetic):
    """The same in serial sections, with their shifts, cracks and bad contrast."""

    kind: Literal["anisotropic"] = "anisotropic"
    behaviour: ClassVar[str] = "lsd.synthetic.neuropil:NeuropilGenerator"


class Somata(Synthetic):
    """Cell bodies with their nuclei among neurites, made block by block, so that a volume of any
    size takes no more memory than a small one.

    Truth is volumes/labels/somata and volumes/labels/nuclei.  Cells are 32 to 96 voxels across,
    counted along the axis whose voxels are shortest, whatever voxel_size is; neurites are 4 to 16.

    fraction: about which part of the volume cells fill; 0.12 is one or two cells in every 96^3
              voxels
    """

    kind: Literal["somata"] = "somata"
    behaviour: ClassVar[str] = "lsd.synthetic.somata:SomataGenerator"
    voxel_size: VoxelSize = (40.0, 40.0, 40.0)
    fraction: Annotated[float, Field(gt=0, le=0.12)] = 0.06


__all__ = ["Neuropil", "SerialSections", "Somata", "Synthetic", "VoxelSize"]
