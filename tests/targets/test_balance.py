"""Class balancing: classes of equal weight in sum, by hand."""

import numpy as np
import pytest

from lsd.targets.balance import balance


def test_by_hand():
    target = np.array([[1, 1, 1, 0, 1]], np.float32)
    weights = balance(target, np.array([[1, 1, 1, 1, 0]]))
    np.testing.assert_allclose(weights, [[2 / 3, 2 / 3, 2 / 3, 2, 0]])
    assert weights.dtype == np.float32


def test_classes_weigh_the_same_in_each_channel():
    rng = np.random.default_rng(0)
    target = (rng.random((3, 20, 20, 20)) < np.array([0.1, 0.5, 0.9])[:, None, None, None]).astype(
        np.float32
    )
    mask = rng.random(target.shape) < 0.7
    weights = balance(target, mask)
    for channel in range(3):
        positive = weights[channel][target[channel] == 1].sum()
        assert positive == pytest.approx(weights[channel][target[channel] == 0].sum(), rel=1e-5)
        assert weights[channel].sum() == pytest.approx(mask[channel].sum(), rel=1e-5)
    assert not weights[~mask].any()


@pytest.mark.parametrize(("value", "expected"), [(1, 0.5 / 0.95), (0, 0.5 / 0.95)])
def test_rare_classes_are_clipped(value, expected):
    np.testing.assert_allclose(balance(np.full((1, 4, 4), value), np.ones((1, 4, 4))), expected)
    rare = np.full((1, 100), 1 - value)
    rare[0, 0] = value
    assert balance(rare, np.ones_like(rare))[0, 0] == pytest.approx(0.5 / 0.05)


def test_a_batch_is_balanced_as_a_whole():
    target = np.stack([np.ones((2, 4)), np.zeros((2, 4))])
    np.testing.assert_allclose(balance(target, np.ones_like(target), channel_axis=1), 1)


def test_nothing_known_weighs_nothing():
    assert not balance(np.ones((2, 3, 3)), np.zeros((2, 3, 3))).any()


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="each target voxel needs its mask"):
        balance(np.ones((2, 3)), np.ones((1, 3)))
