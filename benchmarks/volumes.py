"""What segmentation and evaluation are measured on: a piece of a real volume where it is at hand,
else a made-up one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from scipy import ndimage

from lsd.volumes.array import Array, open_array

FIB25 = "fib25.zarr"
TRUTH, OTHER = "volumes/labels/neuron_ids", "volumes/predictions/fragments_neuroproof"


def fib25(name: str, size: int) -> NDArray[np.generic] | None:
    """A cube of an array of fib25.zarr ($LSD_DATA, ./data or ../shared/data); None where it is not
    there."""
    array = _open(name)
    if array is None:
        return None
    return array.read(Roi(array.offset, [min(size, extent) for extent in array.shape]))


def foreground(size: int) -> tuple[str, NDArray[np.bool_]]:
    """Name of the volume, and what is brighter than membranes in it."""
    raw = fib25("volumes/raw", size)
    if raw is None:
        noise = ndimage.gaussian_filter(
            np.random.default_rng(0).random((size,) * 3, dtype=np.float32), 3
        )
        return "noise", noise > np.percentile(noise, 35)
    smooth = ndimage.gaussian_filter(raw.astype(np.float32), 1)
    low, high = np.percentile(smooth, [5, 60])
    return "fib25", smooth > (low + high) / 2


def labellings(size: int) -> tuple[str, NDArray[np.uint64], NDArray[np.uint64]]:
    """Name of the volume, a segmentation of it and the truth."""
    segmentation, truth = fib25(OTHER, size), fib25(TRUTH, size)
    if segmentation is None or truth is None:
        return "cells", _cells(size, 2000, 0), _cells(size, 500, 1)
    return "fib25", segmentation.astype(np.uint64), truth.astype(np.uint64)


def _open(name: str) -> Array | None:
    for root in (os.environ.get("LSD_DATA", "data"), Path(__file__).parents[2] / "shared" / "data"):
        if (Path(root) / FIB25).exists():
            return open_array(Path(root) / FIB25, name)
    return None


def _cells(size: int, count: int, seed: int) -> NDArray[np.uint64]:
    rng = np.random.default_rng(seed)
    seeds = np.zeros((size,) * 3, dtype=np.uint64)
    seeds[tuple(rng.integers(0, size, (3, count)))] = np.arange(1, count + 1)
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    cells: NDArray[np.uint64] = seeds[tuple(nearest)]
    return cells
