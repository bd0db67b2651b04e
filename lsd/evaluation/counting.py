"""A segmented volume beside its truth: read from disk block by block and counted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from pydantic import Field

from lsd.arrays.components import connected_components
from lsd.arrays.contingency import Contingency
from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.lock import exclusive
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.run import run
from lsd.evaluation.boundaries import NOT_COMPARED, boundary_margin, read_compared
from lsd.evaluation.scored import check_scored, where_scored
from lsd.evaluation.scored_results import scored_results
from lsd.segmentation.on_disk.results import Results, Segmented
from lsd.spec import Config, Evaluate, Volume
from lsd.spec.paths import data_root, run_folder
from lsd.spec.plurals import counted
from lsd.volumes.array import text
from lsd.volumes.inputs import ArrayInput, VolumeInput
from lsd.volumes.units import agree
from lsd.volumes.volume import OpenVolume, open_volume

Source = tuple[NDArray[Any], NDArray[np.uint64], NDArray[np.bool_] | None]
PAIR = np.dtype([("segment", "<u8"), ("object", "<u8"), ("voxels", "<i8")])


@dataclass(frozen=True, eq=False)
class Counted:
    """How many voxels of a volume its segments share with the truth, in `roi` (voxels).

    count: counts an array of ids and the truth; what was counted is kept
    """

    roi: Roi
    results: Results
    count: Callable[[Segmented], Contingency]
    _tables: dict[str, Contingency] = field(default_factory=dict)

    def at(self, threshold: float | None) -> Contingency:
        """The table of the segmentation at a threshold; None: of a decoder without thresholds."""
        return self.of(self.results.at(threshold))

    def table(self, threshold: float | None) -> Contingency:
        """The same."""
        return self.at(threshold)

    @property
    def fragments(self) -> Contingency | None:
        """The table of what segments were joined of, where they were."""
        fragments = self.results.fragments
        return None if fragments is None else self.of(fragments)

    @property
    def voxels(self) -> int:
        """How many are compared."""
        table = next(iter(self._tables.values()), None)
        return int((self.at(None) if table is None else table).voxels.sum())

    def __str__(self) -> str:
        return f"{counted(self.voxels, 'voxel')} counted in {text(self.roi)}"

    def of(self, segmented: Segmented) -> Contingency:
        """The table of a segmentation of the volume.  Segments that are other names for the ids of
        one array take no further look at the volume."""
        name = segmented.array.name
        if name not in self._tables:
            self._tables[name] = self.count(segmented)
        table = self._tables[name]
        ids = np.unique(table.segments)
        return table.relabelled(ids, segmented.segments(ids))


def count_volume(config: Config, name: str, spec: Volume) -> Counted:
    """Counts segments and truth of a volume, block by block, in bounded memory, as soon as it is
    asked for them.

    Counts of blocks stand in runs/<name>/evaluation/<volume>/blocks, and are not made again for the
    same segmentation.  With evaluate.connected the whole region is one block: its truth is
    relabelled into pieces that touch by a face, edge or corner.  Raises ValueError if voxel sizes
    differ, nothing overlaps, or fragments are not those of the graph.
    """
    volume = open_volume(spec, name=name, data_root=data_root(config))
    results = scored_results(config, name)
    assert volume.truth_roi is not None, "only volumes with labels are counted"
    roi = scored_roi(config.evaluate, volume, results, truth=volume.truth_roi)
    target = run_folder(config) / "evaluation" / name
    boundary = config.evaluate.metric.left_out_at_boundaries
    truth = VolumeInput.truth(volume, data_root(config), roi=read_of_truth(volume, roi, boundary))

    def count(segmented: Segmented) -> Contingency:
        revision = config.segment.revision
        step = _step(config.evaluate, target, truth, segmented, roi, revision=revision)
        rows = counted_rows(step, config.evaluate, title=f"{name} {step.name}")
        tables = [Contingency(part["segment"], part["object"], part["voxels"]) for part in rows]
        table = sum(tables, Contingency.empty())
        segmented.check(table.segments)
        return table

    return Counted(roi, results, count)


def counted_rows(step: Step, settings: Evaluate, *, title: str) -> list[NDArray[np.void]]:
    """Runs a step that counts to its end, alone in its container; its rows, in pieces."""
    assert step.rows is not None, "it counts"
    with exclusive(step.container):
        run(step, workers=settings.workers, title=title)
        return [part for _, part in read_ledger(step.folder).rows(step.rows, alone=True)]


class CountsJob(Job):
    """Pairs of ids of a segmentation and its truth in each block; see `CountsFunction`.

    ignore: labels that are left out, where the truth is relabelled into pieces (`connected`)
    boundary: nm from a boundary of the truth within which it is not compared; None: all is
    """

    version: Version = 2
    segmentation: ArrayInput
    truth: VolumeInput
    use_mask: bool
    connected: bool
    ignore: tuple[int, ...]
    # not written where there is none: counts of before had no such field
    boundary: Annotated[float | None, Field(exclude_if=lambda boundary: boundary is None)] = None

    def open(self, container: Path, worker: int) -> CountsFunction:
        """Ready to be called."""
        return CountsFunction(self)


class CountsFunction:
    """Rows: the pairs of ids that occur in each block, and their voxels; what workers run."""

    def __init__(self, job: CountsJob) -> None:
        self.volume, self.job = job.truth.open(), job
        self.segmentation = job.segmentation.open().on_grid(self.volume.raw.remainder)

    def read(self, block: Block) -> Source:
        """Segmentation, truth and where voxels count."""
        truth, known = read_compared(self.volume, block.write, boundary=self.job.boundary)
        counts = where_scored(self.volume, block.write, known, use_mask=self.job.use_mask)
        return self.segmentation.read(block.write, beyond="zero"), truth, counts

    def compute(self, block: Block, source: Source) -> Output:
        """Their pairs, in ascending order."""
        segmentation, truth, counts = source
        table = overlap_table(
            segmentation,
            truth,
            known=counts,
            connected=self.job.connected,
            ignore=self.job.ignore,
            by_image=self.volume.image_sizes is not None,
        )
        rows = np.empty(len(table.voxels), PAIR)
        rows["segment"], rows["object"], rows["voxels"] = (
            table.segments,
            table.objects,
            table.voxels,
        )
        return Output(rows=rows)


def overlap_table(
    segmentation: NDArray[Any],
    truth: NDArray[np.uint64],
    *,
    known: NDArray[np.bool_] | None,
    connected: bool,
    ignore: Collection[int],
    by_image: bool = False,
) -> Contingency:
    """How many voxels each segment shares with each object of the truth, arrays of one shape; see
    `objects_of`."""
    objects, mask = objects_of(
        truth, known=known, connected=connected, ignore=ignore, by_image=by_image
    )
    return Contingency.of(segmentation, objects, mask=None if mask.all() else mask)


def objects_of(
    truth: NDArray[np.uint64],
    *,
    known: NDArray[np.bool_] | None,
    connected: bool,
    ignore: Collection[int],
    by_image: bool = False,
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The objects of the truth, and where voxels are counted.

    known:     where voxels are counted; None: everywhere
    connected: objects are the pieces of the truth that touch by a face, edge or corner, without
               labels that are ignored, whose voxels are not counted
    ignore:    these labels
    by_image:  sections are images of their own, whose pieces do not touch
    """
    if not connected:
        return truth, np.ones(truth.shape, np.bool_) if known is None else known
    pieces, _ = pieces_of(truth, known=known, ignore=ignore, by_image=by_image)
    # what is ignored has no name among the pieces
    return pieces, _kept(truth, known, ignore)


def pieces_of(
    truth: NDArray[np.uint64],
    *,
    known: NDArray[np.bool_] | None,
    ignore: Collection[int],
    by_image: bool,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The pieces of the truth that are objects, numbered 1..n, and the label of each of 0..n; see
    `objects_of`."""
    pieces, labels = connected_components(
        np.where(_kept(truth, known, ignore), truth, np.uint64(0)),
        connectivity=8 if by_image else None,
    )
    return pieces.astype(np.uint64), labels


def labels_of_pieces(config: Config, name: str, roi: Roi) -> NDArray[np.uint64] | None:
    """The labels in the file of the pieces of a volume's truth in `roi` (voxels), by the numbers
    that pieces have in tables of overlaps; None where objects are labels anyway."""
    settings = config.evaluate
    if not settings.connected:
        return None
    volume = open_volume(config.dataset.volumes()[name], name=name, data_root=data_root(config))
    truth, known = volume.read_truth(roi)
    _, labels = pieces_of(
        truth,
        known=where_scored(volume, roi, known, use_mask=settings.use_mask),
        ignore=settings.left_out,
        by_image=volume.image_sizes is not None,
    )
    return labels


def no_objects(settings: Evaluate) -> frozenset[int]:
    """Labels of the truth that are no objects: those that are left out or not compared, and the
    background of a metric that has one."""
    near = () if settings.metric.left_out_at_boundaries is None else (NOT_COMPARED,)
    background = (0,) if settings.metric.has_background else ()
    return frozenset((*settings.left_out, *near, *background))


def no_objects_in_tables(settings: Evaluate) -> frozenset[int]:
    """The same by the names that objects have in tables of overlaps: where they are pieces of
    labels no piece is left out, but 0 may be, which is none."""
    labels = no_objects(settings)
    return labels & {0} if settings.connected else labels


def _kept(
    truth: NDArray[np.uint64], known: NDArray[np.bool_] | None, ignore: Collection[int]
) -> NDArray[np.bool_]:
    kept = ~np.isin(truth, np.array(sorted(ignore), dtype=np.uint64))
    return np.asarray(kept if known is None else kept & known)


def _step(
    settings: Evaluate,
    target: Path,
    truth: VolumeInput,
    segmented: Segmented,
    roi: Roi,
    *,
    revision: str | None,
) -> Step:
    """revision: of the segmentation; see Segment.revision"""
    no_context = (0,) * roi.dims
    shape = roi.shape if settings.connected else settings.block[-roi.dims :]
    job = CountsJob(
        segmentation=segmented.as_input(roi, revision=revision),
        truth=truth,
        use_mask=settings.use_mask,
        connected=settings.connected,
        ignore=settings.left_out if settings.connected else (),
        boundary=settings.metric.left_out_at_boundaries,
    )
    grid = tile(roi, shape, step=(1,) * roi.dims, context=(no_context, no_context))
    # steps have no dots in their names
    title = segmented.title.replace(".", "_")
    words = ("counts", *(["connected"] if settings.connected else []), *([title] if title else []))
    return Step("_".join(words), target, grid, job, rows=PAIR)


def read_of_truth(volume: OpenVolume, roi: Roi, boundary: float | None) -> Roi:
    """What of the truth is read to count `roi`."""
    if boundary is None:
        return roi
    assert volume.truth_roi is not None, "only volumes with labels are counted"
    margin = boundary_margin(volume.voxel_size, boundary)
    return roi.grow(margin, margin).intersect(volume.truth_roi)


def scored_roi(settings: Evaluate, volume: OpenVolume, results: Results, *, truth: Roi) -> Roi:
    """The part of a volume that is scored, voxels; truth: where there is any.

    Raises ValueError where it was not segmented, or with voxels of another size, and as
    `check_scored`.
    """
    check_scored(volume, settings)
    if not agree(volume.voxel_size, results.array.voxel_size):
        raise ValueError(
            f"volume {volume.name!r}: voxel size of the truth is {volume.voxel_size} nm, of "
            f"{results.array.name} "
            f"{results.array.voxel_size} nm; predict and segment it again"
        )
    try:
        wanted = volume.part(settings.region, truth)
    except ValueError as error:
        raise ValueError(f"volume {volume.name!r}: evaluate.{error}") from error
    try:
        roi = wanted.intersect(results.array.on_grid(volume.raw.remainder).roi)
    except ValueError as error:
        raise ValueError(
            f"volume {volume.name!r}: against raw, {error}; or predict and segment it again"
        ) from error
    if roi.empty:
        raise ValueError(
            f"volume {volume.name!r}: truth to be scored covers {text(wanted)}, the segmentation "
            f"{text(results.array.roi)} "
            "(voxels); predict and segment a region that overlaps it"
        )
    return roi
