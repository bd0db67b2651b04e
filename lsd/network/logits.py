"""The last layer of a head, whose output losses and files want channel after channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lsd.network.layers import Pointwise

# voxels that one matrix product of a weight's gradient is over: the few channels of a head are no
# work for the millions of voxels of a batch, unless these are cut into pieces
VOXELS = 2048


class Logits(Pointwise):
    """1x1x1 convolution of features in any layout: (b, channels, *spatial) -> (b, out, *spatial),
    channel after channel.

    On a CPU features lie voxel by voxel (`channels_last`).  Logits in the same layout would be
    rearranged by whatever reads them, and their gradients again.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        if x.device.type != "cpu" or x.is_contiguous():
            return super().forward(x)
        matrix, bias = self.weight.flatten(1), self.bias.view(-1)
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            x, matrix, bias = x.to(dtype), matrix.to(dtype), bias.to(dtype)
        product: Tensor = _Product.apply(x.flatten(2), matrix, bias)  # type: ignore[no-untyped-call]
        return product.reshape(*product.shape[:2], *x.shape[2:])


class _Product(torch.autograd.Function):
    """matrix (out, c) times x (b, c, voxels), and a bias (out,)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, matrix)
        return torch.baddbmm(bias[:, None], matrix.expand(len(x), -1, -1), x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, matrix = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        # in the layout of x
        of_x = torch.matmul(gradient.transpose(1, 2), matrix).transpose(1, 2)
        of_matrix = torch.stack(
            [_of_matrix(each, sample) for each, sample in zip(gradient, x, strict=True)]
        )
        return of_x, of_matrix.sum(0).to(matrix.dtype), gradient.sum((0, 2))


def _of_matrix(gradient: Tensor, x: Tensor) -> Tensor:
    """Of one sample, (out, c), fp32 at least; gradient (out, voxels), x (c, voxels)."""
    parts = gradient.shape[1] // VOXELS
    whole = parts * VOXELS
    pieces = torch.bmm(
        gradient[:, :whole].reshape(len(gradient), parts, VOXELS).transpose(0, 1),
        x.T[:whole].reshape(parts, VOXELS, len(x)),
    )
    rest = gradient[:, whole:] @ x.T[whole:]
    wide = torch.promote_types(x.dtype, torch.float32)
    return pieces.sum(0, dtype=wide) + rest.to(wide)


def heads(channels: int, outs: dict[str, int], *, dims: int) -> Iterator[tuple[str, nn.Module]]:
    """A layer for each head; small weights, so that training starts near probability 1/2."""
    for name, out in outs.items():
        yield name, Logits(channels, out, dims=dims, gain=0.1)
