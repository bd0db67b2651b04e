"""The voxels that a region of a config names, which counts those of the files."""

from __future__ import annotations

from collections.abc import Sequence

from funlib.geometry import Roi

from lsd.spec import Region
from lsd.volumes.array import text
from lsd.volumes.scale import covered, whole_within


def within(region: Region, roi: Roi) -> Roi:
    """The part of `roi` that `region` names.  ValueError if it reaches beyond."""
    if len(region) > roi.dims:
        raise ValueError(f"region has {len(region)} slices, the volume {roi.dims} axes")
    open_ends = (*region, *((None, None),) * (roi.dims - len(region)))
    begin = [first if a is None else a for (a, _), first in zip(open_ends, roi.begin, strict=True)]
    end = [last if b is None else b for (_, b), last in zip(open_ends, roi.end, strict=True)]
    extent = [b - a for a, b in zip(begin, end, strict=True)]
    if min(extent) <= 0 or not roi.contains(Roi(begin, extent)):
        slices = ", ".join(f"{a}:{b}" for a, b in zip(begin, end, strict=True))
        raise ValueError(
            f"region {slices} is not inside what there is, {text(roi)} (voxels, z y x, counted "
            f"from offset 0)"
        )
    return Roi(begin, extent)


def part_of(region: Region, roi: Roi, *, file_roi: Roi, scale: Sequence[int] | None) -> Roi:
    """See `OpenVolume.part`."""
    fine = covered(roi, scale).intersect(file_roi)
    return whole_within(within(region, fine), file_roi, scale)
