"""Corrections come back: a new segmentation, and truth for training, masked where nobody knows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from funlib.geometry import Roi

from lsd.blockwise.on_disk.grid import chunk_shape, tile
from lsd.blockwise.on_disk.step import Step
from lsd.evaluation.along_skeletons.cuts import EdgePiece, graphs_of
from lsd.report.corrected import STEP
from lsd.report.exports.changes import Segment, cut, joined, refuse_contradictions
from lsd.report.exports.corrected_blocks import LABELS, MASK, CorrectedJob
from lsd.report.exports.exporter import ExportedVolume
from lsd.report.exports.graph import fragments_of
from lsd.report.exports.named import Pair, ends, id_of, refuse_unknown
from lsd.report.images import ImageInput, image_at
from lsd.segmentation.on_disk.results import Results, pieces
from lsd.segmentation.over_blocks.fragments import FRAGMENTS
from lsd.spec.corrections import Corrections
from lsd.spec.paths import corrected
from lsd.spec.plurals import counted
from lsd.spec.user_paths import expanded
from lsd.volumes.array import Array, text
from lsd.volumes.create import create_array
from lsd.volumes.of_ids import NegativeIds, read_ids
from lsd.volumes.units import agree, lengths

log = logging.getLogger(__name__)
# voxels that are written at once, along each axis
_BLOCK = {2: 1024, 3: 128}


class Changed(NamedTuple):
    """What joins and cuts change; see `CorrectedJob`."""

    parts: tuple[Pair, ...]
    names: tuple[Pair, ...]
    trusted: tuple[int, ...]


def correct(volume: ExportedVolume, corrections: Corrections) -> Path:
    """Writes the corrected segmentation of a volume to runs/<name>/corrected/<volume>.zarr, as
    `labels`, and as `labels_mask` what of it is known; returns the container.

    Blocks that are done stay done; other corrections make all of it anew.
    Raises UnknownNames where a fragment is not there, ValueError where what is to be apart is
    joined, or what is painted lies on other voxels.
    """
    refuse_unknown(volume, corrections)
    changes = _changed(volume, corrections)
    job = CorrectedJob(
        segmentation=volume.segmentation.as_input(),
        fragments=volume.image(FRAGMENTS).as_input() if changes.parts else None,
        painted=_painted(volume, corrections),
        nothing=corrections.nothing,
        margin=corrections.margin,
        by_image=volume.segmentation.by_image,
        made_from={
            step.name: step.digest for step in volume.results.written_by((volume.threshold,))
        },
        **changes._asdict(),
    )
    step = _step(volume, job)
    volume.running.run(step, create=lambda: _create(step, volume.segmentation.array))
    joins, cuts = counted(len(corrections.joins), "join"), counted(len(corrections.cuts), "cut")
    known = counted(len(changes.trusted), "segment")
    volume.running.say(f"{joins} and {cuts}; {known} trusted, in {step.container}")
    return step.container


def _create(step: Step, array: Array) -> None:
    for name, dtype in ((LABELS, np.uint64), (MASK, np.uint8)):
        create_array(
            step.container,
            name,
            roi=array.roi,
            voxel_size=array.voxel_size,
            remainder=array.remainder,
            calibrated=array.calibrated,
            dtype=dtype,
            labels=True,
            chunks=chunk_shape(step.grid.write_shape),
        )


def _step(volume: ExportedVolume, job: CorrectedJob) -> Step:
    roi = volume.segmentation.array.roi
    shape = [min(n, _BLOCK[roi.dims]) for n in roi.shape]
    around = job.around(roi.dims)
    grid = tile(roi, shape, step=(1,) * roi.dims, context=(around, around))
    container = corrected(volume.config, volume.name)
    return Step(STEP, container, grid, job, arrays=(LABELS, MASK))


def _changed(volume: ExportedVolume, corrections: Corrections) -> Changed:
    joins = [ends(volume, pair) for pair in corrections.joins]
    cuts = [ends(volume, pair) for pair in corrections.cuts]
    parts = _parts(volume, cuts) if cuts else {}

    def part(fragment: int) -> int:
        return parts.get(fragment) or _segment(volume, fragment)

    names = joined([(part(one), part(other)) for one, other in joins])
    refuse_contradictions(cuts, {end: part(end) for pair in cuts for end in pair}, names)
    for number, (one, other) in enumerate(joins):
        if part(one) == part(other):
            _tell_no_change(volume, f"joins.{number}", (one, other), "one segment")
    for number, (one, other) in enumerate(cuts):
        if _segment(volume, one) != _segment(volume, other):
            _tell_no_change(volume, f"cuts.{number}", (one, other), "two segments")
    named = (
        [end for pair in (*joins, *cuts) for end in pair]
        if corrections.trusted is None
        else [id_of(volume, name) for name in corrections.trusted]
    )
    trusted = {names.get(part(end), part(end)) for end in named}
    return Changed(
        tuple(sorted(parts.items())), tuple(sorted(names.items())), tuple(sorted(trusted))
    )


def _tell_no_change(volume: ExportedVolume, place: str, ends: Pair, of: str) -> None:
    """Warns of a correction that may have been meant for other fragments."""
    log.warning(
        "%s: %s: fragments %d and %d are in %s already, so no label changes by it; are these the "
        "fragments that were meant?",
        volume.name, place, *ends, of,
    )  # fmt: skip


def _parts(volume: ExportedVolume, cuts: Sequence[Pair]) -> dict[int, int]:
    """The part of each fragment of the segments that are cut."""
    fragments_of(volume)
    table, threshold = volume.results.at(volume.threshold).table, volume.threshold
    assert table is not None, "it has fragments"
    assert threshold is not None, "what is joined is joined up to a threshold"
    of_cuts = [(_segment(volume, one), _segment(volume, other)) for one, other in cuts]
    segments = np.unique([one for one, other in of_cuts if one == other]).astype(np.uint64)
    held = np.flatnonzero(np.isin(table.segments, segments))
    ids, owners = table.places.id_of(held), np.asarray(table.segments[held])
    graphs = graphs_of(
        segments, _pieces(volume.results), segments_of=table.look_up, threshold=threshold
    )
    parts: dict[int, int] = {}
    for segment, graph in zip(segments, graphs, strict=True):
        own = Segment(np.sort(ids[owners == segment]), graph)
        pairs = [cut for cut, of in zip(cuts, of_cuts, strict=True) if of == (segment, segment)]
        parts |= dict(zip(own.fragments.tolist(), cut(own, pairs).tolist(), strict=True))
    return parts


def _pieces(results: Results) -> Iterator[EdgePiece]:
    for edges in results.edges() or ():
        yield np.stack([edges["u"], edges["v"]], axis=1), edges["score"]


def _segment(volume: ExportedVolume, fragment: int) -> int:
    """The segment of a fragment; of a segment that was made of none, itself."""
    segmented = volume.results.at(volume.threshold)
    return int(segmented.segments(np.array([fragment], np.uint64))[0])


def _painted(volume: ExportedVolume, corrections: Corrections) -> ImageInput | None:
    """What is painted.  ValueError where it is no ids, lies on other voxels than the segmentation,
    elsewhere, or does not say where, and where there is none and `nothing` names an id of it."""
    if corrections.painted is None:
        if corrections.nothing is not None:
            raise ValueError(
                f"nothing is {corrections.nothing}, an id of what is painted, and nothing is "
                f"painted; name painted, or leave nothing out"
            )
        return None
    array = volume.segmentation.array
    image = image_at(*_container_and_name(corrections.painted), "painted", "labels")
    if not agree(image.array.voxel_size, array.voxel_size):
        raise ValueError(
            f"{image.array.name} has voxels of {image.array.voxel_size} nm, the segmentation of "
            f"{array.voxel_size}; paint on the voxels of the segmentation"
        )
    begin = lengths(array.roi.begin, array.voxel_size, array.remainder)
    if image.array.layout.stated.offset is None and any(begin):
        raise ValueError(
            f"{image.array.name} does not say where it lies, and the segmentation begins at "
            f"{begin} nm; state its offset, in zarr and HDF5 an attribute `offset`, nm, z y x"
        )
    there = image.array.on_grid(array.remainder)
    if not there.roi.intersects(array.roi):
        raise ValueError(
            f"{image.array.name} covers {text(image.array.roi)}, the segmentation "
            f"{text(array.roi)}; correct its offset, nm, z y x"
        )
    if not _has_ids(there, there.roi.intersect(array.roi)):
        log.warning(
            "%s: painted: %s is 0 throughout the segmentation, so no label changes by it; is it "
            "the array that was meant?",
            volume.name, image.array.name,
        )  # fmt: skip
    return image.as_input()


def _has_ids(painted: Array, roi: Roi) -> bool:
    """Whether any voxel of `roi` is painted.  ValueError for negative ids, which may be anywhere
    in it."""
    found = False
    for piece in pieces(roi):
        try:
            found |= bool(read_ids(painted, piece, noun="id").any())
        except NegativeIds as error:
            raise ValueError(
                f"{error}: leave 0 where the segmentation is right, and let `nothing` name an id "
                f"above 0 where there is no segment"
            ) from error
        if found and painted.dtype.kind != "i":
            break
    return found


def _container_and_name(reference: str) -> tuple[Path, str]:
    """Of "file.zarr:name"; a file of one array needs no name."""
    path, _, name = reference.rpartition(":")
    if not path or expanded(reference).exists():
        return expanded(reference), ""
    return expanded(path), name
