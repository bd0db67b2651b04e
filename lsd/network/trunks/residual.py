"""The residual symmetric U-Net: its sizes and what it costs.  Its layers are in residual_module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsd.network.levels import Levels
from lsd.network.trunks.trunk import Architecture
from lsd.network.walk import Walk
from lsd.spec import ResidualUNet
from lsd.spec.base import Shape

if TYPE_CHECKING:
    from torch import nn


class ResidualTrunk(Architecture[ResidualUNet]):
    """Residual modules, summed skips, same padding; voxels are folded into channels where the spec
    says so."""

    def module(self, in_channels: int) -> nn.Module:
        """See `lsd.network.trunks.residual_module`."""
        from lsd.network.trunks.residual_module import ResidualModule

        return ResidualModule(
            self.spec, self.levels, in_channels=in_channels, features_out=self.features_out
        )

    @property
    def levels(self) -> Levels:
        """A residual module has three convolutions; the first level has the embedding as well."""
        spec = self.spec
        first = spec.first_kernel or spec.kernel
        kernels = ((first,) * 4, *((spec.kernel,) * 3 for _ in spec.factors))
        return Levels(kernels, spec.factors, fold=spec.fold or (), padded=True)

    @property
    def features_out(self) -> int:
        """Channels that the heads read."""
        return self.spec.features_out or self.spec.widths[0]

    def walk(self, walk: Walk) -> None:
        """The operations of `ResidualModule`."""
        spec, sides, skips = self.spec, self.levels.kernels, []
        if spec.fold:
            walk.fold(spec.fold)
        self._convolve(walk, spec.widths[0], sides[0][0])
        for level, factor in enumerate(spec.factors):
            self._module(walk, spec.widths[level], sides[level][-1])
            skips.append(walk.copy())
            walk.pool(factor)
        self._module(walk, spec.widths[-1], sides[-1][-1])
        for level in reversed(range(len(spec.factors))):
            walk.upsample(spec.widths[level], spec.factors[level], nearest=False)
            walk.held -= skips.pop().values
            self._module(walk, spec.widths[level], sides[level][-1])
        self._convolve(walk, spec.widths[0] if spec.fold else self.features_out, sides[0][0])
        if spec.fold:
            walk.upsample(self.features_out, spec.fold, nearest=False)

    def check_bf16(self, shape: Sequence[int]) -> None:
        """Gradients of a convolution over two voxels in bf16 hold what was in memory before (torch
        2.13, oneDNN on AVX-512)."""
        step = self.levels.step
        if min(n // by for n, by in zip(shape, step, strict=True)) <= 2:
            raise ValueError(
                f"network.train_shape: {tuple(shape)} leaves two voxels or fewer on the lowest "
                f"level, where gradients in bf16 are wrong on "
                f"processors; take at least {tuple(4 * by for by in step)}, or "
                f"train.precision=fp32"
            )

    def _module(self, walk: Walk, width: int, kernel: Shape) -> None:
        self._convolve(walk, width, kernel)
        shortcut = walk.values
        walk.held += shortcut
        self._convolve(walk, width, kernel)
        self._convolve(walk, width, kernel)
        walk.held -= shortcut

    def _convolve(self, walk: Walk, width: int, kernel: Shape) -> None:
        walk.convolve(width, kernel, padded=True, norm=self.spec.norm is not None)
