"""Sets of weights that become one, against the search written out."""

import itertools

import numpy as np
import pytest
import torch

from lsd.training.modes.greedy import between, merge

FACTORS = (0, 0.2, 0.4, 0.6, 0.8, 1)


def by_hand(points, score):
    """From the best on, each with the factor that scores best; weights are divided by their sum."""
    ranked = sorted(range(len(points)), key=lambda place: score(points[place]))
    amounts = {ranked[0]: 1.0}
    for place in ranked[1:]:
        share = sum(amounts.values()) / len(amounts)
        tried = {factor: {**amounts, place: factor * share} for factor in FACTORS}
        best = min(FACTORS, key=lambda factor: score(mean(points, tried[factor])))
        amounts = tried[best]
    return mean(points, amounts), [
        amounts[place] / sum(amounts.values()) for place in range(len(points))
    ]


def mean(points, amounts) -> np.ndarray:
    return sum(amount * points[place] for place, amount in amounts.items()) / sum(amounts.values())


@pytest.mark.parametrize("branches", [1, 2, 3, 5])
def test_it_is_the_search_by_hand(branches) -> None:
    rng, used = np.random.default_rng(branches), set()
    for _ in range(20):
        goal, points = rng.normal(size=4), rng.normal(size=(branches, 4))

        def score(point, goal=goal) -> float:
            return float(np.abs(np.asarray(point) - goal).sum())

        expected, shares = by_hand(points, score)
        sets = [{"w": torch.from_numpy(point)} for point in points]
        merged = merge(sets, lambda weights: score(weights["w"].numpy()), factors=FACTORS)
        np.testing.assert_allclose(merged.weights["w"], expected, rtol=1e-12)
        np.testing.assert_allclose(merged.shares, shares, rtol=1e-12)
        assert merged.score == pytest.approx(score(expected))
        assert merged.score <= min(merged.scores)
        used |= set(merged.factors)
    assert branches == 1 or len(used) > 3


def test_no_score_is_asked_twice_and_equal_ones_change_nothing() -> None:
    asked = []

    def score(weights) -> float:
        asked.append(weights["w"].item())
        return 1.0

    sets = [{"w": torch.tensor(value)} for value in (3.0, 7.0, 9.0)]
    merged = merge(sets, score, factors=FACTORS)
    assert merged.weights is sets[0]
    assert (merged.factors, merged.shares) == ((1, 0, 0), (1, 0, 0))
    assert len(asked) == 3 + 2 * 5
    assert asked[3:8] == pytest.approx([3 + 4 * f / (1 + f) for f in FACTORS[1:]])


def test_buffers_are_merged_and_counters_are_those_of_the_best() -> None:
    """As of batch normalisation."""
    one, other = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    for norm, value in ((one, 1.0), (other, 5.0)):
        norm.running_mean.fill_(value)
        norm.num_batches_tracked.fill_(int(value))
    mixed = between(one.state_dict(), other.state_dict(), 0.25)
    assert mixed["running_mean"].tolist() == [2, 2]
    assert mixed["num_batches_tracked"].item() == 1
    assert one.running_mean.tolist() == [1, 1], "the sets stay as they are"


def test_every_subset_of_factors_is_tried_in_their_order() -> None:
    """0 needs not be named."""
    for chosen in itertools.combinations(FACTORS, 2):
        tried = []
        merge(
            [{"w": torch.zeros(())}, {"w": torch.ones(())}],
            lambda weights, tried=tried: tried.append(weights["w"].item()) or weights["w"].item(),
            factors=chosen,
        )
        shares = [factor / (1 + factor) for factor in chosen if factor]
        assert tried[2:] == pytest.approx(shares)
