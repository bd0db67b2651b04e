"""Prediction of a volume that is in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from funlib.geometry import Roi

from lsd.blockwise.grid import Block
from lsd.prediction.predictor import Predictor


def predict_array(
    predictor: Predictor,
    raw: npt.NDArray[np.float32],
    *,
    roi: Roi | None = None,
    voxel_size: Sequence[float] | None = None,
    progress: Callable[[Block], object] | None = None,
) -> dict[str, npt.NDArray[np.float32]]:
    """Heads (c, *roi.shape), float32 in 0..1, of raw (*spatial) in -1..1.

    roi:        the part to predict, in voxels of `raw`; the rest of raw is its context.  None: all of raw.  Beyond the borders
                raw is reflected
    voxel_size: nm; only asked when transposes are averaged, None: the same along every axis
    progress:   called with each block that is done
    """
    assert raw.dtype == np.float32
    roi = roi or Roi((0,) * raw.ndim, raw.shape)
    plan = predictor.plan(roi, voxel_size=voxel_size or (1.0,) * raw.ndim)
    heads: dict[str, npt.NDArray[np.float32]] = {}
    for block in plan.grid:
        for name, head in predictor.block(reflected(raw, block.read), plan).items():
            if name not in heads:
                heads[name] = np.empty((len(head), *roi.shape), np.float32)
            heads[name][:, *(block.write - roi.begin).to_slices()] = head[:, *block.kept]
        if progress:
            progress(block)
    return heads


def reflected(array: npt.NDArray[np.float32], roi: Roi) -> npt.NDArray[np.float32]:
    """`array` within roi, mirrored at its borders, again and again where roi reaches far; the border is not repeated."""
    indices = [_mirror(begin, n, size) for begin, n, size in zip(roi.begin, roi.shape, array.shape, strict=True)]
    return np.ascontiguousarray(array[np.ix_(*indices)])


def _mirror(begin: int, count: int, size: int) -> npt.NDArray[np.int64]:
    period = max(2 * (size - 1), 1)
    places = np.arange(begin, begin + count) % period
    return np.minimum(places, period - places)
