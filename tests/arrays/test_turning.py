"""Turns of arrays against loops over voxels, and what turns with them."""

import itertools

import numpy as np
import pytest
from funlib.geometry import Coordinate, Roi
from hypothesis import given
from hypothesis import strategies as st

from lsd.arrays.offsets import views
from lsd.arrays.turning import Turn

TURNS = [
    Turn(order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_points_say_where_voxels_come_from(turn):
    data = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    turned = turn.apply(data)
    centre, source_centre = (
        np.reshape([(n - 1) / 2 for n in a.shape], (3, 1, 1, 1)) for a in (turned, data)
    )
    source = turn.before(np.indices(turned.shape) - centre) + source_centre
    np.testing.assert_array_equal(turned, data[tuple(source.astype(int))])
    assert turn.source(turned.shape) == data.shape


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_channels_stay_in_front(turn):
    data = np.arange(2 * 2 * 3 * 4).reshape(2, 2, 3, 4)
    np.testing.assert_array_equal(turn.apply(data)[1], turn.apply(data[1]))


@given(
    st.sampled_from(TURNS), st.tuples(*[st.integers(0, 3)] * 3), st.tuples(*[st.integers(1, 3)] * 3)
)
def test_a_part_of_the_output_is_read_from_its_own_part_of_the_input(turn, offset, shape):
    whole = Roi((5, -7, 1), (6, 7, 8))
    roi = Roi(whole.begin + Coordinate(offset), shape)
    source_whole = Roi(whole.begin, turn.source(whole.shape))
    data = np.arange(whole.size).reshape(source_whole.shape)
    part = data[(turn.source_roi(roi, whole) - source_whole.begin).to_slices()]
    expected = turn.apply(data)[(roi - whole.begin).to_slices()]
    np.testing.assert_array_equal(turn.apply(part), expected)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_undone_it_is_what_it_was(turn):
    data = np.arange(2 * 2 * 3 * 4).reshape(2, 2, 3, 4)
    np.testing.assert_array_equal(turn.undo(turn.apply(data)), data)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_offsets_turn_with_the_volume(turn):
    places = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    offset = (1, -2, 3)
    here, there = views(places.shape, offset)
    pairs = set(zip(places[here].ravel().tolist(), places[there].ravel().tolist(), strict=True))
    turned = turn.apply(places)
    here, there = views(turned.shape, turn.offset(offset))
    found = zip(turned[here].ravel().tolist(), turned[there].ravel().tolist(), strict=True)
    assert set(found) == pairs
