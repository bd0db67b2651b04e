"""A trunk as a user would write it: valid convolutions, one after another."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal

from torch import nn

from lsd.network.levels import Levels
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
