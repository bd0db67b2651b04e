"""The layers of the U-Net of the paper: valid convolutions, transposed up-sampling, skips cropped
and concatenated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from lsd.network.layers import POOL, Convolution, NearestUpsampling, crop, upsampling
from lsd.network.levels import Levels
from lsd.spec import UNet


class UNetModule(nn.Module):
    """(b, in_channels, *input) -> (b, features_out, *output), sizes as in `lsd.network.sizes`.

    Up-sampling leads down to the finer level's feature maps before the skip is concatenated.
    Sources: Ronneberger et al. 2015; Funke et al. 2019; Sheridan et al. 2022.
    """

    def __init__(
        self,
        spec: UNet,
        levels: Levels,
        *,
        widths: Sequence[int],
        in_channels: int,
        features_out: int,
    ) -> None:
        super().__init__()
        maps, inner = widths, range(len(spec.factors))
        entering = (in_channels, *maps)
        leaving = (features_out, *maps[1:])
        up = {"transposed": upsampling, "nearest": NearestUpsampling}[spec.upsample]
        self.down = nn.ModuleList(
            _side(spec, levels, entering[level], maps[level], level) for level in inner
        )
        self.pools = nn.ModuleList(POOL[spec.dims](factor, factor) for factor in spec.factors)
        self.lowest = _side(spec, levels, entering[len(inner)], leaving[-1], len(inner))
        self.ups = nn.ModuleList(
            up(maps[level + 1], maps[level], spec.factors[level]) for level in reversed(inner)
        )
        self.up = nn.ModuleList(
            _side(spec, levels, 2 * maps[level], leaving[level], level) for level in reversed(inner)
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


def _side(spec: UNet, levels: Levels, channels: int, out: int, level: int) -> nn.ModuleList:
    return nn.ModuleList(
        Convolution(
            out if index else channels,
            out,
            kernel=kernel,
            activation=spec.activation,
            padded=levels.padded,
            norm=spec.norm,
        )
        for index, kernel in enumerate(levels.kernels[level])
    )
