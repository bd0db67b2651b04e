"""Prediction block by block, from anywhere to anywhere; and of a volume that is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from funlib.geometry import Roi

from lsd.arrays.caller import warn_caller
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.running.stream import stream
from lsd.prediction.plan import Plan
from lsd.prediction.predictor import DType, Predictor
from lsd.spec.plurals import counted
from lsd.volumes.intensity import first_not_finite, signed, to_unit

Raw = npt.NDArray[np.float32]
Heads = dict[str, npt.NDArray[Any]]

# what raw may miss -1..1 by, rounding
HAIR = 1e-3


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
        plan.grid,
        lambda raw: predictor.block(raw, plan, dtype=dtype),
        read=lambda block: read(block.read),
        write=put,
    )


def predict_array(
    predictor: Predictor,
    raw: npt.NDArray[Any],
    *,
    roi: Roi | None = None,
    voxel_size: Sequence[float] | None = None,
    progress: Callable[[Block], object] | None = None,
) -> dict[str, npt.NDArray[np.float32]]:
    """Heads (c, *roi.shape), float32 in 0..1, of raw (*spatial): uint8 (0..255), or floats in
    -1..1.

    roi:        the part to predict, in voxels of `raw`; the rest of raw is its context.  None: all
                of raw.  Beyond the borders raw is reflected
    voxel_size: nm; only asked when transposes are averaged, None: the same along every axis
    progress:   called with each block that is done

    raw is not changed.  Raises ValueError for other dtypes, values outside -1..1 and raw that is
    nothing for the network; warns of floats that look like 0..1.
    """
    raw = np.asarray(raw)
    _check(raw)
    for name, lengths in (("roi", roi and roi.shape), ("voxel_size", voxel_size)):
        if lengths is not None and len(lengths) != raw.ndim:
            raise ValueError(
                f"{name} has {counted(len(lengths), 'axis')}, raw {raw.ndim} (shape {raw.shape}); "
                f"give it one entry an axis"
            )
    return predict_roi(
        predictor,
        roi or Roi((0,) * raw.ndim, raw.shape),
        read=lambda part: _signed(reflected(raw, part)),
        voxel_size=voxel_size or (1.0,) * raw.ndim,
        progress=progress,
    )


def predict_roi(
    predictor: Predictor,
    roi: Roi,
    *,
    read: Callable[[Roi], Raw],
    voxel_size: Sequence[float],
    progress: Callable[[Block], object] | None = None,
) -> dict[str, npt.NDArray[np.float32]]:
    """Heads (c, *roi.shape), float32 in 0..1, of a ROI in world voxels; `read` as of
    `predict_blocks`, `voxel_size` and `progress` as of `predict_array`."""
    plan = predictor.plan(roi, voxel_size=voxel_size)
    heads = {
        name: np.empty((count, *roi.shape), np.float32)
        for name, count in predictor.channels.items()
    }

    def write(part: Roi, block: Heads) -> None:
        for name, head in block.items():
            heads[name][:, *(part - roi.begin).to_slices()] = head

    for block in predict_blocks(predictor, plan, read=read, write=write):
        if progress:
            progress(block)
    return heads


def _check(raw: npt.NDArray[Any]) -> None:
    if raw.dtype != np.uint8 and raw.dtype.kind != "f":
        raise ValueError(
            f"raw is {raw.dtype}; allowed: uint8 (0..255), or floats in -1..1, where -1 is black "
            f"and 1 is white"
        )
    if not raw.size:
        raise ValueError(f"raw of shape {raw.shape} holds no voxel")
    if raw.dtype == np.uint8:
        return
    voxel = first_not_finite(raw)
    if voxel is not None:
        raise ValueError(
            f"raw is {raw[voxel]} at voxel {voxel}; allowed: -1..1; replace what is not finite"
        )
    low, high = raw.min(), raw.max()
    if low < -1 - HAIR or high > 1 + HAIR:
        raise ValueError(
            f"raw lies in {low:.4g}..{high:.4g}, allowed: -1..1, where -1 is black and 1 is white; "
            f"give uint8 as it is, and "
            "scale others: (raw - black) / (white - black) * 2 - 1"
        )
    if 0 <= low < high:
        warn_caller(
            f"raw lies in {low:.4g}..{high:.4g}; if 0 is black in it, give raw * 2 - 1: -1 is "
            f"black to the network"
        )


def _signed(raw: npt.NDArray[Any]) -> Raw:
    """Raw as it enters networks: in -1..1."""
    if raw.dtype != np.uint8:
        return raw.astype(np.float32, copy=False)
    return signed(to_unit(raw, None))


def reflected(array: npt.NDArray[Any], roi: Roi) -> npt.NDArray[Any]:
    """`array` within roi, mirrored at its borders, again and again where roi reaches far; the
    border is not repeated."""
    indices = [
        _mirror(begin, n, size)
        for begin, n, size in zip(roi.begin, roi.shape, array.shape, strict=True)
    ]
    return np.ascontiguousarray(array[np.ix_(*indices)])


def _mirror(begin: int, count: int, size: int) -> npt.NDArray[np.int64]:
    period = max(2 * (size - 1), 1)
    places = np.arange(begin, begin + count) % period
    return np.minimum(places, period - places)
