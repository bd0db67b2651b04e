"""Prediction of a run's volumes: raw from disk, heads to disk, in one process or many."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import torch
from funlib.geometry import Roi

from lsd.blockwise.levels import make_levels
from lsd.blockwise.on_disk.container import working
from lsd.blockwise.on_disk.grid import chunk_shape
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.checked import check_workers
from lsd.blockwise.running.run import prepare, run
from lsd.network.checkpoints.restore import Restored, checkpoint_path, from_checkpoint
from lsd.network.summary import described, parameter_count, size
from lsd.prediction import blocks
from lsd.prediction.blocks import HeadsJob
from lsd.prediction.config_file import Section, keep_config
from lsd.prediction.plan import Plan, check_axes, plan, smallest
from lsd.prediction.predictor import choose_device
from lsd.prediction.record import attributes
from lsd.prediction.settled import doubts, settled
from lsd.prediction.usage_file import noting_usage
from lsd.prediction.voxels import other_voxels
from lsd.spec import Config, Predict, Target, Variant, Volume, Workers
from lsd.spec.paths import data_root, prediction
from lsd.spec.plurals import counted
from lsd.system.allocator import keep_freed_memory
from lsd.system.commands import typed
from lsd.system.cores import cores
from lsd.targets.target import channels
from lsd.volumes.array import text
from lsd.volumes.create import create_array, refuse_same
from lsd.volumes.find import expand
from lsd.volumes.images.checks import check_use
from lsd.volumes.inputs import VolumeInput, box_of
from lsd.volumes.levels import How
from lsd.volumes.raw_checks import check_raw
from lsd.volumes.sharpen import sharpen_margin
from lsd.volumes.volume import OpenVolume, open_volume

log = logging.getLogger(__name__)

STEP = "heads"


@dataclass(frozen=True)
class Wanted:
    """What is predicted, by which network, and how; network and variant are the checkpoint's."""

    restored: Restored
    checkpoint: Path
    settings: Predict

    @property
    def variant(self) -> Variant:
        """Of the checkpoint, up to its stage."""
        return self.restored.cascade.variant

    def targets(self) -> dict[str, Target]:
        """Of the heads to predict.  Raises ValueError for one that the checkpoint does not have."""
        heads = self.variant.heads()
        names = self.settings.heads or tuple(self.variant.stages[-1].heads)
        unknown = [name for name in names if name not in heads]
        if unknown:
            raise ValueError(
                f"no head {unknown[0]!r} to predict; the checkpoint has: {', '.join(heads)}"
            )
        return {name: heads[name].target for name in names}

    def plan(self, roi: Roi, volume: OpenVolume) -> Plan:
        """The blocks of a part of a volume."""
        network = self.restored.config.network
        return plan(
            network,
            self.variant,
            roi=roi,
            settings=self.settings,
            voxel_size=volume.voxel_size,
            heads=tuple(self.targets()),
        )


@noting_usage("predict", before=keep_freed_memory)
def predict(
    config: Config, *, workers: Workers | None = None, progress: bool | None = None
) -> list[Path]:
    """Predicts every volume that predict.volumes names; returns the containers, in that order.

    runs/<name>/prediction/<volume>.zarr holds an array (c, z, y, x) for each head, uint8 or
    float32.  Its attributes say which checkpoint (sha256), variant and settings it is from; those
    of affinities hold their `neighborhood`.  A volume's earlier prediction stays until the new one
    is whole, then all of it is replaced.  Blocks that are done stay done: a run that was killed
    goes on where it was, and only with the same checkpoint, settings and data.  Memory, in each
    process: what a block takes in the network, and raw and heads of two blocks, whatever the
    volume.

    workers:  processes that share the blocks; None: this one alone.  Their number changes no value
    progress: show a bar; None: on a terminal only

    Network and variant are the checkpoint's, data and settings the config's.  Raises ValueError or
    OSError before anything is predicted where checkpoint, volumes or outputs are not as they should
    be, BlocksFailed where blocks failed.
    """
    config = expand(config)
    settings = settled(config.predict, workers)
    if workers is None and settings.workers != Workers():
        log.warning(
            "predict.workers has no effect here, since this process predicts alone; to share the "
            "blocks among workers, run %s with --workers N",
            typed("predict"),
        )
    for doubt in doubts(settings, workers):
        log.warning("%s", doubt)
    # all volumes are opened before the network is built and the first is begun, so that a mistake
    # in the last one is told at once
    volumes = [
        open_predicted(config, name, volume)
        for name, volume in config.dataset.named(settings.volumes).items()
    ]
    path = checkpoint_path(settings.checkpoint, config)
    wanted = Wanted(blocks.at_hand(lambda: from_checkpoint(path)), path, settings)
    planned = [(volume, _plan(volume, wanted)) for volume in volumes]
    keep_config(config, sections=_sections(settings))
    compare_heads(config.variant, wanted)
    log.info("%s", _beginning(wanted, workers))
    return [_predict(config, volume, wanted, plan, workers, progress) for volume, plan in planned]


def _sections(settings: Predict) -> tuple[Section, ...]:
    """The sections of a config that a prediction goes by."""
    own: tuple[Section, ...] = ("variant", "network") if settings.is_own_checkpoint else ()
    return ("dataset", *own, "predict")


def _beginning(wanted: Wanted, workers: Workers | None) -> str:
    """What predicts, and how."""
    restored, settings = wanted.restored, wanted.settings
    origin = f"{wanted.checkpoint} (stage {restored.stage}, iteration {restored.iteration})"
    heads = f"predicting {', '.join(wanted.targets())} with {origin}"
    if workers is None:
        device = choose_device(settings.device)
        network = described(
            restored.cascade, device=device, precision=settings.precision, threads=settings.threads
        )
        return f"{heads}: {network}, in this process"
    # which device each of them has is found out where it runs
    count = parameter_count(restored.cascade)
    network = f"{count}, device {settings.device}, precision {settings.precision}"
    return f"{heads}: {network}, {counted(workers.count, 'worker')}"


def open_predicted(config: Config, name: str, spec: Volume) -> OpenVolume:
    """A volume whose raw is to be predicted.  Raises ValueError for raw that nothing can be made
    of."""
    volume = open_volume(spec, name=name, data_root=data_root(config))
    check_predicted(config, volume)
    return volume


def check_predicted(config: Config, volume: OpenVolume) -> None:
    """Raises ValueError for raw that nothing can be made of, or that would be written into."""
    refuse_same(prediction(config, volume.name), [volume.raw.source.path])
    check_raw(volume)


def _plan(volume: OpenVolume, wanted: Wanted) -> Plan:
    region = region_of(volume, wanted)
    try:
        return wanted.plan(region, volume)
    except ValueError as error:
        raise ValueError(f"volume {volume.name!r}: {error}") from error


def region_of(volume: OpenVolume, wanted: Wanted) -> Roi:
    """The part of a volume that is predicted.  Raises ValueError where the volume is nothing for
    the network; warns of voxels of another size than it knows."""
    region = wanted.settings.region
    try:
        check_use(volume, {}, dims=wanted.restored.config.network.dims)
        _check_size(volume, wanted)
        _compare_voxels(volume, wanted.restored)
        return volume.part(region, volume.raw.roi) if region else volume.roi
    except ValueError as error:
        raise ValueError(f"volume {volume.name!r}: {error}") from error


def _check_size(volume: OpenVolume, wanted: Wanted) -> None:
    network = wanted.restored.config.network
    check_axes(network, volume.roi.dims)
    least = smallest(network, wanted.variant)
    extent = volume.least_shape[-len(least) :]
    if wanted.settings.small == "refuse" and any(n < m for n, m in zip(extent, least, strict=True)):
        raise ValueError(
            f"{volume.raw.name} covers {text(volume.raw.roi)}, the network reads at least "
            f"{'x'.join(map(str, least))} voxels; "
            "set predict.small=pad to continue it by reflection"
        )


def _compare_voxels(volume: OpenVolume, restored: Restored) -> None:
    dims, known = restored.config.network.dims, restored.voxel_size
    words = other_voxels(volume.voxel_size, known, dims=dims) if volume.calibrated else ""
    if words:
        log.warning("volume %r has %s", volume.name, words)


def compare_heads(variant: Variant, wanted: Wanted) -> None:
    """Warns if the checkpoint predicts other heads than the variant of the config would."""
    own, predicted = (", ".join(each.stages[-1].heads) for each in (variant, wanted.variant))
    if own != predicted:
        log.warning(
            "the config's variant has the heads %s, the checkpoint %s: those of the checkpoint are "
            "predicted, and segmentation reads them",
            own,
            predicted,
        )


def _predict(
    config: Config,
    volume: OpenVolume,
    wanted: Wanted,
    plan: Plan,
    workers: Workers | None,
    progress: bool | None,
) -> Path:
    target = prediction(config, volume.name)
    step = step_of(target, volume, wanted, plan, data_root=data_root(config))
    with working(target, step) as container:
        step = replace(step, container=container)
        prepare(step)
        for head, kind in wanted.targets().items():
            _create(container, head, kind, volume, wanted, plan)
        shapes = f"{size(plan.grid.write_shape)}, each from {size(plan.grid.block(0).read.shape)}"
        log.info("%s: %s in blocks of %s", volume.name, text(plan.grid.roi), shapes)
        log.info(
            "%s: %s", volume.name, run(step, workers=workers, title=volume.name, progress=progress)
        )
        means: dict[str, How] = dict.fromkeys(wanted.targets(), "mean")
        for summary in make_levels(
            step,
            means,
            levels=wanted.settings.levels,
            by_image=volume.image_sizes is not None,
            workers=workers,
            title=volume.name,
        ):
            log.info("%s: %s", volume.name, summary)
    return target


def step_of(
    target: Path, volume: OpenVolume, wanted: Wanted, plan: Plan, *, data_root: Path
) -> Step:
    """What predicts a volume into a container, with all that its results depend on."""
    read = reduce(Roi.union, (plan.grid.block(index).read for index in (0, len(plan.grid) - 1)))
    job = HeadsJob(
        volume=VolumeInput.raw(volume, data_root, roi=raw_read(volume, read)),
        checkpoint=str(wanted.checkpoint),
        sha256=wanted.restored.sha256,
        settings=Predict.model_validate(
            {**wanted.settings.model_dump(), "heads": sorted(wanted.targets())}
        ),
        roi=box_of(plan.grid.roi),
    )
    return Step(STEP, target, plan.grid, job, arrays=tuple(wanted.targets()))


def raw_read(volume: OpenVolume, read: Roi) -> Roi:
    """The part of raw that blocks which read `read` depend on, with what sharpening reaches, and
    what is mirrored."""
    reach = (
        sharpen_margin(volume.spec.sharpen, volume.voxel_size)
        if volume.spec.sharpen
        else (0,) * read.dims
    )
    sharpened = read.grow(reach, reach)
    on_disk = sharpened.intersect(volume.raw.roi)
    mirrored = (max(*(sharpened.shape - on_disk.shape), 0),) * read.dims
    return on_disk.grow(mirrored, mirrored).intersect(volume.raw.roi)


def _create(
    container: Path, head: str, kind: Target, volume: OpenVolume, wanted: Wanted, plan: Plan
) -> None:
    network = wanted.restored.config.network
    create_array(
        container,
        head,
        roi=plan.grid.roi,
        voxel_size=volume.voxel_size,
        dtype=wanted.settings.dtype,
        channels=channels(kind, network.dims),
        chunks=chunk_shape(plan.grid.write_shape),
        remainder=volume.raw.remainder,
        calibrated=volume.calibrated,
        attributes=attributes(
            kind, volume, plan=plan, settings=wanted.settings, restored=wanted.restored
        ),
    )


def configured_workers(settings: Predict) -> Workers:
    """The workers of the config; where it names no number, one for each GPU of this machine, or,
    without a GPU, one for each core that this process may use.

    Raises ValueError if workers are to be launched elsewhere and their number is not set.
    """
    check_workers(settings.workers, section="predict")
    if settings.workers.count:
        return settings.workers
    on_cpu = settings.device == "cpu" or not torch.cuda.is_available()
    count = cores() // (settings.threads or 1) if on_cpu else torch.cuda.device_count()
    return settings.workers.derive(count=max(1, count))
