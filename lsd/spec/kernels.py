"""Kernels: which voxels around a voxel a target is about, an offset for each channel."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from math import prod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from lsd.spec.base import Ints, PerAxis, Positive, PositiveFloat, SeveralOffsets
from lsd.spec.kinds import Kind
from lsd.spec.plurals import counted

# of a kernel; each is a channel of a head, so more of them are a slip
MOST_OFFSETS = 10_000
# what a distance in voxels may be longer than the radius by, rounding
HAIR = 1e-9


class Kernel(Kind):
    """Offsets in voxels, z y x: which voxels around each voxel a target is about.

    It says them by itself, so that the channels of a network are known before a volume is opened.
    One of a module of one's own needs `axes` and `offsets_in`.
    """

    noun: ClassVar[str] = "kernel"
    default: ClassVar[str] = "box"
    is_data: ClassVar[bool] = True

    @property
    def axes(self) -> int:
        """2 or 3, those that it is written for; a 2D network takes one of 3, without its z."""
        raise TypeError(f"kernel {self.kind!r} does not say for how many axes it is: give it axes")

    def offsets_in(self, dims: int) -> tuple[Ints, ...]:
        """Its offsets in 2 or 3 axes, as many as `axes` at most; 0 among them where it is one."""
        raise TypeError(f"kernel {self.kind!r} has no offsets: give it offsets_in(dims)")

    def remarks(self, voxel_size: Sequence[float] | None) -> list[str]:
        """What is strange about it beside volumes of this voxel size, nm, one an axis of the
        network; None where nobody knows it."""
        return []

    def faults(self, dims: int) -> Iterator[str]:
        """What it cannot be beside a network of `dims` axes, a line each."""
        if self.axes < dims:
            yield (
                f"is of {counted(self.axes, 'axis')}, the network of {dims}; give "
                f"{' '.join('zyx'[-dims:])}"
            )


class Box(Kernel):
    """All voxels of a box around a voxel, row by row.

    size: voxels, z y x; of an even number of them one more lies above the voxel than below
    """

    kind: Literal["box"] = "box"
    size: Annotated[tuple[Positive, ...], PerAxis] = (3, 3, 3)

    @model_validator(mode="after")
    def _is_no_slip(self) -> Box:
        _check_count(prod(self.size))
        return self

    @property
    def axes(self) -> int:
        """Of its size."""
        return len(self.size)

    def offsets_in(self, dims: int) -> tuple[Ints, ...]:
        """index - (size - 1) // 2 along each axis."""
        sides = (range(-((n - 1) // 2), n - (n - 1) // 2) for n in self.size[-dims:])
        return tuple(itertools.product(*sides))


class Ball(Kernel):
    """All voxels whose centres are within a radius, row by row.

    radius:     nm, from the centre of the voxel to the farthest centres
    voxel_size: nm, z y x, of the volumes: what the network gives must be known before they are
                opened
    """

    kind: Literal["ball"] = "ball"
    radius: PositiveFloat
    voxel_size: Annotated[tuple[PositiveFloat, ...], PerAxis]

    @model_validator(mode="after")
    def _is_no_slip(self) -> Ball:
        # a ball fills half of its box
        _check_count(prod(2 * reach + 1 for reach in _reach(self.radius, self.voxel_size)) // 2)
        return self

    @property
    def axes(self) -> int:
        """Of its voxel size."""
        return len(self.voxel_size)

    def offsets_in(self, dims: int) -> tuple[Ints, ...]:
        """Those of at most the radius; in 2D a disk."""
        return _ball(self.radius, self.voxel_size[-dims:])

    def remarks(self, voxel_size: Sequence[float] | None) -> list[str]:
        """A remark where volumes have other voxels than it was made for, or do not say which."""
        if voxel_size is None:
            return [
                f"the kernel is a ball among voxels of {self.voxel_size} nm, and the volumes have "
                f"no voxel size; give them theirs, or name the offsets one by one"
            ]
        own = self.voxel_size[-len(voxel_size) :]
        if all(abs(a - b) <= 1e-3 * b for a, b in zip(own, voxel_size, strict=True)):
            return []
        size = tuple(float(length) for length in voxel_size)
        return [
            f"the kernel is a ball among voxels of {own} nm, and those of the volumes are {size} "
            f"nm, among which it is none; give it voxel_size={size}"
        ]


class OffsetList(Kernel):
    """Offsets one by one, in the order of the channels.

    offsets: voxels, z y x.  In 2D, offsets along z are dropped and the others lose their z
    """

    kind: Literal["list"] = "list"
    offsets: Annotated[tuple[Ints, ...], SeveralOffsets, Field(min_length=1)]

    @field_validator("offsets")
    @classmethod
    def _steps(cls, offsets: tuple[Ints, ...]) -> tuple[Ints, ...]:
        _check_count(len(offsets))
        for offset in offsets:
            if len(offset) != len(offsets[0]) or len(offset) not in (2, 3):
                raise ValueError(
                    f"offset {offset} of the kernel is not of 2 or 3 whole numbers, z y x, as many "
                    f"as the others have"
                )
        if len(set(offsets)) != len(offsets):
            raise ValueError("the kernel holds an offset twice; each is a channel, so name it once")
        return offsets

    @property
    def axes(self) -> int:
        """Of its offsets."""
        return len(self.offsets[0])

    def offsets_in(self, dims: int) -> tuple[Ints, ...]:
        """As they are written."""
        kept = (step[-dims:] for step in self.offsets if any(step[-dims:]) or not any(step))
        return tuple(dict.fromkeys(kept))


def as_kernel(value: Any) -> Any:
    """A list of offsets where a kernel is wanted stands for an `OffsetList`."""
    return {"kind": "list", "offsets": value} if isinstance(value, tuple | list) else value


def one_of_each_pair(offsets: Sequence[Ints]) -> tuple[Ints, ...]:
    """The offsets, of two opposite ones only that which comes first, row by row."""
    among = set(offsets)
    opposites = ((offset, tuple(-step for step in offset)) for offset in offsets)
    return tuple(
        offset for offset, opposite in opposites if opposite not in among or offset < opposite
    )


def _check_count(count: int) -> None:
    if count > MOST_OFFSETS:
        raise ValueError(
            f"the kernel has about {count:,} offsets, each of them a channel of the head; make it "
            f"smaller, of {MOST_OFFSETS:,} at most"
        )


def _reach(radius: float, voxel_size: Sequence[float]) -> tuple[int, ...]:
    """Voxels from the centre to the farthest along each axis."""
    return tuple(int(radius / size * (1 + HAIR)) for size in voxel_size)


@cache
def _ball(radius: float, voxel_size: tuple[float, ...]) -> tuple[Ints, ...]:
    sides = (range(-reach, reach + 1) for reach in _reach(radius, voxel_size))
    return tuple(
        offset
        for offset in itertools.product(*sides)
        if sum((k * size / radius) ** 2 for k, size in zip(offset, voxel_size, strict=True))
        <= 1 + HAIR
    )
