"""The U-Net of the paper: its sizes and what it costs.  Its layers are in unet_module."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lsd.network.levels import Levels
from lsd.network.trunks.trunk import Architecture
from lsd.network.walk import Walk
from lsd.spec import UNet
from lsd.spec.base import Shape

if TYPE_CHECKING:
    from torch import nn


class UNetTrunk(Architecture[UNet]):
    """Convolutions and poolings down, up-sampling and convolutions up, skips cropped and
    concatenated."""

    def module(self, in_channels: int) -> nn.Module:
        """See `lsd.network.trunks.unet_module`."""
        from lsd.network.trunks.unet_module import UNetModule

        return UNetModule(
            self.spec,
            self.levels,
            widths=self.widths,
            in_channels=in_channels,
            features_out=self.features_out,
        )

    @property
    def levels(self) -> Levels:
        """The convolutions and poolings that the spec describes."""
        spec = self.spec
        kernels = spec.level_kernels or (spec.kernels,) * (len(spec.factors) + 1)
        return Levels(kernels, spec.factors, padded=spec.padding == "same")

    @property
    def widths(self) -> tuple[int, ...]:
        """Feature maps of each level."""
        spec = self.spec
        return tuple(
            spec.features * spec.multiplier**level for level in range(len(spec.factors) + 1)
        )

    @property
    def features_out(self) -> int:
        """Channels that the heads read."""
        return self.spec.features_out or self.widths[0]

    def walk(self, walk: Walk) -> None:
        """The operations of `UNetModule`."""
        factors, maps, sides, skips = self.spec.factors, self.widths, self.levels.kernels, []
        convolve = self._convolve(walk)
        for width, side, factor in zip(maps, sides, factors, strict=False):
            for kernel in side:
                convolve(width, kernel)
            skips.append(walk.copy())
            walk.pool(factor)
        for kernel in sides[-1]:
            convolve(maps[-1] if factors else self.features_out, kernel)
        for level in reversed(range(len(factors))):
            walk.upsample(maps[level], factors[level], nearest=self.spec.upsample == "nearest")
            walk.join(skips.pop())
            for kernel in sides[level]:
                convolve(maps[level] if level else self.features_out, kernel)

    def _convolve(self, walk: Walk) -> Callable[[int, Shape], None]:
        return partial(walk.convolve, padded=self.levels.padded, norm=self.spec.norm is not None)
