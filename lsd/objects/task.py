"""What is to be done for the objects of a volume, from a config: every input, looked at before
anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from funlib.geometry import Coordinate, Roi

from lsd.blockwise.on_disk.step import Step
from lsd.network import sizes
from lsd.network.checkpoints.restore import checkpoint_path, from_checkpoint
from lsd.objects.at_seeds import ARRAY, SEED, STEP, SeedsJob, TableInput
from lsd.objects.located import Located
from lsd.objects.locator import table_path
from lsd.objects.seeds import Seeds, seeds_grid
from lsd.objects.tables import read_located
from lsd.prediction.blocks import at_hand
from lsd.prediction.run import Wanted, open_predicted, raw_read, region_of
from lsd.prediction.settled import settled
from lsd.segmentation.decoders.decoder import decoder_of, refuse_unread
from lsd.segmentation.mask import mask_of
from lsd.segmentation.predicted import channels_read
from lsd.segmentation.sections import settings_for
from lsd.segmentation.stitching.blocks import SideBySide, in_line
from lsd.segmentation.threshold import picked
from lsd.spec import Config, Predict, Segment, Stitch
from lsd.spec import Seeds as Settings
from lsd.spec.paths import data_root
from lsd.spec.plurals import counted
from lsd.system.commands import typed
from lsd.volumes.inputs import OwnArray, VolumeInput, box_of
from lsd.volumes.volume import OpenVolume

# of a decoder with thresholds of which none was picked
_USUAL = 0.5


@dataclass(frozen=True)
class Task:
    """A volume whose objects are to be segmented at `seeds`."""

    volume: OpenVolume
    job: SeedsJob
    seeds: Seeds

    def step(self, container: Path) -> Step:
        """The blocks that have a seed, in a line; of a volume without any, one that is empty."""
        grid = in_line(self.job.grid, len(self.numbers))
        return Step(STEP, container, grid, self.job, arrays=(ARRAY,), rows=SEED)

    def blocks(self, container: Path) -> SideBySide:
        """What the step wrote, to be stitched."""
        array = OwnArray.of(container, ARRAY)
        return SideBySide.of(array, self.job.grid, numbers=self.numbers, partial=True)

    @property
    def numbers(self) -> list[int]:
        """Of the blocks."""
        return self.seeds.blocks(self.job.grid).tolist() or [0]


def wanted_of(config: Config, *, threads: int | None = None) -> Wanted:
    """What sees windows: the checkpoint, and how it predicts.

    threads: of the CPU, where the config does not say how many; None: those of the workers
    Raises ValueError where there is no such checkpoint.
    """
    path, settings = checkpoint_path(config.predict.checkpoint, config), config.predict
    restored = at_hand(lambda: from_checkpoint(path))
    if threads is not None and settings.threads is None:
        settings = settings.derive(threads=threads)
    workers = config.seeds.workers if config.seeds.workers.count else None
    return Wanted(restored, path, settled(settings, workers))


def stitching(settings: Settings, volume: OpenVolume) -> Stitch:
    """How blocks are stitched.  Raises ValueError for pieces of too few axes."""
    return Stitch(
        rule=settings.rule,
        piece=settings.piece and _of_axes("piece", settings.piece, volume),
        levels=settings.levels,
        workers=settings.workers,
    )


def task_of(config: Config, name: str, wanted: Wanted) -> Task:
    """Of a volume.  Raises ValueError for a table, a volume or settings that do not fit."""
    volume = open_predicted(config, name, config.dataset.volumes()[name])
    if volume.image_sizes is not None:
        raise ValueError(f"volume {name!r} is of images; objects at points are those of volumes")
    path, region = table_path(config, name), region_of(volume, wanted)
    table = _table(path, name, region, config.seeds)
    seeds = Seeds.of(
        table, voxel_size=volume.voxel_size, remainder=volume.raw.remainder, region=region
    )
    segment = settings_for(_decoding(config), volume.spec, calibrated=volume.calibrated)
    settings, grid = config.seeds, seeds_grid(seeds, region, config.seeds)
    # what is wrong with it is told before windows are predicted, for hours maybe
    stitching(settings, volume)
    margin = grid.block(0).write.begin - grid.block(0).read.begin
    window, seen = (
        _window(settings, wanted, volume),
        replace(wanted, settings=_reading(wanted, segment)),
    )
    read = raw_read(volume, _read(region, window, volume, seen))
    job = SeedsJob(
        volume=VolumeInput.raw(volume, data_root(config), roi=read),
        mask=mask_of(config, name, roi=region),
        checkpoint=str(wanted.checkpoint),
        sha256=wanted.restored.sha256,
        table=TableInput.of(path, table),
        predict=seen.settings,
        segment=segment,
        window=window,
        room=settings.room and settings.room[-region.dims :],
        overlap=settings.overlap,
        most=settings.most,
        min_size=settings.min_size,
        rule=settings.rule,
        region=box_of(region),
        block=tuple(map(int, grid.write_shape)),
        margin=tuple(map(int, margin)),
        by_seen=decoder_of(segment).asks_seen,
    )
    return Task(volume, job, seeds)


def _table(path: Path, name: str, region: Roi, settings: Settings) -> Located:
    if not path.is_file():
        way_out = (
            "or say seeds.located=none, so that the run of seeds.locator is asked"
            if settings.located is not None and settings.locator is not None
            else "name one in seeds.located, or the run that locates in seeds.locator"
        )
        raise ValueError(
            f"there is no table of located objects of volume {name!r} at {path}; make it with "
            f"{typed('locate')}, {way_out}"
        )
    table = read_located(path)
    if len(table) and table.dims != region.dims:
        raise ValueError(f"{path} has {table.dims} axes, volume {name!r} {region.dims}")
    return table


def _read(region: Roi, window: tuple[int, ...], volume: OpenVolume, wanted: Wanted) -> Roi:
    """What is read for windows in a region: the context of the network around them, and no more
    than a window beside, where a block of the network is larger than what is left of one."""
    first = wanted.plan(Roi(region.begin, window), volume).grid.block(0)
    below, above = first.write.begin - first.read.begin, first.read.end - first.write.end
    return region.grow(below + Coordinate(window), above + Coordinate(window))


def _reading(wanted: Wanted, settings: Segment) -> Predict:
    """How the heads are predicted that the decoder reads."""
    read = channels_read(wanted.variant.heads(), settings, dims=wanted.restored.config.network.dims)
    fields = wanted.settings.model_dump()
    return Predict.model_validate({**fields, "heads": sorted(read), "region": ()})


def _decoding(config: Config) -> Segment:
    """What of the settings of segmentation objects in a window follow from, with one threshold.
    Raises ValueError for a threshold that the decoder would not read."""
    wanted, usual = config.segment, Segment()
    threshold = config.seeds.threshold
    refuse_unread(wanted, threshold, field="seeds.threshold")
    if threshold is None and decoder_of(wanted).has_thresholds:
        threshold = picked(config)
    on_disk = ("block", "context", "edge_context", "revision", "levels", "workers", "use_mask")
    aside = {name: getattr(usual, name) for name in on_disk}
    return wanted.derive(thresholds=(_USUAL if threshold is None else threshold,), **aside)


def _of_axes(field: str, values: Sequence[int], volume: OpenVolume) -> tuple[int, ...]:
    """Of a setting with a number an axis those of the axes of a volume.  Raises ValueError for too
    few."""
    dims = volume.roi.dims
    if len(values) < dims:
        raise ValueError(
            f"seeds.{field}: {tuple(values)} is of {counted(len(values), 'axis')}, volume "
            f"{volume.name!r} of {dims}; give {' '.join('zyx'[-dims:])}"
        )
    return tuple(int(n) for n in values[-dims:])


def _window(settings: Settings, wanted: Wanted, volume: OpenVolume) -> tuple[int, ...]:
    """Voxels of a window.  Raises ValueError for one that is smaller than a step of the network."""
    network = wanted.restored.config.network
    given = settings.window or _trained(wanted, volume)
    shape, step = _of_axes("window", given, volume), sizes.step(network.trunk)
    if any(n < s for n, s in zip(shape[-network.dims :], step, strict=True)):
        raise ValueError(
            f"seeds.window {shape} is smaller than a step of the network, {tuple(step)}; give as "
            f"many voxels as objects have, z y x"
        )
    return shape


def _trained(wanted: Wanted, volume: OpenVolume) -> tuple[int, ...]:
    """What leaves the network in training."""
    network = wanted.restored.config.network
    if network.dims < volume.roi.dims:
        raise ValueError(
            "the network sees sections alone, so training does not say how many of them an object "
            "has; set seeds.window, voxels z y x"
        )
    _, output = sizes.training_shapes(wanted.variant, network, stage=wanted.restored.stage)
    return tuple(output)
