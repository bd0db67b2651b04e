"""How a region is predicted: the blocks, what enters the network for each, and the turns it is seen
in.

Blocks are as large as the config or memory allow and no larger than the region needs; along each
axis they are as even as the step of the network permits, so that little is computed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from funlib.geometry import Coordinate, Roi

from lsd.arrays.turning import Turn
from lsd.blockwise.on_disk.grid import Grid, tile
from lsd.network import cost, sizes
from lsd.prediction.augment import opinion_margin, turns_of
from lsd.spec import Network, Predict, Trunk, Variant
from lsd.spec.plurals import counted
from lsd.targets.target import TargetKind, target_kind

# more do not fill a device any better
MOST_SECTIONS = 64


@dataclass(frozen=True)
class Plan:
    """The blocks of a region.

    grid:  blocks in the axes of the volume; their `compute` is what `Predictor.block` gives for
           their `read`
    turns: test-time augmentation, the identity first
    kept:  the part of the network's output that has all opinions, in the axes of the network
    """

    grid: Grid
    turns: tuple[Turn, ...]
    kept: tuple[slice, ...]


def plan(
    network: Network,
    variant: Variant,
    *,
    roi: Roi,
    settings: Predict,
    voxel_size: Sequence[float],
    heads: Sequence[str],
) -> Plan:
    """The plan for `roi` (world voxels) of a volume with `voxel_size` (nm) and as many axes.

    A 2D network on a 3D volume takes several sections at once.
    Raises ValueError where the network has more axes than the volume, or a block does not fit
    memory.
    """
    check_axes(network, roi.dims)
    trunk, sections = network.trunk, roi.dims - network.dims
    targets = [target_kind(variant.heads()[name].target) for name in heads]
    turns = _turns(
        network, variant, settings=settings, voxel_size=voxel_size[sections:], targets=targets
    )
    below, above = _margin(targets, turns)
    flat = Roi(roi.begin[sections:], roi.shape[sections:])
    largest = _largest(network, variant, flat, settings, margin=below + above)
    raw = _fit(network, variant, flat, largest=largest, margin=below + above)
    output = sizes.cascade_output(variant, trunk, raw)
    context = sizes.context(variant, trunk)
    compute, step, below_context, above_context = (
        output - below - above,
        sizes.step(trunk),
        context + below,
        context + above,
    )
    if sections:
        count = _sections(network, variant, raw, settings=settings, extent=roi.shape[0])
        compute, step, below_context, above_context = (
            Coordinate(n, *c)
            for n, c in ((count, compute), (1, step), (0, below_context), (0, above_context))
        )
    kept = tuple(slice(b, o - a) for b, a, o in zip(below, above, output, strict=True))
    return Plan(tile(roi, compute, step=step, context=(below_context, above_context)), turns, kept)


def block_memory(plan: Plan, network: Network, variant: Variant, *, settings: Predict) -> int:
    """Bytes that a block takes at most in the network, weights included; see `cost.memory`."""
    read = plan.grid.block(0).read.shape
    inputs = sizes.stage_inputs(variant, network.trunk, read[len(read) - network.dims :])
    sections = read[0] if len(read) > network.dims else 1
    return sections * cost.memory(network.trunk, inputs, variant, _pass(settings))


def check_axes(network: Network, dims: int) -> None:
    """Raises ValueError if a volume of `dims` axes is nothing for the network."""
    if dims not in (network.dims, network.dims + 1) or dims > 3:
        raise ValueError(
            f"a {network.dims}D network cannot predict a volume of {dims} axes; "
            "3D networks take 3D volumes, 2D networks take 2D and 3D"
        )


def smallest(network: Network, variant: Variant) -> Coordinate:
    """The smallest raw that a block can be predicted from without padding, in the axes of the
    network."""
    return sizes.smallest_raw(variant, network.trunk)


def _turns(
    network: Network,
    variant: Variant,
    *,
    settings: Predict,
    voxel_size: Sequence[float],
    targets: Sequence[TargetKind[Any]],
) -> tuple[Turn, ...]:
    """Axes may be swapped where voxels, legal sizes and what targets say of them are the same along
    both."""
    trunk = network.trunk
    legal = zip(
        sizes.step(trunk),
        sizes.smallest_raw(variant, trunk),
        sizes.context(variant, trunk),
        strict=True,
    )
    keys = (target.axis_keys(network.dims) for target in targets)
    return turns_of(settings.augment, list(zip(voxel_size, legal, *keys, strict=True)))


def _margin(
    targets: Sequence[TargetKind[Any]], turns: Sequence[Turn]
) -> tuple[Coordinate, Coordinate]:
    """Voxels (below, above) around what is kept of a block, so that all opinions are there, and all
    voxels that values are made of."""
    dims = len(turns[0].order)
    opinions = [opinion for target in targets for turn in turns for opinion in target.turned(turn)]
    partners = [offset for target in targets for offset in target.partners(dims)]
    below, above = opinion_margin(opinions, dims, partners=partners)
    return Coordinate(below), Coordinate(above)


def _largest(
    network: Network, variant: Variant, roi: Roi, settings: Predict, *, margin: Coordinate
) -> Coordinate:
    """The largest raw of a block: what the config asks for, else what fits memory."""
    shape, trunk, least = (
        settings.shape or network.predict_shape,
        network.trunk,
        _least(network, roi, margin),
    )
    if shape is not None:
        _check_shape(
            trunk, shape, least, name="predict.shape" if settings.shape else "network.predict_shape"
        )
        return sizes.raw_shape(variant, trunk, shape)
    limit = roi.shape + (sizes.context(variant, trunk) + sizes.step(trunk)) * 2
    limits = {"memory_bytes": settings.memory * 1e9, "run": _pass(settings), "limit": limit}
    fitting = sizes.largest_input(variant, trunk, **limits)
    output = sizes.cascade_output(variant, trunk, fitting)
    if all(n >= m for n, m in zip(output, least, strict=True)):
        return fitting
    return sizes.largest_input(
        variant,
        trunk,
        **limits,
        output=[max(n, m) for n, m in zip(sizes.step(trunk), least, strict=True)],
    )


def _least(network: Network, roi: Roi, margin: Coordinate) -> Coordinate:
    """Output of the smallest block of `roi` that keeps something: a step, or all there is, behind
    what aligns it."""
    step = sizes.step(network.trunk)
    return Coordinate(
        b % s + min(n, s) + m for b, n, s, m in zip(roi.begin, roi.shape, step, margin, strict=True)
    )


def _check_shape(trunk: Trunk, shape: Sequence[int], least: Coordinate, *, name: str) -> None:
    """Raises ValueError, naming the nearest that do, where blocks of `shape` do not fit the trunk
    or keep nothing."""
    if len(shape) != trunk.dims:
        per_axis = f", as in {name}={tuple(shape) * trunk.dims}" if len(shape) == 1 else ""
        raise ValueError(
            f"{name} {tuple(shape)} has {counted(len(shape), 'axis')}, the network {trunk.dims}; "
            f"give one size an axis{per_axis}"
        )
    below, above = sizes.nearest_legal(trunk, shape, output=least)
    if above != Coordinate(shape):
        nearest = " or ".join(
            dict.fromkeys(f"{name}={tuple(int(n) for n in fit)}" for fit in (below, above))
        )
        raise ValueError(
            f"{name} {tuple(shape)} does not fit the network, or leaves a block of this region "
            f"nothing to keep; nearest that "
            f"fit: {nearest} (each axis in steps of {tuple(int(n) for n in sizes.step(trunk))}, "
            f"from "
            f"{tuple(int(n) for n in sizes.smallest_input(trunk, least))} on)"
        )


def _fit(
    network: Network, variant: Variant, roi: Roi, *, largest: Coordinate, margin: Coordinate
) -> Coordinate:
    """Raw of the smallest block that covers `roi` in as few blocks as the largest does."""
    trunk = network.trunk
    room = sizes.cascade_output(variant, trunk, largest) - margin
    needed = Coordinate(
        _even(extent, begin % step, most, step)
        for extent, begin, most, step in zip(
            roi.shape, roi.begin, room, sizes.step(trunk), strict=True
        )
    )
    output = sizes.output_shape(trunk, sizes.smallest_input(trunk, needed + margin))
    return Coordinate(
        min(a, b) for a, b in zip(output + sizes.context(variant, trunk) * 2, largest, strict=True)
    )


def _even(extent: int, lead: int, most: int, step: int) -> int:
    """Voxels that a block must compute along an axis: `lead` to align it, then an even share of
    `extent`."""
    if lead + extent <= most:
        return lead + extent
    room = (most - lead) // step * step
    if room <= 0:
        return most
    share = -(-extent // -(-extent // room))
    return lead + -(-share // step) * step


def _sections(
    network: Network, variant: Variant, raw: Coordinate, *, settings: Predict, extent: int
) -> int:
    """Sections that a 2D network takes at once: an even share of what fits memory."""
    inputs = sizes.stage_inputs(variant, network.trunk, raw)
    each = cost.memory(network.trunk, inputs, variant, _pass(settings))
    most = int(min(max(settings.memory * 1e9 // each, 1), MOST_SECTIONS))
    return -(-extent // -(-extent // most))


def _pass(settings: Predict) -> cost.Pass:
    return cost.Pass(
        bytes_per_value=2 if settings.precision in ("bf16", "fp16") else 4,
        channels_last=settings.channels_last,
        averaged=settings.augment != "none",
    )
