"""Prediction of a run's volumes: raw from disk, heads to disk."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from funlib.geometry import Roi
from tqdm import tqdm

from lsd.blockwise.grid import chunk_shape
from lsd.network.restore import Restored, from_checkpoint, resolve
from lsd.prediction.array import Heads, Raw, predict_blocks
from lsd.prediction.plan import Plan, check_axes, smallest
from lsd.prediction.predictor import Predictor
from lsd.prediction.record import attributes
from lsd.spec import Config, Volume
from lsd.spec.paths import data_root, prediction
from lsd.volumes.array import Array, text
from lsd.volumes.create import create_array, refuse_same
from lsd.volumes.find import expand
from lsd.volumes.volume import OpenVolume, open_volume, within

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A volume that is ready to be predicted: its arrays, in the container `partial`, will move to `target` when whole."""

    volume: OpenVolume
    plan: Plan
    arrays: Mapping[str, Array]
    partial: Path
    target: Path


def predict(config: Config, *, progress: bool | None = None) -> list[Path]:
    """Predicts every volume that predict.volumes names; returns the containers, in that order.

    runs/<name>/prediction/<volume>.zarr holds an array (c, z, y, x) for each head, uint8 or float32.  Its attributes say which
    checkpoint (sha256), variant and settings it is from; those of affinities hold their `neighborhood`.  A volume's earlier
    prediction stays until the new one is whole, then all of it is replaced.  Memory: what a block takes in the network, and
    raw and heads of two blocks, whatever the volume.  progress: show a bar; None: on a terminal only.

    Network and variant are the checkpoint's, data and settings the config's.  Raises ValueError or OSError before anything is
    predicted where checkpoint, volumes or outputs are not as they should be; MemoryError where a block does not fit.
    """
    config = expand(config)
    restored = from_checkpoint(resolve(config.predict.checkpoint, config))
    predictor = Predictor(restored.cascade, restored.config.network, settings=config.predict)
    with _prepared(config, predictor, restored) as jobs:
        for job in jobs:
            _run(job, predictor, progress=progress)
    return [job.target for job in jobs]


@contextmanager
def _prepared(config: Config, predictor: Predictor, restored: Restored) -> Iterator[list[Job]]:
    """All volumes opened and all arrays made, so that nothing is wrong with the last one; unfinished ones go again."""
    jobs: list[Job] = []
    try:
        for name, volume in config.dataset.named(config.predict.volumes).items():
            jobs.append(_prepare(config, name, volume, predictor, restored))
        yield jobs
    finally:
        for job in jobs:
            shutil.rmtree(job.partial, ignore_errors=True)


def _prepare(config: Config, name: str, spec: Volume, predictor: Predictor, restored: Restored) -> Job:
    volume = open_volume(spec, name=name, data_root=data_root(config))
    target = prediction(config, name)
    refuse_same(target, [volume.raw.source.path])
    try:
        _check_size(volume, predictor)
        roi = within(config.predict.region, volume.raw.roi) if config.predict.region else volume.roi
        plan = predictor.plan(roi, voxel_size=volume.voxel_size)
    except ValueError as error:
        raise ValueError(f"volume {name!r}: {error}") from error
    partial = target.with_name(f"{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        arrays = {head: _create(partial, head, volume, plan, predictor, restored) for head in predictor.heads}
    except OSError as error:
        raise OSError(f"cannot write {target}: {error}; mend that, or set runs= to another folder") from error
    return Job(volume, plan, arrays, partial, target)


def _check_size(volume: OpenVolume, predictor: Predictor) -> None:
    check_axes(predictor.network, volume.roi.dims)
    least = smallest(predictor.network, predictor.variant)
    extent = volume.raw.roi.shape[-len(least) :]
    if predictor.settings.small == "refuse" and any(n < m for n, m in zip(extent, least, strict=True)):
        raise ValueError(
            f"{volume.raw.name} covers {text(volume.raw.roi)}, the network reads at least {'x'.join(map(str, least))} voxels; "
            "set predict.small=pad to continue it by reflection"
        )


def _create(container: Path, head: str, volume: OpenVolume, plan: Plan, predictor: Predictor, restored: Restored) -> Array:
    return create_array(
        container,
        head,
        roi=plan.grid.roi,
        voxel_size=volume.voxel_size,
        dtype=predictor.settings.dtype,
        channels=predictor.channels[head],
        chunks=chunk_shape(plan.grid.write_shape),
        attributes=attributes(head, volume, plan=plan, predictor=predictor, restored=restored),
    )


def _run(job: Job, predictor: Predictor, *, progress: bool | None) -> None:
    roi, since = job.plan.grid.roi, time.perf_counter()

    def read(part: Roi) -> Raw:
        raw = job.volume.read_raw(part)
        raw *= 2
        raw -= 1
        return raw

    def write(part: Roi, heads: Heads) -> None:
        for name, head in heads.items():
            job.arrays[name].write(head, part)

    blocks = predict_blocks(predictor, job.plan, read=read, write=write, dtype=predictor.settings.dtype)
    hidden = None if progress is None else not progress
    with tqdm(total=int(roi.size), desc=job.volume.name, unit="voxel", unit_scale=True, disable=hidden) as bar:
        for block in blocks:
            bar.update(int(block.write.size))
    shutil.rmtree(job.target, ignore_errors=True)
    os.replace(job.partial, job.target)
    seconds = time.perf_counter() - since
    log.info(
        "%s: %s in %d blocks, %.0f s, %.2f Mvoxels/s",
        job.volume.name,
        text(roi),
        len(job.plan.grid),
        seconds,
        roi.size / seconds / 1e6,
    )
