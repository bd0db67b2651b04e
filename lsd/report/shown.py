"""Which sections and windows of a volume a figure shows: the middle ones, or where little is
scored, those that hold most."""

from __future__ import annotations

import math

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.evaluation.scored import scored, scored_blocks
from lsd.spec import Evaluate
from lsd.volumes.known_voxels import Blocks
from lsd.volumes.volume import OpenVolume

# voxels that are read in search of truth, and places along an axis that a window is tried at
LIMIT = 1 << 30
PLACES = 1024
# this much of a window is enough to be shown
ENOUGH = 0.5

Counts = NDArray[np.int64]


def windows(volume: OpenVolume, roi: Roi, settings: Evaluate, *, rows: int, size: int) -> list[Roi]:
    """Up to `rows` sections of `roi`, of each a window of `size` voxels a side or less; a 2D volume
    is one section.

    They are evenly spaced, and windows in the middle, if most of them is scored.  Else the scored
    voxels are shared out among the rows, from the first section to the last, and each shows the
    section of its share that has most, where it has most.
    """
    usual = evenly(roi, rows=rows, size=size)
    if all(_count(volume, window, settings) >= ENOUGH * window.size for window in usual):
        return usual
    blocks = scored_blocks(volume, roi, settings, limit=LIMIT)
    if blocks is None:
        return usual
    sections = most(per_section(volume, roi, settings, blocks), rows) if roi.dims == 3 else [0]
    best = [_window(volume, _section(roi, z), settings, blocks, size) for z in sections]
    return best if any(_count(volume, window, settings) for window in best) else usual


def evenly(roi: Roi, *, rows: int, size: int) -> list[Roi]:
    """Evenly spaced sections of `roi`, of each the middle."""
    plane = [min(size, extent) for extent in roi.shape[-2:]]
    corner = [
        begin + (extent - n) // 2
        for begin, extent, n in zip(roi.begin[-2:], roi.shape[-2:], plane, strict=True)
    ]
    if roi.dims == 2:
        return [Roi(corner, plane)]
    rows = min(rows, roi.shape[0])
    heights = [roi.begin[0] + (2 * row + 1) * roi.shape[0] // (2 * rows) for row in range(rows)]
    return [Roi((z, *corner), (1, *plane)) for z in heights]


def per_section(volume: OpenVolume, roi: Roi, settings: Evaluate, blocks: Blocks) -> Counts:
    """Scored voxels of each section of `roi`; of a volume too large to be read, of the blocks that
    are."""
    counts: Counts = np.zeros(roi.shape[0], np.int64)
    for block in blocks.rois:
        first = block.begin[0] - roi.begin[0]
        counts[first : first + block.shape[0]] += _scored(volume, block, settings).sum(axis=(1, 2))
    return counts


def most(counts: Counts, rows: int) -> list[int]:
    """Of each of `rows` equal shares of what is counted, ascending, the place that has most; the
    one in its middle if several.

    Fewer where a place is more than a share.
    """
    total = int(counts.sum())
    middle = np.cumsum(counts) - counts / 2
    chosen = []
    for row in range(rows):
        share = np.flatnonzero(
            (counts > 0) & (middle * rows >= row * total) & (middle * rows < (row + 1) * total)
        )
        if len(share):
            best = share[counts[share] == counts[share].max()]
            chosen.append(
                int(best[np.abs(middle[best] - (2 * row + 1) * total / (2 * rows)).argmin()])
            )
    return chosen


def _window(volume: OpenVolume, section: Roi, settings: Evaluate, blocks: Blocks, size: int) -> Roi:
    """Where a window has most of a section; the place nearest to the middle if several have."""
    step = [max(1, math.ceil(extent / PLACES)) for extent in section.shape[-2:]]
    cells = np.zeros(
        [-(-extent // n) for extent, n in zip(section.shape[-2:], step, strict=True)], np.int64
    )
    for part in (block.intersect(section) for block in blocks.rois):
        if not part.empty:
            voxels = np.argwhere(_scored(volume, part, settings).reshape(part.shape[-2:]))
            cell_of_voxels = (voxels + np.asarray(part.begin - section.begin)[-2:]) // step
            np.add.at(cells, tuple(cell_of_voxels.T), 1)
    shape = [min(len_, max(1, size // n)) for len_, n in zip(cells.shape, step, strict=True)]
    sums = np.lib.stride_tricks.sliding_window_view(
        np.cumsum(np.cumsum(np.pad(cells, ((1, 0), (1, 0))), 0), 1), (shape[0] + 1, shape[1] + 1)
    )
    sums_of_window = sums[..., -1, -1] - sums[..., 0, -1] - sums[..., -1, 0] + sums[..., 0, 0]
    best = np.argwhere(sums_of_window == sums_of_window.max())
    place = (
        best[np.abs(best - (np.array(sums_of_window.shape) - 1) / 2).sum(axis=1).argmin()] * step
    )
    plane = [min(size, extent) for extent in section.shape[-2:]]
    corner = [
        min(int(p), extent - n)
        for p, extent, n in zip(place, section.shape[-2:], plane, strict=True)
    ]
    lead = section.dims - 2
    return Roi(section.begin + Coordinate([0] * lead + corner), [1] * lead + plane)


def _section(roi: Roi, z: int) -> Roi:
    return roi if roi.dims == 2 else Roi((roi.begin[0] + z, *roi.begin[1:]), (1, *roi.shape[1:]))


def _scored(volume: OpenVolume, roi: Roi, settings: Evaluate) -> NDArray[np.bool_]:
    return scored(*volume.read_truth(roi), settings)


def _count(volume: OpenVolume, roi: Roi, settings: Evaluate) -> int:
    return int(np.count_nonzero(_scored(volume, roi, settings)))
