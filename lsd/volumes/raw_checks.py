"""Raw that is one value everywhere, or that raw_range cuts to one: found by a look at parts of it,
before it is learnt from.

Black padding is usual, so parts that are one value say nothing unless all are.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.volumes.array import Array, text
from lsd.volumes.stored_chunks import stored, why_unwritten
from lsd.volumes.volume import OpenVolume

log = logging.getLogger(__name__)

# parts that are looked at first (four where chunks have many bytes) and voxels a side of one; then
# voxels of a block, of all
FEW, LARGE, SIDE = 64, 32 << 20, 32
BLOCK, LIMIT = 1 << 21, 1 << 30
# voxels of an array in memory that are looked at
SAMPLE = 1 << 20
# of values as the network sees them, 0..1: less than this from the least to the greatest is one
# value; fewer than this between black and white leave none; more than this outside raw_range are
# told
LEVEL, BETWEEN, OUTSIDE = 2 / 255, 0.01, 0.5


@dataclass(frozen=True)
class RawSummary:
    """What parts of raw hold: `outside` and `between` are fractions of voxels beyond raw_range and
    strictly inside it."""

    low: float
    high: float
    outside: float
    between: float


def check_raw(volume: OpenVolume) -> None:
    """ValueError where raw is one value in all of the volume's region, or becomes so by raw_range;
    it names the cause if known.

    Warns where most of raw lies outside raw_range, or where a volume was too large to be looked at
    as a whole.  Reads a few small parts where these vary, as they usually do.
    """
    parts, whole = _varying(volume.raw.cropped(volume.roi))
    name, raw = volume.name, volume.raw.name
    if not parts:
        says = f"volume {name!r}: raw, {raw}, is one value wherever it was looked at"
        if not whole:
            log.warning("%s, %d voxels of it; is it the right array?", says, LIMIT)
            return
        raise ValueError(
            f"volume {name!r}: raw, {raw}, is one value everywhere in {text(volume.roi)}"
            f"{why_unwritten(volume.raw) or '; name another array or region, or mend it'}"
        )
    low, high = volume.spec.raw_range or (0.0, 255.0)
    summary = _seen(parts, low, high)
    values = f"its values lie in {summary.low:g}..{summary.high:g}, raw_range is {low:g}..{high:g}"
    if _one_value(summary, low, high):
        raise ValueError(
            f"volume {name!r}: raw, {raw}, becomes one value by its raw_range: {values}, and "
            f"{summary.outside:.0%} of them lie "
            "outside; set raw_range= to the values that stand for black and white"
        )
    if summary.outside > OUTSIDE:
        log.warning(
            "volume %r: %.0f%% of raw lie outside its raw_range and are cut off: %s",
            name,
            100 * summary.outside,
            values,
        )


def lost_by_range(raw: NDArray[np.generic], low: float, high: float) -> str:
    """What raw_range leaves too little of, in a sentence; empty where it fits an array of finite
    values, or where these are one value anyway.

    Looks at about a million voxels, evenly spread.
    """
    step = math.ceil((raw.size / SAMPLE) ** (1 / raw.ndim))
    sample = raw[(slice(None, None, max(1, step)),) * raw.ndim]
    if sample.size == 0 or sample.min() == sample.max():
        return ""
    summary = _seen([sample], low, high)
    values = f"its values lie in {summary.low:g}..{summary.high:g}, raw_range is {low:g}..{high:g}"
    way_out = "give raw_range the values that stand for black and white"
    if _one_value(summary, low, high):
        return f"raw becomes one value by its raw_range: {values}; {way_out}"
    if summary.outside > OUTSIDE:
        return f"{summary.outside:.0%} of raw lie outside its raw_range: {values}; {way_out}"
    return ""


def _one_value(summary: RawSummary, low: float, high: float) -> bool:
    """Whether hardly a difference is left once raw is scaled and clipped."""
    ends = np.clip([(summary.low - low) / (high - low), (summary.high - low) / (high - low)], 0, 1)
    return bool(np.ptp(ends) < LEVEL) or (summary.outside > 0 and summary.between < BETWEEN)


def _seen(parts: list[NDArray[np.generic]], low: float, high: float) -> RawSummary:
    values = np.concatenate([part.ravel() for part in parts]).astype(np.float64)
    low, high = min(low, high), max(low, high)
    outside, between = (
        ((values < low) | (values > high)).mean(),
        ((values > low) & (values < high)).mean(),
    )
    return RawSummary(float(values.min()), float(values.max()), float(outside), float(between))


def _varying(raw: Array) -> tuple[list[NDArray[np.generic]], bool]:
    """Finite values of some parts of raw that are not one value each; where there are none, whether
    all was looked at."""
    parts = [part for part in map(_finite, _read(raw, _few(raw))) if part.size and np.ptp(part)]
    if parts:
        return parts, True
    values: set[float] = set()
    blocks, whole = _blocks(raw)
    for part in map(_finite, _read(raw, blocks)):
        values |= {float(part.min()), float(part.max())} if part.size else set()
        if len(values) > 1:
            return [np.array(sorted(values)) if np.ptp(part) == 0 else part], whole
    return [], whole


def _read(raw: Array, rois: Iterable[Roi]) -> Iterator[NDArray[np.generic]]:
    return (raw.read(roi) for roi in rois)


def _finite(part: NDArray[np.generic]) -> NDArray[np.generic]:
    if part.dtype == np.bool_:
        # numpy does not subtract truth values
        return part.view(np.uint8)
    return part[np.isfinite(part)] if part.dtype.kind == "f" else part


def _few(raw: Array) -> Iterator[Roi]:
    """Small parts, evenly spread over raw, whether they are on disk or not; each costs its
    chunk."""
    if raw.image_sizes is not None:
        yield from _of_images(raw)
        return
    chunk = _chunk(raw)
    most = FEW if math.prod(chunk) * raw.dtype.itemsize < LARGE else 4
    counts = [min(n, math.ceil(most ** (1 / len(chunk)))) for n in raw.roi.shape]
    size = Coordinate(min(n, SIDE) for n in raw.roi.shape)
    for index in np.ndindex(*counts):
        at = (
            b + (2 * i + 1) * n // (2 * m)
            for b, i, n, m in zip(raw.roi.begin, index, raw.roi.shape, counts, strict=True)
        )
        yield (Roi(Coordinate(at), size) - size / 2).intersect(raw.roi)


def _of_images(raw: Array) -> Iterator[Roi]:
    """Some images, evenly spread, whole but for what they have of great size."""
    count = min(FEW, raw.roi.shape[0])
    for number in range(count):
        z = raw.roi.begin[0] + (2 * number + 1) * raw.roi.shape[0] // (2 * count)
        image = raw.image(z)
        few = Roi(image.begin, np.minimum(image.shape, 8 * SIDE).tolist())
        yield few.intersect(raw.roi)


def _blocks(raw: Array) -> tuple[Iterator[Roi], bool]:
    """All that is on disk of raw, or as much of it as is read, and whether that is all."""
    on_disk = stored(raw)
    if on_disk is None:
        side = Coordinate(min(n, round(BLOCK ** (1 / raw.roi.dims))) for n in raw.roi.shape)
        grid = [-(-n // m) for n, m in zip(raw.roi.shape, side, strict=True)]
        count = math.prod(grid)
    else:
        side, end = on_disk[1], np.asarray(raw.roi.end)
        inside = (on_disk[0] < end) & (on_disk[0] + np.asarray(side) > np.asarray(raw.roi.begin))
        begins = on_disk[0][inside.all(axis=1)]
        count = len(begins)

    def block(number: int) -> Roi:
        if on_disk is not None:
            return Roi(begins[number].tolist(), side).intersect(raw.roi)
        place = Coordinate(int(n) for n in np.unravel_index(number, grid))
        return Roi(raw.roi.begin + place * side, side).intersect(raw.roi)

    most = max(1, LIMIT // math.prod(side))
    numbers = range(count) if count <= most else (number * count // most for number in range(most))
    return map(block, numbers), count <= most


def _chunk(raw: Array) -> list[int]:
    return [raw.source.chunks[raw.layout.disk.index(axis)] for axis in raw.axes[-raw.roi.dims :]]
