"""The residual symmetric U-Net: residual modules, summed skips, same padding."""

from __future__ import annotations

from math import prod
from typing import cast

from torch import Tensor, nn

from lsd.network.cost import features_out
from lsd.network.layers import POOL, Convolution, activate, folded, upsampling
from lsd.network.levels import fold, kernels
from lsd.spec import ResidualUNet, Shape


class ResidualTrunk(nn.Module):
    """(b, in_channels, *input) -> (b, features_out, *input); the input is a multiple of the step.

    Source: Lee et al. 2017, Superhuman accuracy on the SNEMI3D connectomics challenge.
    """

    def __init__(self, trunk: ResidualUNet, *, in_channels: int) -> None:
        super().__init__()
        maps, inner = trunk.widths, range(len(trunk.factors))
        first = kernels(trunk)[0][0]
        self._fold = tuple(fold(trunk))
        self.embed = _convolution(trunk, in_channels * prod(self._fold), maps[0], first)
        self.down = nn.ModuleList(_module(trunk, maps[max(level - 1, 0)], level) for level in inner)
        self.pools = nn.ModuleList(POOL[trunk.dims](factor, factor) for factor in trunk.factors)
        self.lowest = _module(trunk, maps[-2:][0], len(inner))
        self.ups = nn.ModuleList(
            upsampling(maps[level + 1], maps[level], trunk.factors[level])
            for level in reversed(inner)
        )
        self.up = nn.ModuleList(_module(trunk, maps[level], level) for level in reversed(inner))
        self.out = _convolution(
            trunk, maps[0], maps[0] if trunk.fold else features_out(trunk), first
        )
        self.unfold = (
            nn.Sequential(
                upsampling(maps[0], features_out(trunk), trunk.fold), activate(trunk.activation)
            )
            if trunk.fold
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features before the heads."""
        # one name for all that flows, and no calls that hold it: arrays are freed as soon as they
        # have been read
        skips = []
        x = self.embed(folded(x, self._fold))
        for module, pool in zip(self.down, self.pools, strict=True):
            for layer in cast(nn.ModuleList, module):
                x = layer(x)
            skips.append(x)
            x = pool(x)
        for layer in self.lowest:
            x = layer(x)
        for upsample, module in zip(self.ups, self.up, strict=True):
            # in place: the result of an up-sampling is needed by nobody else
            x = upsample(x).add_(skips.pop())
            for layer in cast(nn.ModuleList, module):
                x = layer(x)
        return cast(Tensor, self.unfold(self.out(x)))


class Shortcut(nn.Module):
    """f(y + c * f(b * y)), f the activation: (b, channels, *spatial), the same shape.

    c starts at 0, so that depth adds no variance and a network starts as a shallow one.
    """

    def __init__(self, trunk: ResidualUNet, channels: int, kernel: Shape) -> None:
        super().__init__()
        self.first = _convolution(trunk, channels, channels, kernel)
        self.second = _convolution(trunk, channels, channels, kernel, gain=0.0)

    def forward(self, y: Tensor) -> Tensor:
        """Activated sum."""
        # in place: no gradient needs what a convolution gave
        return cast(Tensor, self.second.activation(self.second.linear(self.first(y)).add_(y)))


def _module(trunk: ResidualUNet, channels: int, level: int) -> nn.ModuleList:
    kernel, out = kernels(trunk)[level][-1], trunk.widths[level]
    return nn.ModuleList((_convolution(trunk, channels, out, kernel), Shortcut(trunk, out, kernel)))


def _convolution(
    trunk: ResidualUNet, channels: int, out: int, kernel: Shape, gain: float | None = None
) -> Convolution:
    return Convolution(
        channels,
        out,
        kernel=kernel,
        activation=trunk.activation,
        padded=True,
        norm=trunk.norm,
        gain=gain,
    )
