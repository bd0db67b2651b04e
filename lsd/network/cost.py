"""What a network costs: parameters, multiplications, and the memory of a prediction, from its
description alone (no torch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from lsd.network.trunks.trunk import architecture
from lsd.network.walk import COPIES, Walk
from lsd.spec import Stage, Trunk, Variant
from lsd.targets.target import channels, target_kind

# measured on the CPU: convolutions reorder and pad what they read unless it is in channels_last,
# and load kernels once
OVERHEAD, START = 1.7, 150_000_000


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


def walk(
    trunk: Trunk, stage: Stage, read_channels: int, shape: Sequence[int], *, copies: float = COPIES
) -> Walk:
    """The pass of a trunk and the heads of a stage over read_channels x shape, in prediction."""
    kind = architecture(trunk)
    steps = Walk(read_channels, shape, copies=copies)
    kind.walk(steps)
    features = steps.channels
    # what a same-padded trunk discards when it predicts
    cropped = kind.extent().shrink - kind.extent(training=True).shrink
    steps.shape = tuple(n - lost for n, lost in zip(steps.shape, cropped, strict=True))
    for head in stage.heads.values():
        steps.channels = features
        steps.convolve(target_kind(head.target).logit_channels(trunk.dims), (1,) * trunk.dims)
        steps.held += steps.values
    return steps


def parameters(trunk: Trunk, variant: Variant) -> int:
    """Weights and biases of all stages."""
    # sizes have no part in it: any legal shape will do
    shape = architecture(trunk).extent().smallest_input((1,) * trunk.dims)
    return sum(
        walk(trunk, stage, read_channels(variant, stage, trunk.dims), shape).parameters
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
        # logits stay, and the values that are made of them, in fp32
        kinds = [target_kind(head.target) for head in stage.heads.values()]
        logits, values = (
            4 * prod(steps.shape) * sum(counts)
            for counts in (
                (kind.logit_channels(trunk.dims) for kind in kinds),
                (kind.channels(trunk.dims) for kind in kinds),
            )
        )
        kept, outputs = kept + logits + values, outputs + values
    peak = max(peak, kept) + (outputs if run.averaged else 0)
    # lower precision keeps a copy of the weights
    return peak + parameters(trunk, variant) * (
        4 if run.bytes_per_value == 4 else 4 + run.bytes_per_value
    )


def read_channels(variant: Variant, stage: Stage, dims: int) -> int:
    """Channels that enter a stage: one of raw, and those of the heads it reads."""
    heads = variant.heads()
    return sum(1 if read == "raw" else channels(heads[read].target, dims) for read in stage.reads)
