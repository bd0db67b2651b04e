"""Predicted heads of a volume beside what they learn, read from disk block by block and counted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.evaluation.calibration import STEPS, Calibration, added, counted
from lsd.evaluation.counting import counted_rows
from lsd.segmentation.predicted import LearnedHead, learned, prediction_input
from lsd.spec import Config, Target, Volume
from lsd.spec.paths import data_root, run_folder
from lsd.targets.sections import compute_for, reach_for, whole_strides
from lsd.targets.target import Known, Values, target_kind
from lsd.volumes.further import read_further
from lsd.volumes.inputs import ArrayInput, VolumeInput
from lsd.volumes.units import agree
from lsd.volumes.volume import OpenVolume, open_volume

log = logging.getLogger(__name__)

COUNTS = np.dtype([("channel", "<i4"), ("value", "<f8"), ("zeros", "<i8"), ("ones", "<i8")])


@dataclass(frozen=True, eq=False)
class HeadCounts:
    """What a head predicted beside what it learns, of each channel."""

    channels: tuple[Calibration, ...]

    @property
    def all(self) -> Calibration:
        """Of all channels."""
        return added(self.channels)

    def __add__(self, other: HeadCounts) -> HeadCounts:
        pairs = zip(self.channels, other.channels, strict=True)
        return HeadCounts(tuple(one + another for one, another in pairs))

    def as_dict(self) -> dict[str, Any]:
        """As JSON; each channel by itself too, where there are several."""
        single = len(self.channels) == 1
        by_channel = {} if single else {"channels": [one.as_dict() for one in self.channels]}
        return self.all.as_dict() | by_channel


def check_heads(config: Config, volumes: Mapping[str, Volume]) -> None:
    """Raises ValueError where a head of evaluate.heads was not predicted, does not learn what is 0
    or 1, or none of the volumes, those that the metric scores, has what it learns from."""
    if config.evaluate.heads and not volumes:
        raise ValueError(
            f"evaluate.heads names {config.evaluate.heads[0]!r}, which is counted where the metric "
            f"scores, and no volume of {', '.join(config.predict.volumes)} has "
            f"{config.evaluate.metric.against}; leave heads out, or take a metric along skeletons"
        )
    for head in config.evaluate.heads:
        targets = {name: learned(config, name, head).target for name in volumes}
        for target in targets.values():
            _check_binary(head, target)
        if not any(_has_truth(volumes[name], targets[name]) for name in targets):
            raise ValueError(
                f"evaluate.heads names {head!r}, which learns from labels, and there are none of "
                f"{', '.join(volumes)}; name labels of one, or leave the head out"
            )


def count_heads(config: Config, name: str, spec: Volume, roi: Roi) -> dict[str, HeadCounts]:
    """The heads of evaluate.heads in `roi` of a volume, where it is known what they learn; counted
    block by block, in bounded memory.  Of a volume without labels, as one with skeletons may be,
    only those that learn from another array; others are told.

    Counts of blocks stand in runs/<name>/evaluation/<volume>/blocks, and are not made again for the
    same prediction.
    """
    volume, counts = open_volume(spec, name=name, data_root=data_root(config)), {}
    for head in config.evaluate.heads:
        if _has_truth(spec, learned(config, name, head).target):
            counts[head] = _count(config, volume, head, roi)
        else:
            log.warning(
                "%s: head %r is not counted: it learns from labels, and the volume has none",
                name,
                head,
            )
    return counts


class HeadCountsJob(Job):
    """Predicted values of a head in each block, and how often they came true; see
    `HeadCountsFunction`.

    dims: axes of the network, which sees section by section where they are fewer
    """

    version: Version = 2
    head: ArrayInput
    truth: VolumeInput
    target: Target
    dims: int
    use_mask: bool

    def open(self, container: Path, worker: int) -> HeadCountsFunction:
        """Ready to be called."""
        return HeadCountsFunction(self)


class Source(NamedTuple):
    """Of a block: what was predicted (c, z, y, x), and around it labels, where they are known, and
    further truth (z, y, x)."""

    predicted: NDArray[Any]
    labels: NDArray[np.uint64]
    known: NDArray[np.bool_]
    arrays: dict[str, NDArray[np.generic]]


class HeadCountsFunction:
    """Rows: the predicted values that occur in each channel of a block, and their voxels; what
    workers run."""

    def __init__(self, job: HeadCountsJob) -> None:
        self.volume, self.job = job.truth.open(), job
        self.head = job.head.open().on_grid(self.volume.raw.remainder)

    def read(self, block: Block) -> Source:
        """What was predicted, and the truth around."""
        labels, known = self.volume.read_truth(block.read, mirrored=True)
        if not self.job.use_mask:
            known = _inside(block.read, self.volume)
        arrays = {
            name: read_further(self.volume, name, block.read, mirrored=True)
            for name in self.volume.arrays
        }
        return Source(self.head.read(block.write), labels, known, arrays)

    def compute(self, block: Block, source: Source) -> Output:
        """Their values, in ascending order."""
        values, valid = compute_for(
            self.job.target,
            source.labels,
            dims=self.job.dims,
            known=source.known,
            arrays=source.arrays,
            voxel_size=self.volume.voxel_size,
        )
        own = (slice(None), *(block.write - block.read.begin).to_slices())
        channels = zip(source.predicted, values[own], valid[own], strict=True)
        rows = [_rows(channel, *arrays) for channel, arrays in enumerate(channels)]
        return Output(rows=np.concatenate(rows))


def _inside(roi: Roi, volume: OpenVolume) -> NDArray[np.bool_]:
    """Of `roi`, what lies in the volume, and in its images: beyond, there is no truth."""
    inside = np.zeros(roi.shape, np.bool_)
    inside[(roi.intersect(volume.roi) - roi.begin).to_slices()] = True
    return inside & volume.read_inside(roi)


def _rows(channel: int, predicted: NDArray[Any], target: Values, valid: Known) -> NDArray[Any]:
    """The counts of a channel of a block."""
    values = predicted[valid]
    if values.dtype != np.uint8:
        values = np.rint(values.astype(np.float64) * STEPS) / STEPS
    found = counted(values, target[valid] > 0.5)
    rows = np.empty(len(found.values), COUNTS)
    rows["channel"], rows["value"] = channel, found.values
    rows["zeros"], rows["ones"] = found.zeros, found.ones
    return rows


def _count(config: Config, volume: OpenVolume, head: str, roi: Roi) -> HeadCounts:
    folder = run_folder(config) / "evaluation" / volume.name
    read = learned(config, volume.name, head)
    step = _step(config, volume, head, read, roi, container=folder)
    pieces = counted_rows(step, config.evaluate, title=f"{volume.name} {head}")
    rows = np.concatenate([np.empty(0, COUNTS), *pieces])
    channels = target_kind(read.target).channels(read.dims)
    return HeadCounts(tuple(_of_channel(rows, channel) for channel in range(channels)))


def _of_channel(rows: NDArray[Any], channel: int) -> Calibration:
    own = rows[rows["channel"] == channel]
    return Calibration.of(own["value"], own["zeros"], own["ones"])


def _step(
    config: Config, volume: OpenVolume, head: str, read: LearnedHead, roi: Roi, *, container: Path
) -> Step:
    """Raises ValueError where the prediction does not cover `roi` with voxels of the same size."""
    if not agree(volume.voxel_size, read.array.voxel_size):
        raise ValueError(
            f"volume {volume.name!r}: voxel size of the truth is {volume.voxel_size} nm, of "
            f"{read.array.name} {read.array.voxel_size} nm; predict it again"
        )
    inside = roi.intersect(read.array.on_grid(volume.raw.remainder).roi)
    if inside.empty:
        raise ValueError(
            f"volume {volume.name!r}: {read.array.name} holds nothing of what is scored; predict "
            "a region that overlaps it"
        )
    kind = target_kind(read.target)
    margin = reach_for(read.target, volume.voxel_size, dims=read.dims)
    arrays = [name for name in kind.arrays() if name in volume.arrays]
    for name in kind.arrays():
        # refused in words where the volume has no such array
        read_further(volume, name, Roi(inside.begin, (1,) * inside.dims))
    job = HeadCountsJob(
        head=prediction_input(read.array, revision=config.segment.revision),
        truth=VolumeInput.truth(
            volume, data_root(config), roi=inside.grow(margin, margin), arrays=arrays
        ),
        target=read.target,
        dims=read.dims,
        use_mask=config.evaluate.use_mask,
    )
    shape = whole_strides(config.evaluate.block[-roi.dims :], read.target, dims=read.dims)
    grid = tile(inside, shape, step=(1,) * roi.dims, context=(margin, margin))
    return Step(f"calibration_{head}", container, grid, job, rows=COUNTS)


def _has_truth(volume: Volume, target: Target) -> bool:
    """Whether a volume has what a target is about: where it has no labels, no voxel is known to be
    background."""
    return volume.labels is not None or target.objects() is not None


def _check_binary(head: str, target: Target) -> None:
    kind = target_kind(target)
    if not kind.binary or (kind.activation.low, kind.activation.high) != (0, 1):
        raise ValueError(
            f"evaluate.heads names {head!r}, which learns {target.kind}: no 0 or 1, of which there "
            "is a probability; name heads of a mask, of foreground, of boundaries or the like"
        )
