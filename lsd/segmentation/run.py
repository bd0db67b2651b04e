"""Segmentation of a run's volumes: predictions from disk, fragments, tables and segmentations to disk, block by block."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np

from lsd.blockwise.container import working
from lsd.blockwise.grid import Grid, chunk_shape, tile
from lsd.blockwise.ledger import read_ledger
from lsd.blockwise.memory import available
from lsd.blockwise.run import prepare, run
from lsd.blockwise.step import Step, digest, step_folder
from lsd.prediction.kept import keep_config
from lsd.segmentation.blocks import EDGE, FRAGMENTS, MUTEX, SIZE, UNCUT, blocks, edge_context, edge_pieces, voxels
from lsd.segmentation.mask import Mask, mask_of
from lsd.segmentation.predicted import neighborhood, origin_of, predicted
from lsd.segmentation.tables import Places, open_table, whole_tables, write_tables
from lsd.segmentation.threshold import array_name, picked, scoring_settings
from lsd.segmentation.whole import CONTACT
from lsd.spec import Config, Volume, Workers
from lsd.spec.paths import data_root, segmentation
from lsd.targets.offsets import reach
from lsd.volumes.array import Array, text
from lsd.volumes.create import create_array, refuse_same
from lsd.volumes.find import expand

log = logging.getLogger(__name__)
Progress = Callable[[str], object]

# noted in fingerprints: to be raised whenever the same settings would give other fragments, edges or segments
VERSION = 2
HERE = "lsd.segmentation.blocks"
WHOLE = "lsd.segmentation.whole"

# bytes for each contact where regions grow over the whole volume, as benchmarks.scale measures it
CONTACT_MEMORY = 160
# contacts that are joined in more than a few seconds; seconds that it may take
LONG = 1_000_000
LONGEST = 7 * 86400.0


@dataclass(frozen=True)
class Job:
    """A volume with predicted affinities, ready to be segmented.

    made_from: what the affinities are, for fingerprints
    """

    config: Config
    name: str
    affs: Array
    neighborhood: Sequence[Sequence[int]]
    mask: Mask | None
    thresholds: tuple[float, ...]
    made_from: Mapping[str, Any]

    def arguments(self) -> dict[str, Any]:
        """What every function that reads affinities is told."""
        source = self.affs.source
        return {"affinities": [str(source.path.resolve()), source.name], "neighborhood": self.neighborhood}

    def decoding(self) -> dict[str, Any]:
        """What one that decodes them is told beyond."""
        settings = self.config.segment.model_dump(mode="json")
        return {**self.arguments(), "settings": settings, "mask": self.mask and self.mask.arguments}


def segment(config: Config, *, progress: Progress = log.info) -> list[Path]:
    """Segments every volume of predict.volumes from its predicted affinities; returns the containers, in that order.

    runs/<name>/segmentation/<volume>.zarr holds `fragments` and `segmentation/<threshold>`, or `segmentation/mutex`; in it,
    blocks/edges the region graph and tables/<threshold>.npy the segment of each fragment.  A volume with truth gets every
    threshold of the config, one without the threshold that validation picked, if there is one.

    Blocks of segment.block voxels, done by segment.workers; neither their number nor an interruption changes a value, the
    size of blocks and their context do a little.  What is done stays done: after other thresholds were asked for, fragments
    and edges are still there.  A volume's earlier results stay until new fragments are whole.  The mutex decoder takes a
    volume whole.  progress: told in a line what was done.

    Raises ValueError if a prediction is missing or the config's head holds no affinities; BlocksFailed where blocks failed.
    """
    config = expand(config)
    offsets = neighborhood(config)
    volumes = config.dataset.named(config.predict.volumes)
    jobs = [_job(config, name, volume, offsets) for name, volume in volumes.items()]
    keep_config(config)
    return [(_mutex if config.segment.decoder == "mutex" else _watershed)(job, progress) for job in jobs]


def _job(config: Config, name: str, volume: Volume, offsets: Sequence[Sequence[int]]) -> Job:
    affs = predicted(config, name)
    refuse_same(segmentation(config, name), [affs.source.path, *([data_root(config) / volume.path] if volume.path else [])])
    return Job(config, name, affs, offsets, mask_of(config, name), _thresholds(config, volume), origin_of(affs))


def _thresholds(config: Config, volume: Volume) -> tuple[float, ...]:
    alone = picked(config) if volume.labels is None else None
    return tuple(sorted(set(config.segment.thresholds))) if alone is None else (alone,)


def _watershed(job: Job, progress: Progress) -> Path:
    config, target = job.config, segmentation(job.config, job.name)
    grid = blocks(job.affs.roi, config.segment)
    fragments = _fragments(job, target, grid)
    with working(target, fragments) as container:
        fragments = _run(job, fragments, container, progress)
        places = Places.of(read_ledger(fragments.folder).records["count"], voxels(grid))
        edges = _agglomerated(job, container, grid, fragments, progress)
        count = int(read_ledger(edges.folder).records["count"].sum())
        progress(f"{job.name}: {len(places)} fragments, {count} edges in {text(job.affs.roi)}")
        names = {array_name(threshold): repr(float(threshold)) for threshold in job.thresholds}
        made_from = digest(edges.depends_on())
        if not whole_tables(container, names.values(), made_from):
            write_tables(
                container,
                job.thresholds,
                places=places,
                edges=lambda: edge_pieces(edges.folder),
                names=lambda threshold: repr(float(threshold)),
                made_from=made_from,
            )
        _run(job, _segments(job, container, grid, names, made_from), container, progress)
        for threshold in job.thresholds:
            progress(f"{job.name}: {_count(container, repr(float(threshold)))} segments at threshold {threshold}")
    return target


def _mutex(job: Job, progress: Progress) -> Path:
    target, roi = segmentation(job.config, job.name), job.affs.roi
    none = (0,) * roi.dims
    grid = tile(roi, roi.shape, step=(1,) * roi.dims, context=(none, none))
    step = Step("mutex", target, grid, f"{HERE}:Mutex", job.decoding(), _depends_on(job), arrays=(MUTEX,))
    with working(target, step) as container:
        _run(job, step, container, progress)
    return target


def _fragments(job: Job, target: Path, grid: Grid) -> Step:
    arguments = {**job.decoding(), "apart": voxels(grid)}
    return Step("fragments", target, grid, f"{HERE}:Fragments", arguments, _depends_on(job), (FRAGMENTS, UNCUT), SIZE)


def _depends_on(job: Job) -> dict[str, Any]:
    settings = job.config.segment
    decoder = settings.mutex if settings.decoder == "mutex" else settings.fragments
    return {
        "version": VERSION,
        "affinities": dict(job.made_from),
        "neighborhood": job.neighborhood,
        "settings": decoder.model_dump(mode="json"),
        "mask": job.mask and dict(job.mask.made_from),
    }


def _agglomerated(job: Job, container: Path, grid: Grid, fragments: Step, progress: Progress) -> Step:
    """Edges and their scores."""
    settings, dims, apart = job.config.segment, grid.roi.dims, voxels(grid)
    made_from = {"version": VERSION, "fragments": digest(fragments.depends_on())}
    depends_on = {**made_from, "scores": settings.scores, "agglomeration": settings.grown}
    if settings.grown == "blocks":
        # of an earlier run; nothing would mend them
        rmtree(step_folder(container, "contacts"), ignore_errors=True)
        around = _with_context(grid, edge_context(settings, dims))
        arguments = {**job.arguments(), "scores": settings.scores, "apart": apart}
        edges = Step("edges", container, around, f"{HERE}:Edges", arguments, depends_on, rows=EDGE)
        return _run(job, edges, container, progress)
    every = settings.scoring == "mean_all"
    far = reach(job.neighborhood) if every else (1,) * dims
    around = _with_context(grid, (0,) * (dims - len(far)) + far)
    arguments = {**job.arguments(), "scoring": settings.scoring}
    contacts = Step("contacts", container, around, f"{WHOLE}:Contacts", arguments, {**made_from, "every": every}, rows=CONTACT)
    contacts = _run(job, contacts, container, progress)
    count = int(read_ledger(contacts.folder).records["count"].sum())
    _check_memory(job, count)
    one = tile(grid.roi, grid.roi.shape, step=(1,) * dims, context=((0,) * dims,) * 2)
    arguments = {"apart": apart, "caution": settings.caution, "cautious_above": settings.cautious_above}
    edges = Step("edges", container, one, f"{WHOLE}:Whole", arguments, depends_on, rows=EDGE)
    # one that takes long is a process of its own, so that the script hears what it is told
    own = Workers(count=int(count > LONG), timeout=LONGEST, retries=0)
    return _run(job, edges, container, progress, workers=own)


def _check_memory(job: Job, contacts: int) -> None:
    needed, there = contacts * CONTACT_MEMORY, available()
    if there is not None and needed > there:
        raise ValueError(
            f"{job.name}: to join {contacts} contacts over the whole volume about {needed / 1e9:.2g} GB of memory are needed, "
            f"{there / 1e9:.2g} GB are free; set segment.agglomeration=blocks, which keeps the fragments, or find more memory"
        )


def _with_context(grid: Grid, context: tuple[int, ...]) -> Grid:
    return tile(grid.roi, grid.compute_shape, step=(1,) * grid.roi.dims, context=(context, context))


def _segments(job: Job, container: Path, grid: Grid, names: Mapping[str, str], made_from: str) -> Step:
    depends_on = {"version": VERSION, "edges": made_from, "thresholds": sorted(names.values())}
    arguments = {"arrays": dict(names), "apart": voxels(grid)}
    return Step("segmentation", container, grid, f"{HERE}:Segments", arguments, depends_on, arrays=tuple(names))


def _run(job: Job, step: Step, container: Path, progress: Progress, *, workers: Workers | None = None) -> Step:
    step = replace(step, container=container)
    prepare(step)
    for name in step.arrays:
        create_array(
            container,
            name,
            roi=step.grid.roi,
            voxel_size=job.affs.voxel_size,
            dtype=np.uint8 if name == UNCUT else np.uint64,
            chunks=chunk_shape(step.grid.write_shape),
            # of fragments, those of fragments: they stay when they are joined in another way
            attributes={"settings": step.fingerprint.get("settings", scoring_settings(job.config))},
        )
    summary = run(step, workers=workers or job.config.segment.workers, title=f"{job.name} {step.name}")
    if len(step.grid) > 1:
        progress(f"{job.name}: {summary}")
    return step


def _count(container: Path, name: str) -> int:
    """Segments in a table: each is named by one of its fragments."""
    table = open_table(container, name)
    return sum(
        int((table.segments[begin:end] == table.places.ids(begin, end)).sum())
        for begin, end in ((begin, min(begin + (1 << 22), len(table.places))) for begin in range(0, len(table.places), 1 << 22))
    )
