"""The flooding against mahotas, voxel for voxel, and seeds against scipy."""

import numpy as np
import pytest
from scipy import ndimage

from lsd.segmentation.kernels.flood import flood
from lsd.segmentation.kernels.seeds import maxima, seeds, squared_distance


def _height(shape, seed):
    rng = np.random.default_rng(seed)
    return (20 * ndimage.gaussian_filter(rng.random(shape), 1.5)).astype(np.int32)


@pytest.mark.parametrize("shape", [(20, 24, 22), (1, 30, 30), (30, 31), (7, 1, 9), (1, 1, 1)])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_mahotas(shape, seed) -> None:
    mahotas = pytest.importorskip("mahotas")
    height = _height(shape, seed)
    rng = np.random.default_rng(seed)
    markers = np.where(rng.random(shape) < 0.02, rng.integers(1, 9, shape), 0)
    markers.flat[0] = 5
    expected = mahotas.cwatershed(height.max() - height, markers)
    np.testing.assert_array_equal(flood(height, markers), expected)


def test_without_seeds_nothing_is_reached() -> None:
    assert not flood(np.ones((3, 4, 5), np.int32), np.zeros((3, 4, 5), np.int32)).any()


def test_higher_basin_behind_a_lower_pass_is_reached() -> None:
    height = np.array([[3, 1, 9, 9, 0, 2]], dtype=np.int32)
    start = np.array([[1, 0, 0, 0, 0, 2]])
    np.testing.assert_array_equal(flood(height, start), [[1, 1, 1, 1, 2, 2]])


@pytest.mark.parametrize("seed", [0, 1])
def test_within_equals_skimage(seed) -> None:
    segmentation = pytest.importorskip("skimage.segmentation")
    rng = np.random.default_rng(seed)
    shape = (9, 14, 13)
    height = rng.permutation(np.prod(shape)).reshape(shape).astype(np.int32)
    inside = ndimage.gaussian_filter(rng.random(shape), 1) > 0.5
    markers = np.where(inside & (rng.random(shape) < 0.02), rng.integers(1, 9, shape), 0)
    found = flood(height, markers, within=inside)
    np.testing.assert_array_equal(found, segmentation.watershed(-height, markers, mask=inside))
    reached, _ = ndimage.label(inside)
    np.testing.assert_array_equal(found > 0, np.isin(reached, np.unique(reached[markers > 0])))


def test_more_voxels_than_positions_are_refused() -> None:
    endless = np.broadcast_to(np.int32(1), (2**11, 2**10, 2**10))
    with pytest.raises(ValueError, match="segment it in blocks"):
        flood(endless, endless)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 40])
@pytest.mark.parametrize("shape", [(12, 13, 30), (25, 9)])
def test_maxima_are_those_of_scipy(size, shape) -> None:
    height = np.random.default_rng(size).integers(0, 30, shape).astype(np.int32)
    np.testing.assert_array_equal(
        maxima(height, size), ndimage.maximum_filter(height, size) == height
    )


def test_squared_distance_is_exact() -> None:
    foreground = np.random.default_rng(0).random((17, 20, 23)) < 0.97
    expected = np.rint(ndimage.distance_transform_edt(foreground) ** 2)
    np.testing.assert_array_equal(squared_distance(foreground), expected)
    np.testing.assert_array_equal(squared_distance(np.ones((2, 3, 4), bool)), 1)


@pytest.mark.parametrize("shape", [(12, 13, 14), (1, 13, 14), (12, 1, 14), (20, 21)])
def test_seeds_are_plateaus(shape) -> None:
    height = _height(shape, 3)
    expected, count = ndimage.label(ndimage.maximum_filter(height, 5) == height)
    found = seeds(height, 5)
    assert found.max() == count
    assert len(np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1).T) == len(
        np.unique(expected)
    )
