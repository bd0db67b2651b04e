"""What a network costs: parameters, multiplications, and the memory of a prediction, from its
description alone (no torch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import assert_never

from lsd.network.levels import discarded, fold, is_padded, kernels
from lsd.spec import ResidualUNet, Shape, Stage, Trunk, UNet, Variant
from lsd.targets.target import channels

# measured on the CPU: convolutions reorder and pad what they read unless it is in channels_last,
# and load kernels once
OVERHEAD, START = 1.7, 150_000_000
# outputs of a transposed convolution that are alive at once unless it is in channels_last: its own,
# and copies on the way to it
COPIES = 2.5


@dataclass(frozen=True)
class Pass:
    """How a network predicts, as far as its memory depends on it.

    bytes_per_value: 4 in fp32, 2 in bf16 and fp16
    channels_last:   the memory layout, which spares copies
    averaged:        over passes that see raw turned: turned raw and sums of all heads are held
                     during each
    """

    bytes_per_value: int = 4
    channels_last: bool = False
    averaged: bool = False


class Walk:
    """One pass through a trunk, on paper: what each operation multiplies, what it stores, what is
    alive meanwhile.

    channels, shape: of the array that flows; held: values kept for later (skips, the input);
                     copies: see COPIES
    macs, parameters: so far; peak: most values alive at once.  Activations work in place.
    """

    def __init__(
        self, channels: int, shape: Sequence[int], *, padded: bool, norm: bool, copies: float
    ) -> None:
        self.channels, self.shape = channels, tuple(shape)
        self.padded, self.norm, self.copies = padded, norm, copies
        self.held = self.macs = self.parameters = self.peak = 0

    @property
    def values(self) -> int:
        """Of the array that flows now."""
        return self.channels * prod(self.shape)

    def convolve(self, channels: int, kernel: Shape, *, norm: bool = False) -> None:
        """A convolution with bias, and group norm where asked."""
        read, before = self.channels, self.values
        if not self.padded:
            self.shape = tuple(n - k + 1 for n, k in zip(self.shape, kernel, strict=True))
        self.channels = channels
        self.macs += read * prod(kernel) * self.values
        self.parameters += (read * prod(kernel) + 1 + 2 * (norm and self.norm)) * channels
        self._alive(max(before, self.values * (norm and self.norm)) + self.values)

    def fold(self, fold: Sequence[int]) -> None:
        """Voxels become channels."""
        self.channels *= prod(fold)
        self.shape = tuple(n // f for n, f in zip(self.shape, fold, strict=True))

    def pool(self, factor: Shape) -> None:
        """Maximum over factor; the array before stays alive as a skip."""
        self.held += self.values
        self.shape = tuple(n // f for n, f in zip(self.shape, factor, strict=True))
        # torch keeps the index of every maximum, too, in 8 bytes: up to 4 values of 2 bytes
        self._alive(5 * self.values)

    def upsample(self, channels: int, factor: Shape, *, nearest: bool) -> None:
        """Transposed convolution of kernel and stride `factor`, or a 1x1x1 convolution repeated
        `factor` times."""
        before, taps = self.values, 1 if nearest else prod(factor)
        self.macs += taps * channels * before
        self.parameters += (self.channels * taps + 1) * channels
        self.shape = tuple(n * f for n, f in zip(self.shape, factor, strict=True))
        self.channels = channels
        self._alive(before + (self.values if nearest else round(self.copies * self.values)))

    def join(self, skip: Walk) -> None:
        """Concatenates the crop of a skip, and lets it go."""
        before = self.values
        self.channels += skip.channels
        self._alive(before + self.values)
        self.held -= skip.values

    def copy(self) -> Walk:
        """The array as it flows now, to be a skip."""
        return Walk(
            self.channels, self.shape, padded=self.padded, norm=self.norm, copies=self.copies
        )

    def _alive(self, values: int) -> None:
        self.peak = max(self.peak, self.held + values)


def walk(
    trunk: Trunk, stage: Stage, read_channels: int, shape: Sequence[int], *, copies: float = COPIES
) -> Walk:
    """The pass of a trunk and the heads of a stage over read_channels x shape, in prediction."""
    steps = Walk(
        read_channels, shape, padded=is_padded(trunk), norm=trunk.norm is not None, copies=copies
    )
    match trunk:
        case UNet():
            _through_unet(trunk, steps)
        case ResidualUNet():
            _through_residual(trunk, steps)
        case _:
            assert_never(trunk)
    features = steps.channels
    if steps.padded:
        steps.shape = tuple(n - 2 * d for n, d in zip(steps.shape, discarded(trunk), strict=True))
    for head in stage.heads.values():
        steps.channels = features
        steps.convolve(channels(head.target, trunk.dims), (1,) * trunk.dims)
        steps.held += steps.values
    return steps


def parameters(trunk: Trunk, variant: Variant) -> int:
    """Weights and biases of all stages."""
    # sizes have no part in it: any shape that stays above 0 will do
    large = tuple(10**6 * f for f in _product(trunk))
    return sum(
        walk(trunk, stage, read_channels(variant, stage, trunk.dims), large).parameters
        for stage in variant.stages
    )


def macs(trunk: Trunk, inputs: Mapping[str, Sequence[int]], variant: Variant) -> int:
    """Multiplications (with additions) of one pass; inputs: what enters each stage, {stage:
    shape}."""
    return sum(
        walk(trunk, stage, read_channels(variant, stage, trunk.dims), inputs[stage.name]).macs
        for stage in variant.stages
    )


def memory(
    trunk: Trunk, inputs: Mapping[str, Sequence[int]], variant: Variant, run: Pass = Pass()
) -> int:
    """Bytes that one prediction of the cascade takes at its peak, weights included, the process
    itself (0.4 GB) not.

    inputs: what enters each stage, {stage: shape}.
    An upper bound: on the CPU, measured peaks of 3D networks were 41 to 97% of it.
    """
    raw = 4 * max(prod(shape) for shape in inputs.values())
    kept, peak = START + raw * (2 if run.averaged else 1), 0
    outputs = 0
    for stage in variant.stages:
        read = read_channels(variant, stage, trunk.dims)
        steps = walk(
            trunk, stage, read, inputs[stage.name], copies=1 if run.channels_last else COPIES
        )
        entering = 4 * read * prod(inputs[stage.name])
        peak = max(peak, kept + entering + round(OVERHEAD * run.bytes_per_value * steps.peak))
        # logits stay, and their sigmoids in fp32
        said = (
            sum(channels(head.target, trunk.dims) for head in stage.heads.values())
            * prod(steps.shape)
            * 4
        )
        kept, outputs = kept + 2 * said, outputs + said
    peak = max(peak, kept) + (outputs if run.averaged else 0)
    # lower precision keeps a copy of the weights
    return peak + parameters(trunk, variant) * (
        4 if run.bytes_per_value == 4 else 4 + run.bytes_per_value
    )


def read_channels(variant: Variant, stage: Stage, dims: int) -> int:
    """Channels that enter a stage: one of raw, and those of the heads it reads."""
    heads = variant.heads()
    return sum(1 if read == "raw" else channels(heads[read].target, dims) for read in stage.reads)


def widths(trunk: Trunk) -> tuple[int, ...]:
    """Feature maps of each level."""
    match trunk:
        case UNet():
            return tuple(
                trunk.features * trunk.multiplier**level for level in range(len(trunk.factors) + 1)
            )
        case ResidualUNet():
            return trunk.widths
        case _:
            assert_never(trunk)


def features_out(trunk: Trunk) -> int:
    """Feature maps before the heads."""
    return trunk.features_out or widths(trunk)[0]


def _through_unet(trunk: UNet, steps: Walk) -> None:
    maps, sides, skips = widths(trunk), kernels(trunk), []
    for width, side, factor in zip(maps, sides, trunk.factors, strict=False):
        for kernel in side:
            steps.convolve(width, kernel, norm=True)
        skips.append(steps.copy())
        steps.pool(factor)
    for kernel in sides[-1]:
        steps.convolve(maps[-1] if trunk.factors else features_out(trunk), kernel, norm=True)
    for level in reversed(range(len(trunk.factors))):
        steps.upsample(maps[level], trunk.factors[level], nearest=trunk.upsample == "nearest")
        steps.join(skips.pop())
        for kernel in sides[level]:
            steps.convolve(maps[level] if level else features_out(trunk), kernel, norm=True)


def _through_residual(trunk: ResidualUNet, steps: Walk) -> None:
    sides, skips = kernels(trunk), []
    steps.fold(fold(trunk))
    steps.convolve(trunk.widths[0], sides[0][0], norm=True)
    for level, factor in enumerate(trunk.factors):
        _module(steps, trunk.widths[level], sides[level][-1])
        skips.append(steps.copy())
        steps.pool(factor)
    _module(steps, trunk.widths[-1], sides[-1][-1])
    for level in reversed(range(len(trunk.factors))):
        steps.upsample(trunk.widths[level], trunk.factors[level], nearest=False)
        steps.held -= skips.pop().values
        _module(steps, trunk.widths[level], sides[level][-1])
    steps.convolve(trunk.widths[0] if trunk.fold else features_out(trunk), sides[0][0], norm=True)
    if trunk.fold:
        steps.upsample(features_out(trunk), trunk.fold, nearest=False)


def _module(steps: Walk, width: int, kernel: Shape) -> None:
    steps.convolve(width, kernel, norm=True)
    kept = steps.values
    steps.held += kept
    steps.convolve(width, kernel, norm=True)
    steps.convolve(width, kernel, norm=True)
    steps.held -= kept


def _product(trunk: Trunk) -> tuple[int, ...]:
    return tuple(prod(factors) for factors in zip(fold(trunk), *trunk.factors, strict=True))
