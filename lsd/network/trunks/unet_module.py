"""The layers of the U-Net of the paper: valid convolutions, transposed up-sampling, skips cropped
and concatenated."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from lsd.network.layers import POOL, Convolution, Nearest, crop, upsampling

if TYPE_CHECKING:
    from lsd.network.trunks.unet import UNetTrunk


class UNetModule(nn.Module):
    """(b, in_channels, *input) -> (b, features_out, *output), sizes as in `lsd.network.sizes`.

    Up-sampling leads down to the finer level's feature maps before the skip is concatenated.
    Sources: Ronneberger et al. 2015; Funke et al. 2019; Sheridan et al. 2022.
    """

    def __init__(self, trunk: UNetTrunk, *, in_channels: int) -> None:
        super().__init__()
        spec, maps, inner = trunk.spec, trunk.widths, range(len(trunk.spec.factors))
        entering = (in_channels, *maps)
        leaving = (trunk.features_out, *maps[1:])
        up = {"transposed": upsampling, "nearest": Nearest}[spec.upsample]
        self.down = nn.ModuleList(
            _side(trunk, entering[level], maps[level], level) for level in inner
        )
        self.pools = nn.ModuleList(POOL[spec.dims](factor, factor) for factor in spec.factors)
        self.lowest = _side(trunk, entering[len(inner)], leaving[-1], len(inner))
        self.ups = nn.ModuleList(
            up(maps[level + 1], maps[level], spec.factors[level]) for level in reversed(inner)
        )
        self.up = nn.ModuleList(
            _side(trunk, 2 * maps[level], leaving[level], level) for level in reversed(inner)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features before the heads."""
        # one name for all that flows, and no calls that hold it: arrays are freed as soon as they
        # have been read
        skips = []
        for side, pool in zip(self.down, self.pools, strict=True):
            for convolve in cast(nn.ModuleList, side):
                x = convolve(x)
            skips.append(x)
            x = pool(x)
        for convolve in self.lowest:
            x = convolve(x)
        for upsample, side in zip(self.ups, self.up, strict=True):
            x = upsample(x)
            x = torch.cat((crop(skips.pop(), x.shape[2:]), x), 1)
            for convolve in cast(nn.ModuleList, side):
                x = convolve(x)
        return x


def _side(trunk: UNetTrunk, channels: int, out: int, level: int) -> nn.ModuleList:
    return nn.ModuleList(
        Convolution(
            out if index else channels,
            out,
            kernel=kernel,
            activation=trunk.spec.activation,
            padded=trunk.levels.padded,
            norm=trunk.spec.norm,
        )
        for index, kernel in enumerate(trunk.levels.kernels[level])
    )
