"""What is done to a batch, whatever kind of augmentation it is.

A kind of augmentation is a spec, plain data in a config, and a class that does what the spec says,
made from it.  In a module of one's own, for what changes raw alone:

    class Gamma(Augmentation):                        # lsd.spec.Augmentation
        kind: Literal["gamma"] = "gamma"
        behaviour: ClassVar[str] = "my_module:GammaAugmentation"
        power: Range = (0.8, 1.25)

    class GammaAugmentation(RawAugmentation[Gamma]):
        def change(self, raw, rng): return raw ** np.float32(rng.uniform(*self.spec.power))

What moves voxels is a `GeometricAugmentation` (see deform.py); anything else gives a gunpowder node
of its own (`AugmentationKind.node`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

import gunpowder as gp
import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.batches.keys import RawFilter
from lsd.spec.kinds import answer_for, behaviour

Settings = TypeVar("Settings", bound=spec.Augmentation)


class AugmentationKind(ABC, Generic[Settings]):
    """What a kind of augmentation does; an instance is made from its spec, which is `self.spec`.

    moves: whether voxels change their places, so that what is labelled must be looked at again
    """

    moves: ClassVar[bool] = False

    def __init__(self, settings: Settings) -> None:
        self.spec = settings

    @abstractmethod
    def node(self, *, voxel_size: Sequence[float], flat: bool) -> gp.BatchFilter:
        """The gunpowder node that does it, by itself.

        voxel_size: nm, z y x;  flat: sections of a 2D network, which stay in their plane

        Arrays are z y x, by the keys of `lsd.batches.keys`.  RAW is float32 in 0..1; to those that
        move voxels it may come as uint8 as well, which the next turns into that.
        """

    def joins(self, run: Sequence[AugmentationKind[Any]]) -> bool:
        """Whether it is done in one go with the augmentations just before it in the dataset."""
        return False

    def nodes(
        self, run: Sequence[AugmentationKind[Any]], *, voxel_size: Sequence[float], flat: bool
    ) -> list[gp.BatchFilter]:
        """The nodes of a run that begins with this one and goes on with those that joined it."""
        nodes = [kind.node(voxel_size=voxel_size, flat=flat) for kind in run]
        return [
            answer_for(node, kind.spec, names=("prepare", "process"))
            for kind, node in zip(run, nodes, strict=True)
        ]


class RawAugmentation(AugmentationKind[Settings]):
    """Changes raw alone."""

    @abstractmethod
    def change(self, raw: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """New raw (z, y, x), float32 in 0..1, of the shape of the given one, which stays as it is.

        rng: all that is random is drawn from it, so that batch i follows from the seed and i
        """

    def node(self, *, voxel_size: Sequence[float], flat: bool) -> gp.BatchFilter:
        """A node that changes raw."""
        return RawFilter(self.change)


def augmentation_kind(augmentation: spec.Augmentation) -> AugmentationKind[Any]:
    """What an augmentation does, made from its spec.  Raises ValueError where its class cannot be
    imported."""
    return cast(AugmentationKind[Any], behaviour(augmentation))


def runs(kinds: Sequence[AugmentationKind[Any]]) -> list[list[AugmentationKind[Any]]]:
    """The augmentations in their order, those that are done in one go together."""
    together: list[list[AugmentationKind[Any]]] = []
    for kind in kinds:
        if together and kind.joins(together[-1]):
            together[-1].append(kind)
        else:
            together.append([kind])
    return together
