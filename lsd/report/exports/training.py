"""A corrected volume as a config names it, to train on it."""

from __future__ import annotations

from shlex import quote
from typing import Any

from funlib.geometry import Roi

from lsd.report.exports.corrected_blocks import LABELS, MASK
from lsd.report.exports.exporter import ExportedVolume
from lsd.spec import Region, Volume
from lsd.spec.in_code import as_code
from lsd.spec.paths import corrected, run_folder
from lsd.system.commands import typed

_RAW = "raw"


def training_volume(volume: ExportedVolume) -> str:
    """How a config names the corrected volume, to train on it: what is said of raw stays, what is
    said of the truth of before goes.

    Labels cover what was segmented, which is often less than raw.  Of a volume that is read at a
    scale they lie on the voxels that are read, so raw is named as `raw_to_write` has it.
    """
    spec = volume.config.dataset.volumes()[volume.name]
    container = corrected(volume.config, volume.name)
    learnt = spec.derive(
        **(_of_raw(volume, spec) if spec.scale is None else _at_scale(volume)),
        labels=f"{container}:{LABELS}",
        labels_mask=f"{container}:{MASK}",
        fit="intersect",
        **dict.fromkeys(("unknown", "skeletons", "revision", "name")),
    )
    return as_code(learnt, always=("raw",))


def raw_to_write(volume: ExportedVolume) -> str:
    """The command that writes raw as it is read, where a scale makes it others than the voxels of
    its file; "" where there is none."""
    if volume.config.dataset.volumes()[volume.name].scale is None:
        return ""
    at = "" if volume.threshold is None else f" --threshold {volume.threshold}"
    words = f"{quote(str(run_folder(volume.config)))} ome_zarr --images {_RAW}"
    return f"{typed('export').strip('`')} {words} --volumes {quote(volume.name)}{at}"


def _of_raw(volume: ExportedVolume, spec: Volume) -> dict[str, Any]:
    of_arrays = {
        name: _without_truth(getattr(spec, name), spec) for name in ("voxel_size", "offset", "axes")
    }
    region = spec.region and _segmented(spec.region, volume.segmentation.array.roi)
    return {**of_arrays, "region": region}


def _at_scale(volume: ExportedVolume) -> dict[str, Any]:
    """Raw as it was exported, whose file says all of it; further arrays are not exported."""
    return {
        "path": str(volume.folder / f"{volume.name}.zarr"),
        "raw": _RAW,
        # a dataset may say another, that of the files of before
        "voxel_size": {"raw": volume.segmentation.array.voxel_size},
        **dict.fromkeys(("synthetic", "images", "offset", "axes", "scale")),
        "arrays": {},
        "region": (),
    }


def _without_truth(value: Any, spec: Volume) -> Any:
    """What a volume says of its arrays, by their names or of all, of raw and further arrays alone:
    the corrected ones say for themselves where they lie."""
    if value is None:
        return None
    by_name = value if isinstance(value, dict) else dict.fromkeys((_RAW, *spec.arrays), value)
    return {name: of for name, of in by_name.items() if name in (_RAW, *spec.arrays)} or None


def _segmented(region: Region, roi: Roi) -> Region:
    """A region, whose ends are open where they lie outside of what was segmented: labels end there
    in any case."""
    ends = zip(region, roi.begin, roi.end, strict=False)
    within = tuple(
        (
            a if a is not None and begin <= a < end else None,
            b if b is not None and begin < b <= end else None,
        )
        for (a, b), begin, end in ends
    )
    return within if any(end is not None for axis in within for end in axis) else ()
