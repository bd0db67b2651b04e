"""Boundaries against a loop over pairs of voxels."""

import numpy as np
import pytest

from lsd.targets.boundary import boundary


def by_loop(labels, width, known):
    """Largest and least value that fits what is known."""
    places = np.argwhere(np.ones(labels.shape, bool))
    flat, known = labels.ravel(), known.ravel()
    near = np.abs(places[:, None] - places[None]).sum(-1) <= width
    differs = near & (flat[:, None] != flat[None]) & known[None]
    surely = (differs.any(1) | (flat == 0)) & known
    perhaps = surely | (near & ~known[None]).any(1)
    return surely.reshape(labels.shape), perhaps.reshape(labels.shape)


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("shape", [(5, 6, 7), (9, 11)])
def test_equals_a_loop(shape, width):
    labels = np.kron(
        np.random.default_rng(0).integers(0, 3, [-(-n // 3) for n in shape]),
        np.ones((3,) * len(shape), int),
    )
    labels = labels[tuple(slice(n) for n in shape)]
    target, mask = boundary(labels, width=width)
    np.testing.assert_array_equal(target[0], by_loop(labels, width, np.ones(shape, bool))[0])
    assert mask.all()
    assert (target.dtype, mask.dtype, target.shape) == (np.float32, np.bool_, (1, *shape))


@pytest.mark.parametrize("width", [1, 2])
def test_what_is_said_near_unknown_voxels_is_true(width):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (4, 4, 4)).repeat(2, 0).repeat(2, 1) + 1
    known = rng.random(labels.shape) < 0.9
    target, mask = boundary(labels, width=width, mask=known)
    surely, perhaps = by_loop(labels, width, known)
    assert surely[target[0] == 1].all()
    assert not perhaps[(target[0] == 0) & mask[0]].any()
    assert not mask[0][~known].any()
    np.testing.assert_array_equal(mask[0][known & (surely == perhaps)], True)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="crop both"):
        boundary(np.ones((3, 3), int), mask=np.ones((2, 3)))
