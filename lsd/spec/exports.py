"""What a run is exported as: files that other programs read."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from lsd.spec.base import OfEachAxis, PerAxis, Positive, PositiveFloat, SeveralKinds, Shape, Spec
from lsd.spec.effect import NoEffect
from lsd.spec.kinds import Kind
from lsd.spec.run import Workers


class ExportFormat(Kind):
    """What is written of a volume; `lsd.report.exports.exporter` says how to add one."""

    noun: ClassVar[str] = "export format"


class Precomputed(ExportFormat):
    """neuroglancer precomputed volumes: a folder for each image, with coarser scales.

    chunk:   voxels that are stored as one, z y x
    sharded: many chunks are one file, for stores that do not like many files
    shard:   chunks along each axis that are one file, a power of 2; a process holds two or three
             of them in memory
    levels:  how many scales are written; None: until one chunk holds all
    """

    kind: Literal["precomputed"] = "precomputed"
    behaviour: ClassVar[str] = "lsd.report.exports.precomputed:PrecomputedExport"
    chunk: Annotated[Shape, PerAxis] = (64, 64, 64)
    sharded: bool = False
    shard: Annotated[Positive, AfterValidator(lambda shard: _power_of_two(shard))] = 4
    levels: Annotated[Positive | None, NoEffect("each scale is a step of its own")] = None


def _power_of_two(shard: int) -> int:
    if shard & (shard - 1):
        below = 1 << (shard.bit_length() - 1)
        raise ValueError(f"a shard is 2, 4, 8 .. chunks a side, got {shard}; take {below}")
    return shard


class OmeZarr(ExportFormat):
    """One OME-Zarr 0.4 container (zarr v2) for a volume, an image pyramid for each image.

    levels: how many are written, fewer where nothing is left to halve
    """

    kind: Literal["ome_zarr"] = "ome_zarr"
    behaviour: ClassVar[str] = "lsd.report.exports.ome_zarr:OmeZarrExport"
    levels: Positive = 5


class TiffSections(ExportFormat):
    """A folder of TIFF files for each image, one a section, called after its z, or after its number
    where the image begins before 0: in the order of their names they are the image."""

    kind: Literal["tiff"] = "tiff"
    behaviour: ClassVar[str] = "lsd.report.exports.tiff:TiffExport"


class SegmentTable(ExportFormat):
    """A table of the segments: id, voxels, box and centre."""

    kind: Literal["segments"] = "segments"
    behaviour: ClassVar[str] = "lsd.report.exports.segments:SegmentTableExport"


class RegionGraph(ExportFormat):
    """The region graph: a table of fragments, and one of the edges between them, with score,
    contact and place."""

    kind: Literal["graph"] = "graph"
    behaviour: ClassVar[str] = "lsd.report.exports.graph:RegionGraphExport"


class Meshes(ExportFormat):
    """Surfaces of the segments, beside the precomputed segmentation, which shows them; with zmesh,
    an extra.

    factor: voxels along z, y, x that are one when surfaces are made
    error:  how far simplified surfaces may lie from exact ones, nm
    """

    kind: Literal["meshes"] = "meshes"
    behaviour: ClassVar[str] = "lsd.report.exports.meshes:MeshExport"
    factor: Annotated[Shape, OfEachAxis] = (1, 1, 1)
    error: PositiveFloat = 40.0


class SegmentSkeletons(ExportFormat):
    """Skeletons of the segments, beside the precomputed segmentation, which shows them, and as one
    file; with kimimaro, an extra.  The volume is read whole.

    suffix:   of that file; SWC files hold one skeleton each
    min_size: voxels that a segment must have
    """

    kind: Literal["skeletons"] = "skeletons"
    behaviour: ClassVar[str] = "lsd.report.exports.skeletons:SkeletonExport"
    suffix: Literal[".nml", ".graphml", ".json", ".csv", ".npz"] = ".nml"
    min_size: Positive = 1000


class Export(Spec):
    """What is exported of a run.

    formats:   as what
    volumes:   names of volumes, or parts of the dataset; empty: those of predict.volumes
    images:    which of its arrays: raw, truth, segmentation, fragments, corrected, or heads of the
               prediction by their names
    threshold: whose segmentation; None: that which validation picked, else the only one
    workers:   who does the blocks
    """

    formats: Annotated[tuple[ExportFormat, ...], SeveralKinds] = (Precomputed(),)
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ("segmentation",)
    threshold: float | None = None
    workers: Annotated[Workers, NoEffect("who does the blocks changes no value")] = Workers()


__all__ = [
    "Export",
    "ExportFormat",
    "Meshes",
    "OmeZarr",
    "Precomputed",
    "RegionGraph",
    "SegmentSkeletons",
    "SegmentTable",
    "TiffSections",
]
