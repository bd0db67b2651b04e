"""What makes a synthetic volume: the base of every kind of it.

A kind is two classes: a spec, which is plain data and names the kind, and the generator that is
made from the spec:

    class Bubbles(spec.Synthetic):
        kind: Literal["bubbles"] = "bubbles"
        behaviour: ClassVar[str] = "my_volumes:BubbleGenerator"

    class BubbleGenerator(Generator):
        def parts(self):
            ...
            yield Part((0, 0, 0), {"volumes/raw": raw, "volumes/labels/bubbles": labels})
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons
from lsd.spec.synthetic import Synthetic

LEAST_SHAPE = 16


@dataclass(frozen=True)
class Part:
    """A box of the volume.

    begin:  of the volume, voxel z y x that is the first of the part
    arrays: of one shape (z, y, x), by name: "volumes/raw", and truth as "volumes/labels/..."
    """

    begin: tuple[int, int, int]
    arrays: dict[str, NDArray[Any]]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels of the part, z y x."""
        return next(iter(self.arrays.values())).shape

    @property
    def place(self) -> tuple[slice, ...]:
        """Where in the volume the part lies."""
        return tuple(slice(b, b + n) for b, n in zip(self.begin, self.shape, strict=True))


class Generator(ABC):
    """Made from its spec (`self.spec`), of which alone everything is a function."""

    def __init__(self, spec: Synthetic) -> None:
        # of the kind that this class belongs to, so its fields are known to it alone
        self.spec: Any = spec

    @abstractmethod
    def parts(self) -> Iterator[Part]:
        """Parts that are the volume together, each made when it is asked for."""

    def skeletons(self) -> Skeletons:
        """Center lines of the labels.  Raises ValueError where none are known."""
        raise ValueError(
            f"a synthetic volume of kind {self.spec.kind!r} has no skeletons; those of neuropil do"
        )


def check_shape(synthetic: Synthetic, *, in_plane: bool = False) -> None:
    """Raises ValueError if the shape has not three axes of LEAST_SHAPE voxels or more.

    in_plane: z may be of any size
    """
    shape, voxel_size = synthetic.shape, synthetic.voxel_size
    if len(shape) != 3 or len(voxel_size) != 3:
        raise ValueError(
            f"a synthetic volume has three axes, got shape {shape} and voxel_size {voxel_size}; "
            f"give z, y and x of both"
        )
    if min(shape[1:] if in_plane else shape) < LEAST_SHAPE:
        raise ValueError(
            f"a synthetic volume of shape {shape} is too small; give {LEAST_SHAPE} voxels or more "
            f"an axis"
        )
