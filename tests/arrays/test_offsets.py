"""Offsets against loops over voxels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsd.arrays.offsets import for_dims, reach, shift_array, views

OFFSETS = [(1, 0, 0), (0, -2, 0), (-1, 2, 3), (0, 0, 9), (-9, 1, 0)]


@pytest.mark.parametrize("offset", OFFSETS)
def test_shift_by_loop(offset):
    array = np.random.default_rng(0).integers(1, 99, (4, 5, 6))
    moved = shift_array(array, offset)
    for voxel in np.ndindex(array.shape):
        other = tuple(np.add(voxel, offset))
        inside = all(0 <= i < n for i, n in zip(other, array.shape, strict=True))
        assert moved[voxel] == (array[other] if inside else 0)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=3), st.data())
def test_views_pair_voxels(shape, data):
    offset = [data.draw(st.integers(-7, 7)) for _ in shape]
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    here, there = views(shape, offset)
    assert (places[there] - places[here] == offset).all()
    assert places[here].shape[0] == max(0, shape[0] - abs(offset[0]))


def test_shift_leaves_leading_axes():
    array = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(
        shift_array(array, (0, 1), fill=-1)[1], shift_array(array[1], (0, 1), fill=-1)
    )


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
