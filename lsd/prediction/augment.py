"""Test-time augmentation: the mean, or the lowest, of what a network says about mirrored and
transposed raw.

Mirrored back, an output lies on the grid of the block again, but what its channels mean was
mirrored too.  So each channel of each head is looked up as an `Opinion`: the channel that now holds
it, its sign, and where; what the target says of it (`TargetKind.turned`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import torch
from torch import Tensor

from lsd.arrays.offsets import Offset
from lsd.arrays.turning import Turn
from lsd.targets.opinion import Opinion
from lsd.targets.target import TargetKind

Mode = Literal["none", "flips", "transposes"]
Window = tuple[slice, ...]


def turns_of(mode: Mode, alike: Sequence[Hashable]) -> tuple[Turn, ...]:
    """The turns to predict, the identity first.

    alike: one key an axis; only axes of equal keys are swapped (their voxel size, legal sizes and
           what targets say of them must agree)
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


def opinion_margin(
    opinions: Sequence[Opinion | None], dims: int, *, partners: Sequence[Offset] = ()
) -> tuple[Offset, Offset]:
    """Voxels (below, above) that a block must compute around what it keeps for all opinions to
    exist there, and all voxels at the offsets in `partners`."""
    shifts = [(0,) * dims, *(opinion.shift for opinion in opinions if opinion), *partners]
    return tuple(max(-s[a] for s in shifts) for a in range(dims)), tuple(
        max(s[a] for s in shifts) for a in range(dims)
    )


def average(
    forward: Callable[[Tensor], Mapping[str, Tensor]],
    raw: Tensor,
    *,
    targets: Mapping[str, TargetKind[Any]],
    turns: Sequence[Turn],
    kept: Window,
    lowest: bool = False,
) -> dict[str, Tensor]:
    """Mean over `turns` of the opinions on raw (b, 1, *spatial): (b, c, *kept) for each head,
    float32.

    forward: raw -> values of the heads, all of one spatial shape; kept: the part of it to average,
             a margin within its borders
    lowest:  the lowest opinion instead, of heads whose target is such that it counts
    """
    if len(turns) == 1:
        return {
            name: _crop(turns[0].undo(head), kept)
            for name, head in forward(turns[0].apply(raw)).items()
        }
    polls: dict[str, _Poll] = {}
    for turn in turns:
        # what a turn gave is let go before the next one is computed
        _hear(turn, forward(turn.apply(raw)), targets, polls, kept=kept, lowest=lowest)
    return {name: poll.result() for name, poll in polls.items()}


def _hear(
    turn: Turn,
    heads: Mapping[str, Tensor],
    targets: Mapping[str, TargetKind[Any]],
    polls: dict[str, _Poll],
    *,
    kept: Window,
    lowest: bool,
) -> None:
    for name, head in heads.items():
        undone = turn.undo(head)
        if name not in polls:
            target = targets[name]
            polls[name] = _Poll.of(undone, target, kept, lowest=lowest and target.lowest)
        polls[name].hear(undone, turn)


@dataclass
class _Poll:
    """The opinions of turns on one head, (b, c, *kept): their sum, or the lowest of them so far.

    counts: of the opinions on each channel
    """

    target: TargetKind[Any]
    kept: Window
    lowest: bool
    values: Tensor
    counts: list[int]

    @classmethod
    def of(cls, head: Tensor, target: TargetKind[Any], kept: Window, *, lowest: bool) -> _Poll:
        """Before any opinion was heard."""
        shape = (*head.shape[:2], *(part.stop - part.start for part in kept))
        start = float(target.activation.high) if lowest else 0.0
        values = torch.full(shape, start, dtype=torch.float32, device=head.device)
        return cls(target, kept, lowest, values, [0] * head.shape[1])

    def hear(self, head: Tensor, turn: Turn) -> None:
        """Takes in a prediction of turned raw, which was turned back."""
        for channel, opinion in enumerate(self.target.turned(turn)):
            if opinion:
                self._take_in(channel, self._look_up(head, opinion))
                self.counts[channel] += 1

    def result(self) -> Tensor:
        """The lowest opinions, or their mean."""
        if self.lowest:
            return self.values
        counts = self.values.new_tensor(self.counts).view(-1, *(1,) * len(self.kept))
        self.values /= counts
        return self.values

    def _take_in(self, channel: int, opinion: Tensor) -> None:
        values = self.values[:, channel]
        if self.lowest:
            torch.minimum(values, opinion, out=values)
        else:
            values += opinion

    def _look_up(self, head: Tensor, opinion: Opinion) -> Tensor:
        window = tuple(
            slice(part.start + shift, part.stop + shift)
            for part, shift in zip(self.kept, opinion.shift, strict=True)
        )
        values = _crop(head[:, opinion.channel], window)
        activation = self.target.activation
        return activation.low + activation.high - values if opinion.inverted else values


def _crop(array: Tensor, window: Window) -> Tensor:
    for axis, (size, part) in enumerate(zip(array.shape[-len(window) :], window, strict=True)):
        # a negative start would wrap round
        assert 0 <= part.start < part.stop <= size
        array = array.narrow(axis - len(window), part.start, part.stop - part.start)
    return array
