"""Distances to other labels against all pairs of voxels, and against scipy."""

import numpy as np
import pytest
from scipy import ndimage

from lsd.arrays.distances import distances_to_others

SPACINGS = [(1, 1, 1), (40, 4, 4), (2.5, 7, 0.3)]


def by_all_pairs(labels, spacing, known=None):
    """The nearest of all voxels of another label."""
    places = np.argwhere(np.ones(labels.shape, bool)) * np.array(spacing)
    ids = [int(label) for label in labels.reshape(-1)]
    marks = [True] * len(ids) if known is None else known.reshape(-1).tolist()
    named = list(zip(ids, marks, strict=True))
    found = np.full(labels.size, np.inf)
    for place, own in enumerate(named):
        others = np.array([name != own for name in named])
        if others.any():
            found[place] = np.linalg.norm(places[others] - places[place], axis=1).min()
    return found.reshape(labels.shape)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 9, 8), (6, 7), (1, 12)])
def test_equals_all_pairs(shape, spacing) -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0, 5, 2**64 - 1, 2**64 - 2], np.uint64)[rng.integers(0, 4, shape)]
    coarse = labels[tuple(np.s_[:: 1 + n // 4] for n in shape)]
    labels = coarse.repeat(3, -1).repeat(2, 0)[tuple(slice(n) for n in shape)]
    spacing = spacing[-len(shape) :]
    found = distances_to_others(labels, spacing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_all_pairs(labels, spacing), rtol=1e-6)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_equals_scipy_object_by_object(spacing) -> None:
    """Large smooth objects, of which many meet."""
    rng = np.random.default_rng(1)
    seeds = rng.uniform(0, 30, (12, 3))
    grid = np.stack(np.meshgrid(*(np.arange(30),) * 3, indexing="ij"), -1)
    labels = np.linalg.norm(grid[..., None, :] - seeds, axis=-1).argmin(-1).astype(np.int32)
    found = distances_to_others(labels, spacing)
    for label in range(12):
        alone = ndimage.distance_transform_edt(labels == label, sampling=spacing)
        np.testing.assert_allclose(found[labels == label], alone[labels == label], rtol=1e-6)


def test_what_is_not_known_is_another_label() -> None:
    rng = np.random.default_rng(2)
    labels, known = rng.integers(0, 2, (4, 5, 3)).repeat(2, 1), rng.random((4, 10, 3)) < 0.7
    found = distances_to_others(labels, (3, 1, 2), known=known)
    np.testing.assert_allclose(found, by_all_pairs(labels, (3, 1, 2), known), rtol=1e-6)


def test_one_label_is_infinitely_far_from_others() -> None:
    assert np.isinf(distances_to_others(np.ones((3, 4, 5), int), (1, 1, 1))).all()
    assert distances_to_others(np.zeros((0, 4, 5), int), (1, 1, 1)).shape == (0, 4, 5)


@pytest.mark.parametrize("dtype", [">u8", ">i2"])
def test_distances_of_another_byte_order(dtype) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (4, 7, 8)).astype(np.uint8)
    found = distances_to_others(labels.astype(dtype), (40, 4, 4))
    np.testing.assert_array_equal(found, distances_to_others(labels, (40, 4, 4)))
