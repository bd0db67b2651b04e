"""Sections of a volume in three planes, spread over the part that was scored.  Only these sections
are read, so a volume may be larger than memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from funlib.geometry import Coordinate, Roi

from lsd.report.colours import Picture
from lsd.report.layers import Layer
from lsd.report.shown import windows
from lsd.spec import Evaluate
from lsd.volumes.units import lengths
from lsd.volumes.volume import OpenVolume

# sections of a plane, and voxels along a side of one
SECTIONS, WINDOW = 9, 256
# that the longer side of a picture of labels has, if it can
PIXELS = 320


@dataclass(frozen=True, eq=False)
class Plane:
    """Sections of one orientation.

    name:    its axes, as in "xy": the first to the right, the second down
    across:  the axis that sections are spread along, "z" of xy
    voxels:  where they are along it, voxels of the world;  places: the same in nm
    size:    nm (of a volume without voxel size, voxels) to the right and down
    extent:  where what is shown begins and ends along it, voxels
    pictures: of each layer, a picture (y, x, 3) of each section
    """

    name: str
    across: str
    voxels: tuple[int, ...]
    places: tuple[float, ...]
    size: tuple[float, float]
    extent: tuple[float, float]
    pictures: tuple[tuple[Picture, ...], ...]


def box_of(volume: OpenVolume, roi: Roi, settings: Evaluate, *, size: int = WINDOW) -> Roi:
    """The part of `roi` that is shown: at most `size` voxels along each axis, where much is
    scored."""
    [window, *_] = windows(volume, roi, settings, rows=1, size=size)
    if roi.dims == 2:
        return window
    deep = min(size, roi.shape[0])
    first = min(max(window.begin[0] - deep // 2, roi.begin[0]), roi.end[0] - deep)
    return Roi((first, *window.begin[1:]), (deep, *window.shape[1:]))


def planes(
    volume: OpenVolume, box: Roi, layers: Sequence[Layer], *, sections: int = SECTIONS
) -> list[Plane]:
    """Of a volume xy, xz and yz; of 2D ones and of images, which have nothing to do with each
    other, xy alone."""
    flat = box.dims == 2 or volume.image_sizes is not None
    return [
        _plane(volume, box, layers, across=across, sections=sections)
        for across in ((0,) if flat else (0, 1, 2))
    ]


def _plane(
    volume: OpenVolume, box: Roi, layers: Sequence[Layer], *, across: int, sections: int
) -> Plane:
    if box.dims == 2:
        return _of_2d(volume, box, layers)
    down, right = (axis for axis in range(3) if axis != across)
    if across == 2:
        # y goes down beside xy, whose rows are at the same heights
        down, right = 1, 0
    count = min(sections, box.shape[across])
    # each in the middle of an equal share
    places = (np.arange(count) * 2 + 1) * box.shape[across] // (2 * count) + box.begin[across]
    rois = [_section(box, across, int(place)) for place in places]
    factors = _factors(box, volume.voxel_size, across)
    drawn = tuple(
        tuple(_turned(layer.picture(roi, across, factors=factors), across) for roi in rois)
        for layer in layers
    )
    corners = [_nm(volume, roi.begin) for roi in rois]
    size = volume.voxel_size
    return Plane(
        name="zyx"[right] + "zyx"[down],
        across="zyx"[across],
        voxels=tuple(int(place) for place in places),
        places=tuple(corner[across] for corner in corners),
        size=(box.shape[right] * size[right], box.shape[down] * size[down]),
        extent=(float(box.begin[across]), float(box.end[across])),
        pictures=drawn,
    )


def _factors(box: Roi, voxel_size: Sequence[float], across: int) -> tuple[int, int]:
    """Pixels of a voxel along both axes of a section, so that they are about square and enough."""
    axes = [axis for axis in range(box.dims) if axis != across]
    smallest = min(voxel_size[axis] for axis in axes)
    down, right = (max(1, round(voxel_size[axis] / smallest)) for axis in axes)
    longest = max(box.shape[axes[0]] * down, box.shape[axes[1]] * right)
    more = max(1, PIXELS // longest)
    return more * down, more * right


def _turned(picture: Picture, across: int) -> Picture:
    """A section along x (z, y) with y down, z to the right; others as they are."""
    return picture.swapaxes(0, 1) if across == 2 else picture


def _of_2d(volume: OpenVolume, box: Roi, layers: Sequence[Layer]) -> Plane:
    factors = _factors(box, volume.voxel_size, -1)
    drawn = tuple((layer.picture(box, -1, factors=factors),) for layer in layers)
    height, width = (n * nm for n, nm in zip(box.shape, volume.voxel_size, strict=True))
    return Plane("xy", "z", (0,), (0.0,), (width, height), (0.0, 1.0), drawn)


def _section(box: Roi, across: int, place: int) -> Roi:
    begin, shape = list(box.begin), list(box.shape)
    begin[across], shape[across] = place, 1
    return Roi(begin, shape)


def _nm(volume: OpenVolume, voxel: Coordinate) -> tuple[float, ...]:
    return lengths(voxel, volume.voxel_size, volume.raw.remainder)
