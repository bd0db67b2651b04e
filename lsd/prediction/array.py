"""Prediction block by block, from anywhere to anywhere; and of a volume that is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from funlib.geometry import Roi

from lsd.blockwise.grid import Block
from lsd.blockwise.stream import stream
from lsd.prediction.plan import Plan
from lsd.prediction.predictor import DType, Predictor

Raw = npt.NDArray[np.float32]
Heads = dict[str, npt.NDArray[Any]]


def predict_blocks(
    predictor: Predictor,
    plan: Plan,
    *,
    read: Callable[[Roi], Raw],
    write: Callable[[Roi, Heads], object],
    dtype: DType = "float32",
) -> Iterator[Block]:
    """Predicts the blocks of a plan in order; yields each when it is written.

    read:  raw (*roi.shape) in -1..1 of a ROI in world voxels, also beyond the volume
    write: takes the heads {name: (c, *roi.shape)} of a ROI in the plan's region
    """

    def put(block: Block, heads: Heads) -> None:
        write(block.write, {name: head[:, *block.kept] for name, head in heads.items()})

    return stream(
        plan.grid, lambda raw: predictor.block(raw, plan, dtype=dtype), read=lambda block: read(block.read), write=put
    )


def predict_array(
    predictor: Predictor,
    raw: Raw,
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
    heads = {name: np.empty((count, *roi.shape), np.float32) for name, count in predictor.channels.items()}

    def write(part: Roi, found: Heads) -> None:
        for name, head in found.items():
            heads[name][:, *(part - roi.begin).to_slices()] = head

    for block in predict_blocks(predictor, plan, read=lambda part: reflected(raw, part), write=write):
        if progress:
            progress(block)
    return heads


def reflected(array: Raw, roi: Roi) -> Raw:
    """`array` within roi, mirrored at its borders, again and again where roi reaches far; the border is not repeated."""
    indices = [_mirror(begin, n, size) for begin, n, size in zip(roi.begin, roi.shape, array.shape, strict=True)]
    return np.ascontiguousarray(array[np.ix_(*indices)])


def _mirror(begin: int, count: int, size: int) -> npt.NDArray[np.int64]:
    period = max(2 * (size - 1), 1)
    places = np.arange(begin, begin + count) % period
    return np.minimum(places, period - places)
