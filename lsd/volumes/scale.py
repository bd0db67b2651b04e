"""Volumes read at a scale: which voxels are one, what of a region is read, and which array of the
file holds it already.

scale: voxels along each axis that are read as one, z y x.  Voxels of the files are called fine,
those that are read coarse: coarse voxel i covers the fine ones i * scale .. (i + 1) * scale - 1 of
the world
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TypeVar

from funlib.geometry import Coordinate, Roi

from lsd.spec.plurals import counted
from lsd.volumes import containers
from lsd.volumes.array import Array, open_array, text
from lsd.volumes.layout import Layout
from lsd.volumes.levels import How
from lsd.volumes.scaled import ScaledSource, Scaling
from lsd.volumes.units import WHOLE, agree, exact

Voxels = TypeVar("Voxels", Roi, Coordinate)

log = logging.getLogger(__name__)


def at_scale(
    array: Array, scale: Sequence[int], how: How, *, axes: Sequence[str] | None = None
) -> Array:
    """`array` read at a scale: from a level of its own file where one says that it is of it, else
    made coarser as it is read.

    how:  what becomes of voxels that are read as one; that "all" are set no file says of its levels
    axes: what the config calls the axes on disk
    """
    if array.image_sizes is not None:
        raise ValueError(f"{array.name} holds images, which are read as they are; leave scale out")
    layout = array.layout.coarser(scale)
    level = own_level(array, scale, axes=axes) if how != "all" else None
    if level is not None and level.layout.shape == layout.shape:
        placed = replace(
            level.layout,
            voxel_size=layout.voxel_size,
            offset=layout.offset,
            remainder=layout.remainder,
        )
        return Array(level.source, placed, array.dtype)
    lead = [begin % f for begin, f in zip(array.layout.offset, scale, strict=True)]
    scaling = Scaling(
        array.layout.on_disk(scale, channel=1), array.layout.on_disk(lead, channel=0), how
    )
    held = None if level is None else level.source
    return Array(ScaledSource(array.source, scaling, held), layout, array.dtype)


def own_level(
    array: Array, scale: Sequence[int], *, axes: Sequence[str] | None = None
) -> Array | None:
    """The array of the same file that holds `array` at a scale; None where there is none.

    It is trusted where the file says that both are one image, states the voxel sizes of both, and
    that the first voxels begin at one place, or that their centres do lie as they then must.  It
    must begin where a coarse voxel does, and hold all of them, but for those that the array ends
    in: many programs leave these out where a shape is odd.
    """
    source = array.source
    for name in containers.format_of(source.path).levels(source.path, source.name):
        try:
            level = open_array(source.path, name, axes=axes)
            level = level if array.channels else level.without_channel()
        except ValueError:
            continue
        if _says_scale(level.layout, array.layout, scale):
            unusable = _unusable(level, array, scale)
            if not unusable:
                return level
            _tell(f"{level.name} is not read as {array.name} at scale {tuple(scale)}: {unusable}")
    return None


def covering(fine: Roi, scale: Sequence[int]) -> Roi:
    """The coarse voxels that hold any of `fine`."""
    begin = Coordinate(b // f for b, f in zip(fine.begin, scale, strict=True))
    end = Coordinate(-(-e // f) for e, f in zip(fine.end, scale, strict=True))
    return Roi(begin, end - begin)


def covered(coarse: Voxels, scale: Sequence[int] | None) -> Voxels:
    """The fine voxels of coarse ones; None: there is no scale."""
    return coarse if scale is None else coarse * Coordinate(scale)


def whole_within(part: Roi, existing: Roi, scale: Sequence[int] | None) -> Roi:
    """The coarse voxels of which all fine ones that are `existing` lie in a part of these; None:
    there is no scale.

    Raises ValueError where there is none, and for a scale of other axes.
    """
    if scale is None:
        return part
    if len(scale) != part.dims:
        raise ValueError(
            f"scale {tuple(scale)} is of {counted(len(scale), 'axis')}, the volume of "
            f"{part.dims}; give {' '.join('zyx'[-part.dims :])}"
        )
    begin = Coordinate(
        b // f if b == first else -(-b // f)
        for b, first, f in zip(part.begin, existing.begin, scale, strict=True)
    )
    end = Coordinate(
        -(-e // f) if e == last else e // f
        for e, last, f in zip(part.end, existing.end, scale, strict=True)
    )
    if not all(b < e for b, e in zip(begin, end, strict=True)):
        raise ValueError(
            f"region {text(part)} (voxels of the files) holds no whole voxel of scale "
            f"{tuple(scale)}; take a larger region, or a smaller scale"
        )
    return Roi(begin, end - begin)


def _says_scale(level: Layout, base: Layout, scale: Sequence[int]) -> bool:
    sizes = level.stated.voxel_size, base.stated.voxel_size
    if sizes[0] is None or sizes[1] is None or len(sizes[0]) != len(scale):
        return False
    return agree(sizes[0], [float(exact(nm) * f) for nm, f in zip(sizes[1], scale, strict=True)])


def _unusable(level: Array, base: Array, scale: Sequence[int]) -> str:
    """Why a level of this scale is not what is to be read, "" where it is."""
    if any(begin % f for begin, f in zip(base.layout.offset, scale, strict=True)):
        return f"the array begins at voxel {tuple(base.layout.offset)}, inside of one of that scale"
    wanted = base.layout.coarser(scale)
    lacking = [n - held for n, held in zip(wanted.shape, level.layout.shape, strict=True)]
    ends_inside = [0] * (len(lacking) - len(scale)) + [
        int(n % f > 0) for n, f in zip(base.layout.roi.shape, scale, strict=True)
    ]
    if any(not 0 <= n <= most for n, most in zip(lacking, ends_inside, strict=True)):
        return f"it has {level.layout.shape} voxels, and {wanted.shape} are all of them"
    if level.layout.shape != wanted.shape and level.layout.disk != base.layout.disk:
        return "its axes are in another order"
    if level.dtype != base.dtype:
        return f"it is {level.dtype}, the array {base.dtype}"
    if not _begins_alike(level.layout, base.layout, scale):
        return (
            f"it begins at {level.layout.stated.offset} nm by its file, the array at "
            f"{base.layout.stated.offset}"
        )
    return ""


def _begins_alike(level: Layout, base: Layout, scale: Sequence[int]) -> bool:
    """Whether first voxels begin at one place: offsets are of their begin, or of their centre."""
    assert base.stated.voxel_size is not None, "it says its scale"
    nothing = (0.0,) * len(scale)
    offsets = zip(level.stated.offset or nothing, base.stated.offset or nothing, strict=True)
    apart = [
        (exact(a) - exact(b)) / exact(nm)
        for (a, b), nm in zip(offsets, base.stated.voxel_size, strict=True)
    ]
    return any(
        all(abs(voxels - middle(f)) <= WHOLE * f for voxels, f in zip(apart, scale, strict=True))
        for middle in (lambda f: 0, lambda f: exact(f - 1) / 2)
    )


@cache
def _tell(words: str) -> None:
    """Once in each process: an array is opened many times."""
    log.info("%s", words)
