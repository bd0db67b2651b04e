"""Trunks as a user would write them: valid convolutions, one after another; and one of strides,
whose sizes are no levels."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal

from funlib.geometry import Coordinate
from torch import nn

from lsd.network.levels import Extent, Levels
from lsd.network.trunks.trunk import Architecture
from lsd.spec import Trunk


class Plain(Trunk):
    """So many 3x3x3 convolutions of `width` maps each."""

    kind: Literal["plain"] = "plain"
    behaviour: ClassVar[str] = "kinds_outside.trunks:PlainTrunk"
    width: int = 6
    depth: int = 3

    @property
    def dims(self) -> int:
        return 3


class PlainTrunk(Architecture[Plain]):
    def module(self, in_channels: int) -> nn.Module:
        widths = [in_channels, *[self.spec.width] * self.spec.depth]
        return nn.Sequential(
            *(nn.Sequential(nn.Conv3d(a, b, 3), nn.ReLU(inplace=True)) for a, b in pairwise(widths))
        )

    @property
    def levels(self) -> Levels:
        return Levels(kernels=(((3, 3, 3),) * self.spec.depth,))


class Strided(Trunk):
    """Half the resolution inside, by a convolution of stride 2."""

    kind: Literal["strided"] = "strided"
    behaviour: ClassVar[str] = "kinds_outside.trunks:StridedTrunk"

    @property
    def dims(self) -> int:
        return 3


class StridedTrunk(Architecture[Strided]):
    def module(self, in_channels: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv3d(in_channels, 4, 2, stride=2),
            nn.ReLU(inplace=True),
            nn.Conv3d(4, 8, 3),
            nn.ReLU(inplace=True),
            nn.ConvTranspose3d(8, self.spec.features_out or 5, 2, stride=2),
        )

    def extent(self, *, training: bool = False) -> Extent:
        return Extent(Coordinate((2,) * 3), Coordinate((0,) * 3), Coordinate((4,) * 3))
