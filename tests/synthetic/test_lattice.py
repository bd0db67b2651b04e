"""Random numbers that belong to places."""

import numpy as np
import pytest

from lsd.synthetic.lattice import PlacedNoise, normals, uniforms
from lsd.synthetic.noise import smooth_noise

BEGIN, SHAPE = (-3, 5, -20), (7, 9, 40)


@pytest.mark.parametrize("made", [uniforms, normals])
def test_a_number_follows_from_its_place_alone(made) -> None:
    whole = made(4, 1, BEGIN, SHAPE, 3)
    part = made(4, 1, (-1, 6, -7), (2, 3, 4), 3)
    np.testing.assert_array_equal(part, whole[2:4, 1:4, 13:17])
    assert not np.array_equal(whole, made(5, 1, BEGIN, SHAPE, 3))
    assert not np.array_equal(whole, made(4, 2, BEGIN, SHAPE, 3))
    assert len(np.unique(whole)) > 0.95 * whole.size


def test_numbers_are_spread_as_they_should_be() -> None:
    even = uniforms(0, 1, (-8, -8, -8), (16, 16, 16), 4)
    assert np.histogram(even, bins=8, range=(0, 1))[0] == pytest.approx(even.size / 8, rel=0.06)
    bell = normals(0, 1, (-8, -8, -8), (16, 16, 16), 4)
    assert bell.mean() == pytest.approx(0, abs=0.03)
    assert bell.std() == pytest.approx(1, abs=0.03)
    assert (np.abs(bell) > 2).mean() == pytest.approx(0.045, abs=0.01)
    # neighbours, and numbers of one place, know nothing of each other
    for one, other in ((bell[1:], bell[:-1]), (bell[..., 1:, :], bell[..., :-1, :])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(bell[..., 0].ravel(), bell[..., 1].ravel())[0, 1]) < 0.05


def test_noise_of_a_part_is_a_part_of_the_noise() -> None:
    spacing = (4.0, 1.0, 6.5)
    whole, part = PlacedNoise(9, BEGIN, SHAPE), PlacedNoise(9, (-1, 6, -7), (2, 3, 4))
    for _ in range(2):
        np.testing.assert_array_equal(part.smooth(spacing), whole.smooth(spacing)[2:4, 1:4, 13:17])
        np.testing.assert_array_equal(part.white(), whole.white()[2:4, 1:4, 13:17])


def test_smooth_noise_is_as_smooth_as_that_of_a_whole_volume() -> None:
    shape, spacing = (40, 40, 40), (5.0, 5.0, 5.0)
    placed = PlacedNoise(0, (-70, 3, 900), shape).smooth(spacing)
    drawn = smooth_noise(np.random.default_rng(0), shape, spacing=spacing)
    assert placed.std() == pytest.approx(drawn.std(), rel=0.15)
    steps = [np.abs(np.diff(field, axis=0)).mean() for field in (placed, drawn)]
    assert steps[0] == pytest.approx(steps[1], rel=0.15)
