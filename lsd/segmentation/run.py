"""Segmentation of a run's volumes: predictions from disk, fragments, tables and segmentations to
disk, block by block."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree

import numpy as np

from lsd.blockwise.levels import make_levels
from lsd.blockwise.on_disk.container import working
from lsd.blockwise.on_disk.grid import chunk_shape
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import Step, digest, step_folder
from lsd.blockwise.running.run import prepare, run, warn_of_edits
from lsd.prediction.kept import keep_config
from lsd.segmentation.blocks import MUTEX, UNCUT, edge_pieces, voxels
from lsd.segmentation.lists import begun, forget_others, yet_to_run
from lsd.segmentation.mask import mask_of
from lsd.segmentation.nothing import highest_id, why
from lsd.segmentation.predicted import affinities_input, neighborhood, predicted
from lsd.segmentation.steps import Segmented
from lsd.segmentation.tables import Places, open_table, whole_tables, write_tables
from lsd.segmentation.threshold import array_name, picked, scoring_settings
from lsd.spec import Config, Volume, Workers
from lsd.spec.paths import data_root, segmentation
from lsd.system.memory import available
from lsd.volumes.array import Array, open_array, text
from lsd.volumes.create import create_array, has_array, refuse_same
from lsd.volumes.find import expand
from lsd.volumes.levels import How
from lsd.volumes.reference import locate

log = logging.getLogger(__name__)
Progress = Callable[[str], object]

# bytes for each contact where regions grow over the whole volume, as benchmarks.scale measures it
CONTACT_MEMORY = 160
# contacts that are joined in more than a few seconds; seconds that it may take
LONG = 1_000_000
LONGEST = 7 * 86400.0


@dataclass(frozen=True)
class Task:
    """A volume with predicted affinities, ready to be segmented."""

    config: Config
    name: str
    affs: Array
    thresholds: tuple[float, ...]
    parts: Segmented


def segment(config: Config, *, progress: Progress = log.info) -> list[Path]:
    """Segments every volume of predict.volumes from its predicted affinities; returns the
    containers, in that order.

    runs/<name>/segmentation/<volume>.zarr holds `fragments` and `segmentation/<threshold>`, or
    `segmentation/mutex`; in it, blocks/edges the region graph and tables/<threshold>.npy the
    segment of each fragment.  A volume with truth gets every threshold of the config, one without
    the threshold that validation picked, if there is one.

    Blocks of segment.block voxels, done by segment.workers; neither their number nor an
    interruption changes a value, the size of blocks and their context do a little.  What is done
    stays done: thresholds that are not there yet are written beside those that are.  A volume's
    earlier results stay until new fragments are whole; what goes then is said.  The mutex decoder
    takes a volume whole.  progress: told in a line what was done.

    Raises ValueError if a prediction is missing or the config's head holds no affinities;
    BlocksFailed where blocks failed.
    """
    config = expand(config)
    offsets = neighborhood(config)
    volumes = config.dataset.named(config.predict.volumes)
    tasks = [_task(config, name, volume, offsets) for name, volume in volumes.items()]
    keep_config(config)
    decode = {"mutex": _mutex, "watershed": _watershed}[config.segment.decoder]
    return [decode(task, progress) for task in tasks]


def _task(config: Config, name: str, volume: Volume, offsets: Sequence[Sequence[int]]) -> Task:
    affs = predicted(config, name)
    own = [locate(volume.path, root=data_root(config))] if volume.path else []
    source, mask = (
        affinities_input(affs, revision=config.segment.revision),
        mask_of(config, name, roi=affs.roi),
    )
    refuse_same(
        segmentation(config, name), [affs.source.path, *own, *(mask.containers() if mask else [])]
    )
    return Task(
        config,
        name,
        affs,
        _thresholds(config, volume),
        Segmented(config.segment, affs.roi, source, offsets, mask),
    )


def _thresholds(config: Config, volume: Volume) -> tuple[float, ...]:
    alone = picked(config) if volume.labels is None else None
    return tuple(sorted(set(config.segment.thresholds))) if alone is None else (alone,)


def _watershed(task: Task, progress: Progress) -> Path:
    target, parts = segmentation(task.config, task.name), task.parts
    fragments = parts.fragments(target)
    with working(target, fragments) as container:
        fragments = _run(task, replace(fragments, container=container), progress)
        _levels(task, fragments, progress)
        places = Places.of(read_ledger(fragments.folder).records["count"], voxels(parts.grid))
        edges = _agglomerated(task, container, progress)
        count = int(read_ledger(edges.folder).records["count"].sum())
        progress(f"{task.name}: {len(places)} fragments, {count} edges in {text(parts.roi)}")
        _warn_of_nothing(task, len(places), "fragments")
        _write_segments(task, edges, places, progress)
        for threshold in task.thresholds:
            progress(
                f"{task.name}: {_count(container, repr(float(threshold)))} segments at threshold "
                f"{threshold}"
            )
    return target


def _write_segments(task: Task, edges: Step, places: Places, progress: Progress) -> None:
    """Tables and segmentations that are not there yet; those of other thresholds stay."""
    names, container, made_from = (
        [repr(float(t)) for t in task.thresholds],
        edges.container,
        digest(edges.depends_on()),
    )
    gone = forget_others(container, made_from)
    if gone:
        progress(f"{task.name}: removed, for they were made from other edges: {', '.join(gone)}")
    asked = yet_to_run(container, names)
    wanted = {*names, *(name for step in asked for name in step.thresholds)}
    missing = [float(name) for name in wanted if not whole_tables(container, (name,), made_from)]
    if missing:
        write_tables(
            container,
            missing,
            places=places,
            edges=lambda: edge_pieces(edges.folder),
            names=lambda threshold: repr(float(threshold)),
            made_from=made_from,
        )
    for step in asked:
        arrays = {array_name(float(name)): name for name in step.thresholds}
        _run(task, task.parts.segments(container, edges, arrays, name=step.step), progress)
    for written in begun(container):
        if set(written.arrays) & {array_name(threshold) for threshold in task.thresholds}:
            warn_of_edits(written)
            _levels(task, written, progress)


def _mutex(task: Task, progress: Progress) -> Path:
    target = segmentation(task.config, task.name)
    step = task.parts.mutex(target)
    with working(target, step) as container:
        step = _run(task, replace(step, container=container), progress)
        _levels(task, step, progress)
        count = highest_id(open_array(container, MUTEX))
        progress(f"{task.name}: {count} segments in {text(task.parts.roi)}")
        _warn_of_nothing(task, count, "segments")
    return target


def _warn_of_nothing(task: Task, count: int, what: str) -> None:
    if not count:
        parts = task.parts
        mask = parts.mask.open().on_grid(task.affs.remainder) if parts.mask else None
        log.warning(
            "%s: no %s: %s",
            task.name,
            what,
            why(task.affs, parts.neighborhood, parts.settings, mask=mask),
        )


def _agglomerated(task: Task, container: Path, progress: Progress) -> Step:
    """Edges and their scores."""
    if task.config.segment.grown == "blocks":
        # of an earlier run; nothing would mend them
        rmtree(step_folder(container, "contacts"), ignore_errors=True)
        return _run(task, task.parts.edges(container), progress)
    contacts = _run(task, task.parts.contacts(container), progress)
    count = int(read_ledger(contacts.folder).records["count"].sum())
    _check_memory(task, count)
    # one that takes long is a process of its own, so that the script hears what it is told
    own = Workers(count=int(count > LONG), timeout=LONGEST, retries=0)
    return _run(task, task.parts.whole_edges(container, contacts), progress, workers=own)


def _check_memory(task: Task, contacts: int) -> None:
    needed, there = contacts * CONTACT_MEMORY, available()
    if there is not None and needed > there:
        raise ValueError(
            f"{task.name}: to join {contacts} contacts over the whole volume about "
            f"{needed / 1e9:.2g} GB of memory are needed, "
            f"{there / 1e9:.2g} GB are free; set segment.agglomeration=blocks, which keeps the "
            f"fragments, or find more memory"
        )


def _run(task: Task, step: Step, progress: Progress, *, workers: Workers | None = None) -> Step:
    prepare(step)
    for name in step.arrays:
        create_array(
            step.container,
            name,
            roi=step.grid.roi,
            voxel_size=task.affs.voxel_size,
            remainder=task.affs.remainder,
            dtype=np.uint8 if name == UNCUT else np.uint64,
            labels=name != UNCUT,
            chunks=chunk_shape(step.grid.write_shape),
            # of fragments, those of fragments: they stay when they are joined in another way
            attributes={
                "settings": step.job.fingerprint().get("settings", scoring_settings(task.config))
            },
        )
    summary = run(
        step, workers=workers or task.config.segment.workers, title=f"{task.name} {step.name}"
    )
    if len(step.grid) > 1:
        progress(f"{task.name}: {summary}")
    return step


def _levels(task: Task, step: Step, progress: Progress) -> None:
    """Coarser levels of the labels that a step wrote."""
    how: dict[str, How] = {
        name: "majority"
        for name in step.arrays
        if name != UNCUT and has_array(step.container, name)
    }
    settings = task.config.segment
    for summary in make_levels(
        step,
        how,
        levels=settings.levels,
        workers=settings.workers,
        title=f"{task.name} {step.name}",
    ):
        progress(f"{task.name}: {summary}")


def _count(container: Path, name: str) -> int:
    """Segments in a table: each is named by one of its fragments."""
    table = open_table(container, name)
    return sum(
        int((table.segments[begin:end] == table.places.ids(begin, end)).sum())
        for begin, end in (
            (begin, min(begin + (1 << 22), len(table.places)))
            for begin in range(0, len(table.places), 1 << 22)
        )
    )
