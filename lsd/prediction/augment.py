"""Test-time augmentation: the mean, or the lowest, of what a network says about mirrored and
transposed raw.

Mirrored back, an output lies on the grid of the block again, but what its channels mean was
mirrored too.  So each channel of each head is looked up as an `Opinion`: the channel that now holds
it, its sign, and where.  An affinity of offset j is found in the channel of the turned offset j';
or in the channel of -j', one voxel pair being the same edge from both of its ends: a_j(v) = a_-j(v
+ j).  Descriptors turn as vectors and tensors do.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal, assert_never

import torch
from torch import Tensor

from lsd.arrays.offsets import Offset, for_dims
from lsd.arrays.turning import Turn
from lsd.spec import Affinities, Boundary, Descriptors, Mask, Target

Mode = Literal["none", "flips", "transposes"]


@dataclass(frozen=True)
class Opinion:
    """Where a turned prediction holds a channel: at `channel`, `shift` voxels on, as 1 - x where
    inverted."""

    channel: int
    shift: Offset
    inverted: bool = False


def turns_of(mode: Mode, alike: Sequence[Hashable]) -> tuple[Turn, ...]:
    """The turns to predict, the identity first.

    alike: one key an axis; only axes of equal keys are swapped (their voxel size, sigma and legal
           sizes must agree)
    """
    dims = len(alike)
    identity = tuple(range(dims))
    match mode:
        case "none":
            return (Turn.none(dims),)
        case "flips":
            orders = [identity]
        case "transposes":
            orders = list(itertools.permutations(identity))
        case _:
            assert_never(mode)
    allowed = [
        order for order in orders if all(alike[axis] == alike[i] for i, axis in enumerate(order))
    ]
    return tuple(
        Turn(order, flip)
        for flip in itertools.product((False, True), repeat=dims)
        for order in allowed
    )


def opinions(target: Target, turn: Turn) -> tuple[Opinion | None, ...]:
    """Where each channel of a head that learnt `target` is found after `turn`, None where it is
    not."""
    match target:
        case Affinities():
            return _affinity_opinions(for_dims(target.neighborhood, len(turn.order)), turn)
        case Descriptors():
            return _descriptor_opinions(target, turn)
        case Boundary() | Mask():
            return (Opinion(0, (0,) * len(turn.order)),)
        case _:
            assert_never(target)


def margin(opinions: Sequence[Opinion | None], dims: int) -> tuple[Offset, Offset]:
    """Voxels (below, above) that a block must compute around what it keeps for all opinions to
    exist there."""
    shifts = [(0,) * dims, *(opinion.shift for opinion in opinions if opinion)]
    return tuple(max(-s[a] for s in shifts) for a in range(dims)), tuple(
        max(s[a] for s in shifts) for a in range(dims)
    )


def average(
    forward: Callable[[Tensor], Mapping[str, Tensor]],
    raw: Tensor,
    *,
    targets: Mapping[str, Target],
    turns: Sequence[Turn],
    kept: tuple[slice, ...],
    lowest: bool = False,
) -> dict[str, Tensor]:
    """Mean over `turns` of the opinions on raw (b, 1, *spatial): (b, c, *kept) for each head,
    float32.

    forward: raw -> heads in [0, 1], all of one spatial shape; kept: the part of it to average, a
             margin within its borders
    lowest:  of affinities the lowest opinion instead
    """
    if len(turns) == 1:
        return {
            name: _crop(turns[0].undo(head), kept)
            for name, head in forward(turns[0].apply(raw)).items()
        }
    strict = {name for name, target in targets.items() if lowest and isinstance(target, Affinities)}
    found: dict[str, Tensor] = {}
    counts: dict[str, list[int]] = {}
    for turn in turns:
        # what a turn gave is let go before the next one is computed
        _hear(turn, forward(turn.apply(raw)), targets, kept, strict, found, counts)
    for name in found.keys() - strict:
        found[name] /= found[name].new_tensor(counts[name]).view(-1, *(1,) * len(kept))
    return found


def _hear(
    turn: Turn,
    heads: Mapping[str, Tensor],
    targets: Mapping[str, Target],
    kept: tuple[slice, ...],
    strict: Set[str],
    found: dict[str, Tensor],
    counts: dict[str, list[int]],
) -> None:
    """Adds the opinions of one turn to `found`, and their number to `counts`; of `strict` heads the
    lowest counts."""
    for name, head in heads.items():
        said = opinions(targets[name], turn)
        undone = turn.undo(head)
        if name not in found:
            shape = (*undone.shape[:2], *(k.stop - k.start for k in kept))
            found[name] = torch.full(
                shape, float(name in strict), dtype=torch.float32, device=undone.device
            )
            counts[name] = [0] * len(said)
        for channel, opinion in enumerate(said):
            if opinion:
                _take_in(
                    found[name][:, channel], _look_up(undone, opinion, kept), lowest=name in strict
                )
                counts[name][channel] += 1


def _take_in(found: Tensor, opinion: Tensor, *, lowest: bool) -> None:
    if lowest:
        torch.minimum(found, opinion, out=found)
    else:
        found += opinion


def _look_up(head: Tensor, opinion: Opinion, kept: tuple[slice, ...]) -> Tensor:
    window = tuple(
        slice(k.start + shift, k.stop + shift) for k, shift in zip(kept, opinion.shift, strict=True)
    )
    values = _crop(head[:, opinion.channel], window)
    return 1 - values if opinion.inverted else values


def _crop(array: Tensor, window: tuple[slice, ...]) -> Tensor:
    for axis, (size, part) in enumerate(zip(array.shape[-len(window) :], window, strict=True)):
        # a negative start would wrap round
        assert 0 <= part.start < part.stop <= size
        array = array.narrow(axis - len(window), part.start, part.stop - part.start)
    return array


def _affinity_opinions(neighborhood: Sequence[Offset], turn: Turn) -> tuple[Opinion | None, ...]:
    found: list[Opinion | None] = []
    for offset in neighborhood:
        turned = turn.offset(offset)
        opposite = tuple(-step for step in turned)
        if turned in neighborhood:
            found.append(Opinion(neighborhood.index(turned), (0,) * len(offset)))
        elif opposite in neighborhood:
            found.append(Opinion(neighborhood.index(opposite), offset))
        else:
            found.append(None)
    return tuple(found)


def _descriptor_opinions(target: Descriptors, turn: Turn) -> tuple[Opinion | None, ...]:
    dims = len(turn.order)
    layout = _descriptor_layout(dims)
    channels = [layout[int(digit)] for digit in target.components] if target.components else layout
    found: list[Opinion | None] = []
    for kind, axes in channels:
        places = tuple(sorted(turn.order.index(axis) for axis in axes))
        inverted = math.prod(-1 if turn.flips[place] else 1 for place in places) < 0
        # trained to 0 on background in every channel, which 1 - x would turn into 1
        spoils_background = inverted and target.background == "zero"
        there = (kind, places) in channels and not spoils_background
        found.append(
            Opinion(channels.index((kind, places)), (0,) * dims, inverted) if there else None
        )
    return tuple(found)


def _descriptor_layout(dims: int) -> list[tuple[str, tuple[int, ...]]]:
    """What each channel is, and the axes its sign depends on: offsets, variances, Pearson
    coefficients, size."""
    axes = range(dims)
    offsets = [("offset", (axis,)) for axis in axes]
    variances = [("variance", (axis, axis)) for axis in axes]
    pearson = [("pearson", pair) for pair in itertools.combinations(axes, 2)]
    return [*offsets, *variances, *pearson, ("size", ())]
