"""Center lines of segments, as files and where a precomputed segmentation shows them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from lsd.arrays.skeletons import Skeletons
from lsd.report.exports.exporter import ExportedVolume, Exporter
from lsd.report.exports.precomputed import written_below
from lsd.spec.exports import SegmentSkeletons
from lsd.system.memory import available
from lsd.volumes.array import Array
from lsd.volumes.precomputed import note_in_info
from lsd.volumes.skeletons import write_skeletons
from lsd.volumes.skeletons.from_labels import check_installed, skeletons_of
from lsd.volumes.units import lengths
from lsd.volumes.volume import needs_nm

_FOLDER = "skeletons"
# bytes of memory a voxel, of ids and what lines are found with
_PER_VOXEL = 24


class SkeletonExport(Exporter[SegmentSkeletons]):
    """A file of all lines, and a folder `skeletons` in that of the precomputed segmentation, which
    is written, too."""

    def write(self, volume: ExportedVolume) -> list[Path]:
        """Lines of all segments that are large enough."""
        image = volume.segmentation
        if image.array.roi.dims != 3:
            raise ValueError(
                "center lines are of volumes, and this one is a plane; leave skeletons out"
            )
        if not image.array.calibrated:
            raise ValueError(f"volume {volume.name!r}: {needs_nm('how far center lines reach')}")
        check_installed()
        file = volume.folder / f"skeletons{self.spec.suffix}"
        made = made_of(image.array, min_size=self.spec.min_size)
        write_skeletons(made, file, voxel_size=image.array.voxel_size)
        folder = written_below(volume)
        # of an earlier segmentation there may be others
        shutil.rmtree(folder / _FOLDER, ignore_errors=True)
        write_skeletons(beside_voxels(made, image.array), folder / _FOLDER)
        note_in_info(folder, {"skeletons": _FOLDER})
        volume.running.say(f"{len(set(made.skeleton_ids.tolist()))} skeletons, {len(made)} nodes")
        return [file, folder / _FOLDER]


def beside_voxels(lines: Skeletons, array: Array) -> Skeletons:
    """Lines where a precomputed volume has their voxels: it begins at a whole one."""
    rest = np.array([float(nm) for nm in array.remainder])
    return replace(lines, positions=lines.positions - rest)


def made_of(array: Array, *, min_size: int) -> Skeletons:
    """Lines of the ids of an array, which is read whole.  Raises ValueError where it does not fit
    into memory."""
    needed, free = _PER_VOXEL * int(array.roi.size), available()
    if free is not None and needed > free:
        raise ValueError(
            f"{array.name}: center lines of {array.roi.size} voxels take about {needed / 1e9:.2g} "
            f"GB of memory, {free / 1e9:.2g} GB are free; export a part of the volume, or find more"
        )
    return skeletons_of(
        array.read(array.roi),
        voxel_size=array.voxel_size,
        offset=lengths(array.roi.begin, array.voxel_size, array.remainder),
        min_size=min_size,
    )
