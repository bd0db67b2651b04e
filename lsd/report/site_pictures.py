"""Pictures of error sites: the section of the place, with the parts that are cut apart or mixed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.evaluation.error_sites.sites import Site
from lsd.report.colours import MERGED, SPLIT, Picture, colours, grey, magnified, overlay
from lsd.report.layers import Layer, shown_raw
from lsd.volumes.volume import OpenVolume

# voxels along a side, and pixels that it has, if it can
WINDOW, PIXELS = 128, 256
# of the part where the place is, and of the other one: told apart without red and green
PARTS = (MERGED, SPLIT)


@dataclass(frozen=True, eq=False)
class SitePicture:
    """A site in three pictures (y, x, 3).

    mark: where its place is in them, shares of the width and the height
    size: nm (of a volume without voxel size, voxels) to the right and down
    """

    site: Site
    raw: Picture
    truth: Picture
    segmentation: Picture
    mark: tuple[float, float]
    size: tuple[float, float]


def draw_site(
    site: Site, volume: OpenVolume, segmentation: Layer, *, size: int = WINDOW
) -> SitePicture:
    """The section that a site lies in, `size` voxels around it along y and x.

    segmentation: its `read` gives the segments that were scored
    """
    voxel = _voxel(site.place, volume)
    roi = _around(voxel, volume.roi, size)
    flat = roi.shape[-2:]
    more = max(1, PIXELS // max(flat))
    raw, truth, segments = (
        magnified(np.asarray(read(roi)).reshape(flat), more)
        for read in (partial(shown_raw, volume), volume.read_labels, segmentation.read)
    )
    middle = [
        (at - begin + 0.5) / extent
        for at, begin, extent in zip(voxel[-2:], roi.begin[-2:], flat, strict=True)
    ]
    height, width = (n * nm for n, nm in zip(flat, volume.voxel_size[-2:], strict=True))
    return SitePicture(
        site,
        raw=grey(raw),
        truth=_parts(raw, truth, site.truth, within=_is_any(segments, site.segments)),
        segmentation=_parts(raw, segments, site.segments, within=_is_any(truth, site.truth)),
        mark=(middle[1], middle[0]),
        size=(width, height),
    )


def _is_any(labels: NDArray[Any], ids: Sequence[int]) -> NDArray[np.bool_]:
    return np.isin(labels, np.array(ids, np.uint64))


def _parts(
    raw: NDArray[Any], labels: NDArray[Any], ids: Sequence[int], *, within: NDArray[np.bool_]
) -> Picture:
    """Raw with these labels laid over it; all labels where none of these is there, as of a truth
    that was relabelled.

    within: where a site's objects are of segments, its segments of objects: 0, which is no object
            and lies nearly everywhere, is shown there alone
    """
    shown = np.zeros(labels.shape, np.uint8)
    palette = np.zeros((*labels.shape, 3), np.float32)
    for number, (one, colour) in enumerate(zip(ids, PARTS, strict=False), 1):
        own = labels == one if one else (labels == 0) & within
        shown[own], palette[own] = number, colour
    if not shown.any():
        return overlay(raw, labels, colours(labels))
    return overlay(raw, shown, palette)


def _voxel(place: Sequence[float], volume: OpenVolume) -> list[int]:
    """The voxel of the world that a place in nm lies in."""
    return [
        math.floor((Fraction(nm) - Fraction(rest)) / Fraction(size))
        for nm, size, rest in zip(place, volume.voxel_size, volume.raw.remainder, strict=True)
    ]


def _around(voxel: Sequence[int], roi: Roi, size: int) -> Roi:
    """Up to `size` voxels of the section around a voxel, inside of `roi`."""
    shape = [1] * (roi.dims - 2) + [min(size, n) for n in roi.shape[-2:]]
    begin = [
        min(max(at - extent // 2, first), last - extent)
        for at, extent, first, last in zip(voxel, shape, roi.begin, roi.end, strict=True)
    ]
    return Roi(begin, shape)
