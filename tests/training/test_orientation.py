import itertools

import gunpowder as gp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsd import spec
from lsd.training.nodes.simple import Orientation, Simple, draw

ORIENTATIONS = [
    Orientation(order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]
CUBE = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_points_say_where_voxels_come_from(orientation):
    data = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    turned = orientation.apply(data)
    centre, source_centre = (np.reshape([(n - 1) / 2 for n in a.shape], (3, 1, 1, 1)) for a in (turned, data))
    source = orientation.before(np.indices(turned.shape) - centre) + source_centre
    np.testing.assert_array_equal(turned, data[tuple(source.astype(int))])
    assert orientation.source(turned.shape) == data.shape


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_channels_stay_in_front(orientation):
    data = np.arange(2 * 2 * 3 * 4).reshape(2, 2, 3, 4)
    np.testing.assert_array_equal(orientation.apply(data)[1], orientation.apply(data[1]))


@given(st.sampled_from(ORIENTATIONS), st.tuples(*[st.integers(0, 3)] * 3), st.tuples(*[st.integers(1, 3)] * 3))
def test_a_part_of_the_output_is_read_from_its_own_part_of_the_input(orientation, offset, shape):
    whole = gp.Roi((5, -7, 1), (6, 7, 8))
    roi = gp.Roi(whole.begin + gp.Coordinate(offset), shape)
    source_whole = gp.Roi(whole.begin, orientation.source(whole.shape))
    data = np.arange(whole.size).reshape(source_whole.shape)
    part = data[(orientation.source_roi(roi, whole) - source_whole.begin).to_slices()]
    expected = orientation.apply(data)[(roi - whole.begin).to_slices()]
    np.testing.assert_array_equal(orientation.apply(part), expected)


def drawn(simple, **options):
    rng = np.random.default_rng(0)
    return {draw(simple, rng, **{"voxel_size": CUBE, **options}) for _ in range(2000)}


def test_every_orientation_is_drawn():
    assert drawn(spec.Simple()) == set(ORIENTATIONS)


def test_only_named_axes_are_mirrored_and_transposed():
    assert drawn(spec.Simple(mirror="z", transpose="")) == {Orientation((0, 1, 2), (flip, False, False)) for flip in (0, 1)}
    assert {o.order for o in drawn(spec.Simple(mirror="", transpose="yx"))} == {(0, 1, 2), (0, 2, 1)}


def test_axes_of_different_voxel_size_are_not_transposed():
    assert {o.order for o in drawn(spec.Simple(), voxel_size=(40.0, 4.0, 4.0))} == {(0, 1, 2), (0, 2, 1)}


def test_sections_of_2d_networks_keep_z():
    found = drawn(spec.Simple(), flat=True)
    assert {o.order for o in found} == {(0, 1, 2), (0, 2, 1)}
    assert not any(o.flips[0] for o in found)


def test_the_node_leaves_the_random_state_of_the_process_alone():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    Simple(spec.Simple(), voxel_size=CUBE).set_seeds(gp.BatchRequest(random_seed=1))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
