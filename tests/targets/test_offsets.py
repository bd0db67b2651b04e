"""Offsets against loops over voxels, and against labels that are turned themselves."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsd.targets.affinities import affinities
from lsd.targets.offsets import flipped, for_dims, reach, restore, shift, transposed, turn, unturn, validity, views

OFFSETS = [(1, 0, 0), (0, -2, 0), (-1, 2, 3), (0, 0, 9), (-9, 1, 0)]


@pytest.mark.parametrize("offset", OFFSETS)
def test_shift_and_validity_by_loop(offset):
    array = np.random.default_rng(0).integers(1, 99, (4, 5, 6))
    shifted, valid = shift(array, offset), validity(array.shape, offset)
    for voxel in np.ndindex(array.shape):
        other = tuple(np.add(voxel, offset))
        inside = all(0 <= i < n for i, n in zip(other, array.shape, strict=True))
        assert valid[voxel] == inside
        assert shifted[voxel] == (array[other] if inside else 0)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=3), st.data())
def test_views_pair_voxels(shape, data):
    offset = [data.draw(st.integers(-7, 7)) for _ in shape]
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    here, there = views(shape, offset)
    assert (places[there] - places[here] == offset).all()
    assert places[here].shape[0] == max(0, shape[0] - abs(offset[0]))


def test_shift_leaves_leading_axes():
    array = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(shift(array, (0, 1), fill=-1)[1], shift(array[1], (0, 1), fill=-1))


def test_two_dimensions_drop_z():
    neighborhood = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-5, -9, -9), (3, 0, -1)]
    assert for_dims(neighborhood, 3) == tuple(neighborhood)
    assert for_dims(neighborhood, 2) == ((-1, 0), (0, -1), (-9, -9))
    assert for_dims([(0, 1)], 2) == ((0, 1),)
    assert reach(neighborhood) == (5, 9, 9)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="cannot serve 3 dimensions"):
        for_dims([(0, 1)], 3)
    with pytest.raises(ValueError, match="no offset within 2 dimensions"):
        for_dims([(1, 0, 0)], 2)


TURNS = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.chain.from_iterable(itertools.combinations(range(3), k) for k in range(4))
]


@pytest.mark.parametrize(("order", "flips"), TURNS)
def test_turning_back(order, flips):
    array = np.random.default_rng(0).random((2, 3, 4, 5))
    np.testing.assert_array_equal(unturn(turn(array, order=order, flips=flips), order=order, flips=flips), array)
    np.testing.assert_array_equal(turn(array[0], order=order, flips=flips), np.flip(array[0].transpose(order), flips))


@pytest.mark.parametrize(("order", "flips"), TURNS)
def test_turned_affinities_are_those_of_turned_labels(order, flips):
    labels = np.random.default_rng(1).integers(0, 3, (5, 6, 7))
    neighborhood = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-2, 1, 0), (1, -2, 0)]
    affs, mask = affinities(labels, neighborhood)
    turned, _ = affinities(turn(labels, order=order, flips=flips), neighborhood)
    restored, valid = restore(turned, neighborhood, order=order, flips=flips)
    np.testing.assert_array_equal(restored[valid & mask], affs[valid & mask])
    assert (valid & mask)[:3].sum() == mask[:3].sum()


@pytest.mark.parametrize(("order", "flips"), TURNS)
def test_offsets_turn_with_the_volume(order, flips):
    places = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    offset = (1, -2, 3)
    here, there = views(places.shape, offset)
    pairs = set(zip(places[here].ravel().tolist(), places[there].ravel().tolist(), strict=True))
    turned = turn(places, order=order, flips=flips)
    here, there = views(turned.shape, flipped(transposed(offset, order), flips))
    assert set(zip(turned[here].ravel().tolist(), turned[there].ravel().tolist(), strict=True)) == pairs


def test_offsets_that_the_neighborhood_lacks_are_not_valid():
    affs = np.ones((2, 3, 4, 5), np.uint8)
    _, valid = restore(affs, [(-1, 0, 0), (0, -3, 0)], order=(1, 0, 2), flips=())
    assert not valid.any()
