"""Channels of the nearest neighbours, by hand."""

import numpy as np
import pytest

from lsd.segmentation.kernels.nearest import as_probabilities, mean_affinity, nearest


def test_channels_are_put_in_order() -> None:
    affs = np.random.default_rng(0).random((4, 3, 4, 5))
    found = nearest(affs, ((0, 0, -1), (-3, 0, 0), (0, -1, 0), (-1, 0, 0)))
    np.testing.assert_array_equal(found, affs[[3, 2, 0]])
    np.testing.assert_array_equal(
        nearest(affs, ((-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0))), affs[:3]
    )


def test_offsets_of_plus_one_are_moved() -> None:
    labels = np.random.default_rng(0).integers(0, 2, (4, 5, 6))
    forward, backward = np.zeros((2, 3, *labels.shape))
    for axis in range(3):
        equal = np.take(labels, range(1, labels.shape[axis]), axis) == np.take(
            labels, range(labels.shape[axis] - 1), axis
        )
        inside = [slice(None)] * 3
        inside[axis] = slice(None, -1)
        forward[axis][tuple(inside)] = equal
        inside[axis] = slice(1, None)
        backward[axis][tuple(inside)] = equal
    np.testing.assert_array_equal(nearest(forward, ((1, 0, 0), (0, 1, 0), (0, 0, 1))), backward)
    np.testing.assert_array_equal(nearest(forward[1:], ((1, 0), (0, 1))), backward[1:])


def test_missing_axis() -> None:
    with pytest.raises(ValueError, match=r"no offset \(-1, 0, 0\)"):
        nearest(np.zeros((3, 2, 2, 2)), ((-2, 0, 0), (0, -1, 0), (0, 0, -1)))


def test_unit() -> None:
    assert as_probabilities(np.array([0, 255], np.uint8)).tolist() == [0, 1]
    assert as_probabilities(np.array([0.5], np.float16)).dtype == np.float32
    assert as_probabilities(np.array([-1e-4, 1 + 1e-4])).tolist() == [0, 1]
    assert as_probabilities(np.zeros((3, 0))).shape == (3, 0)


def test_mean_of_the_wanted_channels() -> None:
    affs = np.stack([np.full((2, 2, 2), v) for v in (0.1, 0.4, 0.6, 0.9)])
    np.testing.assert_allclose(mean_affinity(affs), 1.1 / 3, rtol=1e-6)
    np.testing.assert_allclose(mean_affinity(affs, in_xy=True), 0.5)
    np.testing.assert_allclose(mean_affinity(affs[1:3], in_xy=True), 0.5)
    np.testing.assert_allclose(mean_affinity(affs[:, 0]), 0.25)
