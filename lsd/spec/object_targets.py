"""What heads learn of objects such as mitochondria, nuclei and vesicles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from lsd.spec.base import Id, Ints, PositiveFloat, Several
from lsd.spec.kernels import Box, Kernel, as_kernel, one_of_each_pair
from lsd.spec.targets import OfObjects


class Occupancy(OfObjects):
    """Local occupancy vectors: what each voxel says of the voxels of a kernel around it, a channel
    each.  Opinions of several voxels on one are made into one by consensus.

    mode:   "foreground": whether the voxel at an offset is of an object, whichever; "instance":
            whether it is of the same object as the voxel itself, so that these are affinities, also
            far ones, which every decoder of affinities reads
    kernel: the offsets: Box(size=(3, 3, 3)), Ball(radius=30, voxel_size=(40, 4, 4)) in nm, or a
            list of offsets in voxels, z y x.  In 2D they lose their z.  0, the voxel itself, is no
            channel of mode "instance"
    half:   of two opposite offsets only the first, row by row: of mode "instance", where both say
            the same of a pair of voxels
    """

    kind: Literal["occupancy"] = "occupancy"
    behaviour: ClassVar[str] = "lsd.targets.occupancy:OccupancyTarget"
    mode: Literal["foreground", "instance"] = "instance"
    kernel: Annotated[Kernel, BeforeValidator(as_kernel)] = Box()
    half: bool = False

    @model_validator(mode="after")
    def _half_says_all(self) -> Occupancy:
        if self.half and self.mode == "foreground":
            raise ValueError(
                'half a kernel does not do for mode "foreground": a channel says something of the '
                "voxel at its offset and nothing of the pair, so opposite offsets differ; leave "
                'half out, or take mode="instance"'
            )
        return self

    def offsets_in(self, dims: int) -> tuple[Ints, ...]:
        """Offsets of the channels in 2 or 3 axes, as many as the kernel has at most."""
        offsets = self.kernel.offsets_in(dims)
        if self.mode == "foreground":
            return offsets
        steps = tuple(offset for offset in offsets if any(offset))
        return one_of_each_pair(steps) if self.half else steps

    def affinity_offsets(self) -> tuple[Ints, ...] | None:
        """The offsets of mode "instance", in the axes of the kernel."""
        return self.offsets_in(self.kernel.axes) if self.mode == "instance" else None

    def faults(self, dims: int) -> Iterator[str]:
        """A kernel of too few axes, or one that has nothing but the voxel itself."""
        faults = list(self.kernel.faults(dims))
        if not faults and not self.offsets_in(dims):
            faults = [
                f"has no voxel within {dims} axes but the one in its middle, which is no channel "
                f"of mode {self.mode!r}; make it larger"
            ]
        yield from (f"kernel: {fault}" for fault in faults)


class InteriorBoundary(OfObjects):
    """Interior and boundary of objects, two channels; both are 0 on background.  Objects that touch
    have a boundary between them and interiors apart.

    width: how far from the next object or the background, from centre to centre, voxels of an
           object are of its boundary
    unit:  of the width: "voxels", or "nm"
    """

    kind: Literal["interior_boundary"] = "interior_boundary"
    behaviour: ClassVar[str] = "lsd.targets.interior_boundary:InteriorBoundaryTarget"
    width: PositiveFloat = 1.0
    unit: Literal["voxels", "nm"] = "voxels"

    def nanometres(self) -> str:
        """The width, where it is in nm."""
        return "width" if self.unit == "nm" else ""


class SignedDistance(OfObjects):
    """Distance to the border of an object, above 0 inside and below outside; one channel in -1..1,
    which a head gives by tanh.  Objects that touch are apart by a fall to one voxel.

    reach: nm, from which on it is 1 or -1
    """

    kind: Literal["signed_distance"] = "signed_distance"
    behaviour: ClassVar[str] = "lsd.targets.signed_distance:SignedDistanceTarget"
    reach: PositiveFloat = 50.0

    def nanometres(self) -> str:
        """Reach."""
        return "reach"


class Semantic(OfObjects):
    """Which of several classes a voxel is of, by the labels or an array that say so: a channel each
    and channel 0 for the background, probabilities that add up to 1.  Learned by CrossEntropy.

    classes: labels of the classes, one channel each from 1 on; label 0 is the background
    ignore:  labels of which nothing is known, so that they are not trained
    """

    kind: Literal["semantic"] = "semantic"
    behaviour: ClassVar[str] = "lsd.targets.semantic:SemanticTarget"
    classes: Annotated[tuple[Id, ...], Several, Field(min_length=1)]
    ignore: Annotated[tuple[Id, ...], Several] = ()

    def wants_classes(self) -> bool:
        """Where it is about the labels."""
        return self.array is None

    @model_validator(mode="after")
    def _each_label_means_one_thing(self) -> Semantic:
        named = (0, *self.classes)
        if len(set(named)) != len(named):
            raise ValueError(
                f"classes {self.classes} name a label twice, or 0, which is the background and "
                "channel 0; name each other label once"
            )
        both = sorted(set(self.classes) & set(self.ignore))
        if both:
            raise ValueError(f"label {both[0]} is in classes and in ignore; leave it out of one")
        return self
