"""Made-up cells between membranes, and what a network that is right for the most part says of
them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lsd.targets.affinities import affinities

NEAREST = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))


def cells(shape: Sequence[int], count: int) -> NDArray[np.uint64]:
    """Voronoi cells of random points; 0 where two touch."""
    rng = np.random.default_rng(0)
    seeds = np.zeros(shape, np.uint64)
    seeds[tuple(rng.integers(0, size, count) for size in shape)] = np.arange(1, count + 1)
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    labels: NDArray[np.uint64] = seeds[tuple(nearest)]
    inside = ndimage.maximum_filter(labels, 3) == ndimage.minimum_filter(labels, 3)
    return labels * inside


def noisy_affinities(labels: NDArray[np.uint64]) -> NDArray[np.float32]:
    """To the nearest neighbours: right where noise of a deviation of 1.5 leaves logits of -3 and 3
    their sign, 98 of 100."""
    truth, _ = affinities(labels, NEAREST)
    noise = np.random.default_rng(1).standard_normal(truth.shape, np.float32)
    return np.asarray(1 / (1 + np.exp(3 - 6 * truth - 1.5 * noise)), np.float32)


def noisy_foreground(labels: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Foreground that is wrong in blobs, at 3 of 100 voxels."""
    noise = ndimage.gaussian_filter(
        np.random.default_rng(2).standard_normal(labels.shape, np.float32), 1
    )
    return np.asarray((labels > 0) ^ (noise > np.quantile(noise, 0.97)))
