"""The layers that trunks are made of, in 2D and 3D."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod, sqrt
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lsd.spec import Shape

CONV: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
POOL: dict[int, Any] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
ACTIVATION = {"relu": nn.ReLU, "elu": nn.ELU, "gelu": nn.GELU}
# 1 / sqrt(E[f(x)^2]) for x standard normal: arrays keep their variance from layer to layer
GAIN = {"relu": 1.414, "elu": 1.245, "gelu": 1.534}


class Convolution(nn.Module):
    """Convolution, group norm where asked, activation: (b, c, *input) -> (b, out, *output)."""

    def __init__(
        self,
        channels: int,
        out: int,
        *,
        kernel: Shape,
        activation: str,
        padded: bool,
        norm: str | None,
        gain: float | None = None,
    ) -> None:
        super().__init__()
        padding = tuple(k // 2 for k in kernel) if padded else (0,) * len(kernel)
        self.convolution = CONV[len(kernel)](channels, out, kernel, padding=padding)
        self.norm = normalisation_layer(norm, out)
        self.activation = activate(activation)
        initialise(
            self.convolution,
            fan=channels * prod(kernel),
            gain=GAIN[activation] if gain is None else gain,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Activated features."""
        return cast(Tensor, self.activation(self.linear(x)))

    def linear(self, x: Tensor) -> Tensor:
        """Features before the activation."""
        x = self.convolution(x)
        return x if self.norm is None else self.norm(x)


def normalisation_layer(kind: str | None, channels: int) -> nn.Module | None:
    """The norm of so many channels, None where there is none.  Raises ValueError for a kind that
    there is not."""
    if kind is None:
        return None
    if kind != "group":
        raise ValueError(f"norm is {kind!r}; allowed: None, group")
    return nn.GroupNorm(gcd(channels, 8), channels)


def activate(kind: str) -> nn.Module:
    """The activation, in place where its gradient follows from its result."""
    return nn.GELU() if kind == "gelu" else ACTIVATION[kind](inplace=True)


def upsampling(channels: int, out: int, factor: Shape) -> nn.Module:
    """Transposed convolution whose kernel and stride are `factor`: every coarse voxel fills its own
    box."""
    layer = TRANSPOSED[len(factor)](channels, out, factor, stride=factor)
    initialise(layer, fan=channels, gain=1.0)
    return cast(nn.Module, layer)


class Pointwise(nn.Module):
    """1x1x1 convolution as the matrix product that it is: (b, channels, *spatial) -> (b, out,
    *spatial), in the layout of x.

    torch has no fast convolution of this size on a CPU, and rearranges its input before and after a
    slow one.
    """

    def __init__(self, channels: int, out: int, *, dims: int, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out, channels, *(1,) * dims))
        self.bias = nn.Parameter(torch.empty(out))
        initialise(self, fan=channels, gain=gain)

    def forward(self, x: Tensor) -> Tensor:
        """Features or logits."""
        matrix = self.weight.flatten(1)
        if x.is_contiguous():
            product = torch.baddbmm(self.bias[:, None], matrix.expand(len(x), -1, -1), x.flatten(2))
            return product.reshape(len(x), -1, *x.shape[2:])
        return functional.linear(x.movedim(1, -1), matrix, self.bias).movedim(-1, 1)


class NearestUpsampling(nn.Module):
    """1x1x1 convolution and repetition by `factor`: the two commute, and the coarse side is the
    cheaper one."""

    def __init__(self, channels: int, out: int, factor: Shape) -> None:
        super().__init__()
        self.convolution = Pointwise(channels, out, dims=len(factor), gain=1.0)
        self.factor = tuple(float(f) for f in factor)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, *coarse) -> (b, out, *(coarse * factor))."""
        return functional.interpolate(self.convolution(x), scale_factor=self.factor, mode="nearest")


def folded(x: Tensor, fold: Sequence[int]) -> Tensor:
    """(b, c, *spatial) -> (b, c * voxels of fold, *(spatial / fold)): the voxels of each box of
    `fold` become channels."""
    if max(fold) == 1:
        return x
    parts = [size for n, f in zip(x.shape[2:], fold, strict=True) for size in (n // f, f)]
    axes = range(2, 2 + len(parts))
    return (
        x.reshape(*x.shape[:2], *parts)
        .permute(0, 1, *axes[1::2], *axes[::2])
        .flatten(1, 1 + len(fold))
    )


def initialise(layer: nn.Module, *, fan: int, gain: float) -> None:
    """Normal weights of variance gain^2 / fan, biases 0.  Source: He et al. 2015."""
    nn.init.normal_(cast(Tensor, layer.weight), std=gain / sqrt(fan))
    nn.init.zeros_(cast(Tensor, layer.bias))


def crop(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The centre of x (b, c, *spatial), of this spatial shape; a view."""
    for axis, (size, kept) in enumerate(zip(x.shape[2:], shape, strict=True), 2):
        if size != kept:
            x = torch.narrow(x, axis, (size - kept) // 2, kept)
    return x
