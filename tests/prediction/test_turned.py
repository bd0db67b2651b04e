"""The comparison that augmentation is tested against, against labels that are turned themselves."""

import itertools

import numpy as np
import pytest
from turned import restore, turn, unturn

from lsd.arrays.turning import Turn
from lsd.targets.affinities import affinities

TURNS = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.chain.from_iterable(
        itertools.combinations(range(3), k) for k in range(4)
    )
]


@pytest.mark.parametrize(("order", "flips"), TURNS)
def test_turning_back(order, flips):
    array = np.random.default_rng(0).random((2, 3, 4, 5))
    turned = turn(array, order=order, flips=flips)
    np.testing.assert_array_equal(unturn(turned, order=order, flips=flips), array)
    ours = Turn(order, tuple(axis in flips for axis in range(3)))
    np.testing.assert_array_equal(ours.apply(array), turned)
    np.testing.assert_array_equal(ours.undo(turned), array)


@pytest.mark.parametrize(("order", "flips"), TURNS)
def test_turned_affinities_are_those_of_turned_labels(order, flips):
    labels = np.random.default_rng(1).integers(0, 3, (5, 6, 7))
    neighborhood = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-2, 1, 0), (1, -2, 0)]
    affs, mask = affinities(labels, neighborhood)
    turned, _ = affinities(turn(labels, order=order, flips=flips), neighborhood)
    restored, valid = restore(turned, neighborhood, order=order, flips=flips)
    np.testing.assert_array_equal(restored[valid & mask], affs[valid & mask])
    assert (valid & mask)[:3].sum() == mask[:3].sum()


def test_offsets_that_the_neighborhood_lacks_are_not_valid():
    affs = np.ones((2, 3, 4, 5), np.uint8)
    _, valid = restore(affs, [(-1, 0, 0), (0, -3, 0)], order=(1, 0, 2), flips=())
    assert not valid.any()
