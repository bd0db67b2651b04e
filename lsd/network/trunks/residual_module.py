"""The layers of the residual symmetric U-Net: residual modules, summed skips, same padding."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from lsd.network.layers import POOL, Convolution, activate, folded, upsampling
from lsd.spec import ResidualUNet, Shape

if TYPE_CHECKING:
    from lsd.network.trunks.residual import ResidualTrunk


class ResidualModule(nn.Module):
    """(b, in_channels, *input) -> (b, features_out, *input); the input is a multiple of the step.

    Source: Lee et al. 2017, Superhuman accuracy on the SNEMI3D connectomics challenge.
    """

    def __init__(self, trunk: ResidualTrunk, *, in_channels: int) -> None:
        super().__init__()
        spec, maps, inner = trunk.spec, trunk.spec.widths, range(len(trunk.spec.factors))
        sides, features_out = trunk.levels.kernels, trunk.features_out
        first = sides[0][0]
        self._fold = spec.fold or (1,) * spec.dims
        self.embed = _convolution(spec, in_channels * prod(self._fold), maps[0], first)
        self.down = nn.ModuleList(
            _module(spec, maps[max(level - 1, 0)], maps[level], sides[level][-1]) for level in inner
        )
        self.pools = nn.ModuleList(POOL[spec.dims](factor, factor) for factor in spec.factors)
        self.lowest = _module(spec, maps[-2:][0], maps[-1], sides[-1][-1])
        self.ups = nn.ModuleList(
            upsampling(maps[level + 1], maps[level], spec.factors[level])
            for level in reversed(inner)
        )
        self.up = nn.ModuleList(
            _module(spec, maps[level], maps[level], sides[level][-1]) for level in reversed(inner)
        )
        self.out = _convolution(spec, maps[0], maps[0] if spec.fold else features_out, first)
        self.unfold = (
            nn.Sequential(upsampling(maps[0], features_out, spec.fold), activate(spec.activation))
            if spec.fold
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

    def __init__(self, spec: ResidualUNet, channels: int, kernel: Shape) -> None:
        super().__init__()
        self.first = _convolution(spec, channels, channels, kernel)
        self.second = _convolution(spec, channels, channels, kernel, gain=0.0)

    def forward(self, y: Tensor) -> Tensor:
        """Activated sum."""
        # in place: no gradient needs what a convolution gave
        return cast(Tensor, self.second.activation(self.second.linear(self.first(y)).add_(y)))


def _module(spec: ResidualUNet, channels: int, out: int, kernel: Shape) -> nn.ModuleList:
    return nn.ModuleList((_convolution(spec, channels, out, kernel), Shortcut(spec, out, kernel)))


def _convolution(
    spec: ResidualUNet, channels: int, out: int, kernel: Shape, gain: float | None = None
) -> Convolution:
    return Convolution(
        channels,
        out,
        kernel=kernel,
        activation=spec.activation,
        padded=True,
        norm=spec.norm,
        gain=gain,
    )
