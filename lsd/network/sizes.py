"""What goes into a network and what comes out, in voxels, known before any network is built (no
torch here).

    raw      |<-------------------------------------------->|   what the first stage reads
    stage    |    |<---------------------------------->|    |   what the last stage reads
    output   |          |<---------------------->|          |   what it gives
    write    |          |<--------------->|                 |   what a block keeps: a multiple of
             step, from output's begin on

All of them but `write` share one centre.  Networks are equivariant only to shifts by `step`, so
output ROIs begin at multiples of it in world voxels; then blocks equal the whole.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

from funlib.geometry import Coordinate

from lsd.arrays.offsets import reach
from lsd.network import cost
from lsd.network.levels import Extent
from lsd.network.trunks.trunk import architecture
from lsd.spec import Network, Trunk, Variant
from lsd.spec.mistakes import ConfigError
from lsd.spec.plurals import counted
from lsd.targets.target import target_kind


def step(trunk: Trunk) -> Coordinate:
    """Product of the factors: shifts of the input by multiples of it shift the output and change
    nothing else."""
    return architecture(trunk).extent().step


def output_shape(trunk: Trunk, input_shape: Sequence[int], *, training: bool = False) -> Coordinate:
    """Voxels that come out of a trunk.  Raises ValueError, naming the nearest legal shapes, where
    input_shape does not fit.  See `training_shapes` for a shape of the config.

    Same-padded trunks keep the shape in training and lose their context a side in prediction.
    """
    below, above = nearest_legal(trunk, input_shape, training=training)
    if above != Coordinate(input_shape):
        raise ValueError(
            f"input_shape {_text(input_shape)} does not fit the trunk; nearest that fit: "
            f"{_either(below, above)} "
            f"(in steps of {_text(step(trunk))})"
        )
    return Coordinate(input_shape) - architecture(trunk).extent(training=training).shrink


def training_shapes(
    variant: Variant, network: Network, *, stage: str
) -> tuple[Coordinate, Coordinate]:
    """Raw voxels that enter the cascade where a stage is trained, and voxels that leave it.

    Raises ConfigError, naming the nearest legal shapes, where network.train_shape does not fit.
    """
    trunk, shape = network.trunk, network.train_shape
    try:
        output = output_shape(trunk, shape, training=True)
    except ValueError as error:
        below, above = nearest_legal(trunk, shape, training=True)
        nearest = dict.fromkeys(f"network.train_shape={_as_tuple(n)}" for n in (below, above))
        raise ConfigError(
            f"network.train_shape: {_as_tuple(shape)} does not fit the trunk; nearest that fit: "
            f"{' or '.join(nearest)} (each axis in steps of {_as_tuple(step(trunk))})"
        ) from error
    return raw_shape(variant, trunk, shape, stage=stage), output


def nearest_legal(
    trunk: Trunk,
    shape: Sequence[int],
    *,
    training: bool = False,
    output: Sequence[int] | None = None,
) -> tuple[Coordinate, Coordinate]:
    """Of every axis, the largest legal input not above shape, and the smallest not below it:
    (below, above).

    output: voxels an axis that must come out, by default 1.  Where nothing legal lies below, below
            is the smallest legal input.
    """
    sizes = _fitting(trunk, shape, training=training)
    least = smallest_input(trunk, output or (1,) * trunk.dims, training=training)
    wanted = (max(n, low) - s for n, low, s in zip(shape, least, sizes.shrink, strict=True))
    above = sizes.smallest_input(tuple(wanted))
    below = (
        a if a == n else max(a - s, low)
        for a, n, s, low in zip(above, shape, sizes.step, least, strict=True)
    )
    return Coordinate(below), above


def smallest_input(
    trunk: Trunk, output_shape: Sequence[int], *, training: bool = False
) -> Coordinate:
    """Smallest legal input whose output is at least output_shape."""
    return _fitting(trunk, output_shape, training=training).smallest_input(output_shape)


def stage_shapes(
    variant: Variant, trunk: Trunk, shape: Sequence[int], *, stage: str | None = None
) -> dict[str, Coordinate]:
    """What enters each stage so that `shape` enters the last one: {stage: shape}, smallest that do,
    in order of stages.

    stage: name of the stage that `shape` enters; then only it and the stages it depends on are
           given.
    Earlier stages predict, so they lose their context; raw is as large as the largest.
    Raises ValueError where `shape` is not legal.
    """
    last = _index(variant, stage)
    output_shape(trunk, shape, training=True)
    shapes = {last: Coordinate(shape)}
    for earlier in reversed(range(last)):
        heads = variant.stages[earlier].heads.keys()
        readers = [
            shapes[later] + _margin(variant, read, trunk.dims) * 2
            for later in shapes
            if (read := heads & set(variant.stages[later].reads))
        ]
        if readers:
            shapes[earlier] = _cover(trunk, readers)
        elif stage is None:
            # nobody reads its heads, but they are predicted over the same output
            shapes[earlier] = Coordinate(shape)
    return {variant.stages[index].name: shapes[index] for index in sorted(shapes)}


def raw_shape(
    variant: Variant, trunk: Trunk, shape: Sequence[int], *, stage: str | None = None
) -> Coordinate:
    """Raw voxels that the cascade needs so that `shape` enters the last stage (or `stage`)."""
    shapes = stage_shapes(variant, trunk, shape, stage=stage).values()
    return Coordinate(max(sizes) for sizes in zip(*shapes, strict=True))


def margins(variant: Variant, trunk: Trunk, *, stage: str | None = None) -> dict[str, Coordinate]:
    """Raw voxels a side beyond what enters each stage, the same for every size: {stage: margin}."""
    shape = smallest_input(trunk, (1,) * trunk.dims)
    raw = raw_shape(variant, trunk, shape, stage=stage)
    return {
        name: (raw - entering) // 2
        for name, entering in stage_shapes(variant, trunk, shape, stage=stage).items()
    }


def context(variant: Variant, trunk: Trunk) -> Coordinate:
    """Raw voxels a side beyond the output of the whole cascade: raw begins this much before the
    output and the write ROI."""
    return margins(variant, trunk)[variant.stages[-1].name] + (
        architecture(trunk).extent().shrink // 2
    )


def cascade_output(
    variant: Variant,
    trunk: Trunk,
    raw_shape: Sequence[int],
    *,
    stage: str | None = None,
    training: bool = False,
) -> Coordinate:
    """Voxels that the whole cascade gives in prediction, or `stage` in prediction or training.

    Raises ValueError, naming the nearest legal shapes, where raw does not fit.
    """
    _fitting(trunk, raw_shape, training=training)
    # Coordinate * 2: its 2 * (a, b) is (a, b, a, b)
    margin = margins(variant, trunk, stage=stage)[variant.stages[_index(variant, stage)].name] * 2
    below, above = nearest_legal(trunk, Coordinate(raw_shape) - margin, training=training)
    if above + margin != Coordinate(raw_shape):
        raise ValueError(
            f"raw of {_text(raw_shape)} voxels does not fit the network; "
            f"nearest that fit: {_either(below + margin, above + margin)} (in steps of "
            f"{_text(step(trunk))})"
        )
    return Coordinate(raw_shape) - margin - architecture(trunk).extent(training=training).shrink


def write_shape(variant: Variant, trunk: Trunk, raw_shape: Sequence[int]) -> Coordinate:
    """What a block keeps of its output, from its begin on: the largest multiple of step.

    Raises ValueError where that is nothing, naming the smallest raw shape that keeps something.
    """
    kept = cascade_output(variant, trunk, raw_shape) // step(trunk) * step(trunk)
    if min(kept) == 0:
        raise ValueError(
            f"raw of {_text(raw_shape)} gives less than one step of {_text(step(trunk))} voxels, "
            f"so a block keeps nothing; "
            f"take at least {_text(smallest_raw(variant, trunk))}"
        )
    return kept


def smallest_raw(
    variant: Variant, trunk: Trunk, *, output: Sequence[int] | None = None
) -> Coordinate:
    """Smallest raw of which a block keeps something; output: voxels that must come out, by default
    one step."""
    return (
        smallest_input(trunk, output or step(trunk))
        + margins(variant, trunk)[variant.stages[-1].name] * 2
    )


def largest_input(
    variant: Variant,
    trunk: Trunk,
    *,
    memory_bytes: float,
    run: cost.Pass = cost.Pass(),  # noqa: B008
    limit: Sequence[int] | None = None,
    output: Sequence[int] | None = None,
) -> Coordinate:
    """Raw shape of the largest block that predicts within memory_bytes, as `cost.memory` estimates
    it.

    limit:  raw voxels that are of use (the volume and its context); an axis grows no further once
            it covers them
    output: voxels an axis that must come out of it, by default one step
    Blocks grow along the axis where the share of computed voxels that is kept gains most; a larger
    budget never gives a smaller block.  Raises ValueError where even the smallest does not fit.
    """
    around = margins(variant, trunk)

    def need(shape: Coordinate) -> int:
        inputs = {name: shape - margin * 2 for name, margin in around.items()}
        return cost.memory(trunk, inputs, variant, run)

    smallest = smallest_raw(variant, trunk, output=output)
    if need(smallest) > memory_bytes:
        # rounded up, so that who allows what is said has enough
        raise ValueError(
            f"memory of {memory_bytes / 1e9:.2f} GB holds no block: the smallest, raw of "
            f"{_text(smallest)}, takes "
            f"{math.ceil(need(smallest) / 1e7) / 100:.2f} GB; allow more, or use bf16 or a smaller "
            f"network"
        )
    return _last(
        _growing(variant, trunk, limit, smallest), lambda shape: need(shape) <= memory_bytes
    )


def stage_inputs(variant: Variant, trunk: Trunk, raw_shape: Sequence[int]) -> dict[str, Coordinate]:
    """What enters each stage when raw of raw_shape enters the cascade: {stage: shape}."""
    _fitting(trunk, raw_shape, training=True)
    return {
        name: Coordinate(raw_shape) - margin * 2 for name, margin in margins(variant, trunk).items()
    }


def _growing(
    variant: Variant, trunk: Trunk, limit: Sequence[int] | None, smallest: Coordinate
) -> Iterator[Coordinate]:
    """Legal raw shapes from the smallest on, each one step longer along one axis; up to `limit`,
    where one is given."""
    by, lost = step(trunk), context(variant, trunk) * 2
    shape = smallest

    def gain(axis: int) -> tuple[float, float]:
        n, grown = shape[axis], shape[axis] + by[axis]
        kept, more = (((size - lost[axis]) // by[axis] * by[axis]) / size for size in (n, grown))
        return (round((more / kept - 1) / (grown / n - 1), 9), -n)

    while True:
        yield shape
        axes = [axis for axis in range(trunk.dims) if limit is None or shape[axis] < limit[axis]]
        if not axes:
            return
        longest = max(axes, key=gain)
        shape = Coordinate(n + by[axis] * (axis == longest) for axis, n in enumerate(shape))


def _last(shapes: Iterator[Coordinate], fits: Callable[[Coordinate], bool]) -> Coordinate:
    """The last shape that fits, where the first does and none does behind one that does not; in few
    tries."""
    tried = [next(shapes)]
    while fits(tried[-1]) and (more := list(islice(shapes, len(tried)))):
        tried += more
    return tried[bisect_left(tried, True, key=lambda shape: not fits(shape)) - 1]


def _margin(variant: Variant, heads: Collection[str], dims: int) -> Coordinate:
    """Voxels a side at the border of these heads where values may be wrong, since voxels that they
    are made of lie outside."""
    partners = [
        offset
        for name in heads
        for offset in target_kind(variant.heads()[name].target).partners(dims)
    ]
    return Coordinate(reach([(0,) * dims, *partners]))


def _cover(trunk: Trunk, needed: Sequence[Coordinate]) -> Coordinate:
    """Smallest legal input whose output covers all of `needed` and shares their centre voxel by
    voxel."""
    sizes, shape = architecture(trunk).extent(), []
    for axis, most in enumerate(max(lengths) for lengths in zip(*needed, strict=True)):
        size = sizes.smallest(most, axis)
        # an odd rest has no centre; one more step (then odd, too) makes it even
        shape.append(size if (size - most) % 2 == 0 else size + sizes.step[axis])
    return Coordinate(shape)


def _fitting(trunk: Trunk, shape: Sequence[int], *, training: bool) -> Extent:
    if len(shape) != trunk.dims:
        raise ValueError(
            f"shape {_text(shape)} has {counted(len(shape), 'axis')}, the trunk {trunk.dims}; give "
            f"one size an axis"
        )
    return architecture(trunk).extent(training=training)


def _index(variant: Variant, stage: str | None) -> int:
    names = [s.name for s in variant.stages]
    if stage is not None and stage not in names:
        raise ValueError(f"the variant has no stage {stage!r}; it has: {', '.join(names)}")
    return len(names) - 1 if stage is None else names.index(stage)


def _either(below: Sequence[int], above: Sequence[int]) -> str:
    return ", ".join(dict.fromkeys((_text(below), _text(above))))


def _as_tuple(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(n) for n in shape)


def _text(shape: Sequence[int]) -> str:
    return "x".join(str(n) for n in shape)
