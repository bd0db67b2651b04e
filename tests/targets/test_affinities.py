"""Affinities against a loop over voxels."""

import numpy as np
import pytest

from lsd.targets.affinities import affinities

NEIGHBORHOOD = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (2, -1, 3), (0, 0, -9)]


def by_loop(labels, neighborhood, mask):
    affs, valid = np.zeros((2, len(neighborhood), *labels.shape))
    for channel, offset in enumerate(neighborhood):
        for voxel in np.ndindex(labels.shape):
            other = tuple(np.add(voxel, offset))
            if all(0 <= i < n for i, n in zip(other, labels.shape, strict=True)):
                affs[(channel, *voxel)] = labels[voxel] == labels[other] and labels[voxel] > 0
                valid[(channel, *voxel)] = mask[voxel] and mask[other]
    return affs, valid


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64])
def test_equals_a_loop(dims, masked, dtype):
    rng = np.random.default_rng(0)
    shape = (5, 6, 7)[-dims:]
    labels = rng.integers(0, 3, shape).astype(dtype)
    neighborhood = [offset[-dims:] for offset in NEIGHBORHOOD[3 - dims :]]
    mask = rng.random(shape) < 0.8 if masked else None
    affs, valid = affinities(labels, neighborhood, mask=mask)
    expected = by_loop(labels, neighborhood, np.ones(shape, bool) if mask is None else mask)
    assert (affs.dtype, valid.dtype) == (np.float32, np.bool_)
    np.testing.assert_array_equal(affs, expected[0])
    np.testing.assert_array_equal(valid, expected[1])


def test_background_is_trained_to_nothing():
    labels = np.array([[0, 0, 5, 5]])
    affs, mask = affinities(labels, [(0, -1)])
    np.testing.assert_array_equal(affs[0], [[0, 0, 0, 1]])
    np.testing.assert_array_equal(mask[0], [[False, True, True, True]])


def test_ids_that_collide_as_floats_are_apart():
    labels = np.array([[2**53, 2**53 + 1]], np.uint64)
    assert not affinities(labels, [(0, 1)])[0].any()


def test_relabelling_changes_nothing():
    labels = np.random.default_rng(0).integers(0, 4, (6, 7, 8))
    ids = np.array([0, 2**63, 7, 1], np.uint64)
    np.testing.assert_array_equal(
        affinities(labels, NEIGHBORHOOD)[0], affinities(ids[labels], NEIGHBORHOOD)[0]
    )


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="has 2 entries, labels have 3 axes"):
        affinities(np.ones((3, 3, 3), int), [(0, 1)])
    with pytest.raises(ValueError, match="crop both"):
        affinities(np.ones((3, 3, 3), int), [(0, 0, 1)], mask=np.ones((3, 3), bool))
