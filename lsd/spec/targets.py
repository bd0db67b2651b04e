"""What a head learns from labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from lsd.spec.base import (
    Ints,
    OneOrEachAxis,
    Positive,
    PositiveFloat,
    SeveralOffsets,
    too_few,
)
from lsd.spec.kinds import Kind

NEAREST = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
# channels of descriptors
CHANNELS = {2: 6, 3: 10}


class Target(Kind):
    """What a head learns; see `lsd.targets.target` for what the class that it names does.

    What follows from the fields alone is said by the spec: what it cannot do, and which affinities
    it is.
    """

    noun: ClassVar[str] = "target"

    def faults(self, dims: int) -> Iterator[str]:
        """What it cannot be beside a network of `dims` axes (2 or 3): a line each, which begins
        with the field, as in "sigma: ...".  Nothing unless a kind says so."""
        yield from ()

    def nanometres(self) -> str:
        """The field that is a length in nm, as in "sigma", which a volume without a voxel size has
        none for; "" where there is none.  Unless a kind says so, all is counted in voxels."""
        return ""

    def affinity_offsets(self) -> tuple[Ints, ...] | None:
        """Offsets of the channels, as in `Affinities.neighborhood`, where it is affinities, which
        can be segmented; None for any other target."""
        return None

    def objects(self) -> str | None:
        """Name of the array (Volume.arrays) whose objects it is about; None: the labels."""
        return None

    def wants_classes(self) -> bool:
        """Whether it takes labels for numbers of classes, which mean the same everywhere; for names
        of objects unless a kind says so."""
        return False


class OfObjects(Target):
    """Targets of the objects of labels, or of those of another array.

    array: its name in Volume.arrays, as of mitochondria beside neurons; None: the labels
    """

    # not written where it is the usual one: targets of before had no such field
    array: Annotated[
        Annotated[str, Field(min_length=1)] | None, Field(exclude_if=lambda name: name is None)
    ] = None

    def objects(self) -> str | None:
        """The array."""
        return self.array


class WithNeighborhood(Target):
    """Targets of which affinities are predicted.

    neighborhood: offsets in voxels, z y x, one channel each.  In 2D, offsets along z are dropped
                  and the others lose their z
    """

    neighborhood: Annotated[tuple[Ints, ...], SeveralOffsets, Field(min_length=1)] = NEAREST

    @field_validator("neighborhood")
    @classmethod
    def _offsets(cls, offsets: tuple[Ints, ...]) -> tuple[Ints, ...]:
        for offset in offsets:
            if len(offset) != len(offsets[0]) or len(offset) not in (2, 3) or not any(offset):
                raise ValueError(
                    f"offset {offset} of the neighborhood is not a step of 2 or 3 whole numbers, z "
                    f"y x, other than 0"
                )
        if len(set(offsets)) != len(offsets):
            raise ValueError(
                "neighborhood holds an offset twice; each gives one channel, so name it once"
            )
        return offsets

    def faults(self, dims: int) -> Iterator[str]:
        """Offsets of too few axes, or none that is left in 2D."""
        short = [offset for offset in self.neighborhood if len(offset) < dims]
        if short:
            yield f"neighborhood: offset {too_few(short[0], dims)}"
        elif not any(any(offset[-dims:]) for offset in self.neighborhood):
            yield (
                f"neighborhood: {self.neighborhood} has no offset within {dims} axes; add one in y "
                f"or x"
            )

    def affinity_offsets(self) -> tuple[Ints, ...]:
        """The offsets of the neighborhood."""
        return self.neighborhood


class Affinities(WithNeighborhood, OfObjects):
    """1 where a voxel and its neighbour at an offset are one neuron.

    neighborhood: offsets in voxels, z y x, one channel each.  In 2D, offsets along z are dropped
                  and the others lose their z
    """

    kind: Literal["affinities"] = "affinities"
    behaviour: ClassVar[str] = "lsd.targets.affinities:AffinityTarget"


class Embeddings(WithNeighborhood):
    """Dense voxel embeddings: `dimensions` numbers for each voxel, near each other within an object
    and far apart between objects.  Learned by the loss Discriminative.

    What is predicted are affinities, by how near two embeddings are; so decoders, blocks and
    averages over flips take such a head as any other of affinities.

    neighborhood: offsets in voxels of the affinities, z y x, one channel each; as of Affinities
    dimensions:   channels that the network gives
    dd:           half the distance (sum of absolute differences) from which on two embeddings are
                  of different objects: their affinity is 0
    """

    kind: Literal["embeddings"] = "embeddings"
    behaviour: ClassVar[str] = "lsd.targets.embeddings:EmbeddingTarget"
    dimensions: Positive = 12
    dd: PositiveFloat = 1.5


class Descriptors(OfObjects):
    """Local shape descriptors: 10 channels in 3D, 6 in 2D.

    sigma:      nm, one value or one per axis (z y x): how far around a voxel its object counts
    downsample: statistics on every f-th voxel along each axis, which is faster
    mode:       the window: "gaussian", or "sphere" for a ball of radius sigma
    components: digits of the channels to keep, e.g. "0129"; None: all
    background: label 0 inside the mask is ignored (fib25, hemi) or trained to 0 (zebrafinch)
    connected:  pieces of one label that are apart get statistics of their own
    """

    kind: Literal["descriptors"] = "descriptors"
    behaviour: ClassVar[str] = "lsd.targets.descriptors:DescriptorTarget"
    sigma: OneOrEachAxis = 80.0
    downsample: Positive = 1
    components: Annotated[str, Field(pattern="^[0-9]+$")] | None = None
    mode: Literal["gaussian", "sphere"] = "gaussian"
    background: Literal["ignore", "zero"] = "ignore"
    connected: bool = False

    def nanometres(self) -> str:
        """Sigma."""
        return "sigma"

    def faults(self, dims: int) -> Iterator[str]:
        """A sigma of too few axes, or channels that are not there in 2D."""
        if isinstance(self.sigma, tuple) and len(self.sigma) < dims:
            yield f"sigma: {too_few(self.sigma, dims)}, or one for all"
        digits = self.components or ""
        if len(set(digits)) < len(digits) or any(int(digit) >= CHANNELS[dims] for digit in digits):
            allowed = "".join(map(str, range(CHANNELS[dims])))
            yield (
                f"components: {digits!r} names channels of {dims}D by digits, each once; there "
                f"are: {allowed}"
            )


class Boundary(OfObjects):
    """1 near another label or background, 0 inside a neuron; one channel.

    width: how many voxels near
    """

    kind: Literal["boundary"] = "boundary"
    behaviour: ClassVar[str] = "lsd.targets.boundary:BoundaryTarget"
    width: Positive = 1


class Mask(Target):
    """1 where another array of the volume is not 0, e.g. mitochondria; one channel.

    array: its name in Volume.arrays
    """

    kind: Literal["mask"] = "mask"
    behaviour: ClassVar[str] = "lsd.targets.foreground:ForegroundTarget"
    array: str

    def objects(self) -> str:
        """The array."""
        return self.array


class Foreground(OfObjects):
    """1 where there is an object, whichever, 0 on background; one channel."""

    kind: Literal["foreground"] = "foreground"
    behaviour: ClassVar[str] = "lsd.targets.foreground:ForegroundTarget"
