"""Several sets of weights become the one that scores best, one set after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# weights by name
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Merged:
    """What became of several sets of weights.

    weights: merged
    score:   of these
    scores:  of each set by itself
    factors: by which each was added; 1 of the best
    shares:  of each set in the merged weights, which sum to 1
    """

    weights: Weights
    score: float
    scores: tuple[float, ...]
    factors: tuple[float, ...]
    shares: tuple[float, ...]


def merge(
    sets: Sequence[Weights], score: Callable[[Weights], float], *, factors: Sequence[float]
) -> Merged:
    """Adds the sets to the best of them, from the better to the worse, each with the factor that
    scores best.

    score:   of weights; lower is better, and of equal scores the smaller factor, or the first set
    factors: to try: 1 gives a set as much weight as those before it have on the average, 0 none
    What is no floating number, such as a counter, is that of the best.
    Source: Jiang et al. 2023, with a sum that is divided by that of the weights.
    """
    scores = [score(one) for one in sets]
    first, *others = sorted(range(len(sets)), key=lambda place: (scores[place], place))
    weights, best = sets[first], scores[first]
    chosen, amounts = [0.0] * len(sets), [0.0] * len(sets)
    chosen[first] = amounts[first] = 1.0
    for count, place in enumerate(others, 1):
        total, weights_before = sum(amounts), weights
        for factor in sorted(set(factors) - {0}):
            amount = factor * total / count
            candidate = between(weights_before, sets[place], amount / (total + amount))
            value = score(candidate)
            if value < best:
                weights, best = candidate, value
                chosen[place], amounts[place] = factor, amount
    shares = tuple(amount / sum(amounts) for amount in amounts)
    return Merged(weights, best, tuple(scores), tuple(chosen), shares)


def between(one: Weights, other: Weights, share: float) -> Weights:
    """(1 - share) of one and `share` of the other."""
    return {
        name: torch.lerp(tensor, other[name], share) if tensor.is_floating_point() else tensor
        for name, tensor in one.items()
    }
