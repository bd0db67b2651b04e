"""Images as neuroglancer precomputed volumes: each scale block by block, from the finest voxels."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lsd.arrays.ids import ids
from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.on_disk.written import steps_of
from lsd.report.exports.exporter import ExportedVolume, Exporter, Running
from lsd.report.images import Image, ImageInput, level_of, read_level
from lsd.spec.exports import Precomputed
from lsd.volumes.levels import Factor, factors
from lsd.volumes.precomputed import Scale, create_scale, keys_of, open_scale, space_of
from lsd.volumes.scale import covering
from lsd.volumes.units import exact

log = logging.getLogger(__name__)

# voxels of a scale that are written at once, along each axis, where it is not sharded
_BLOCK = 128
# more than any volume has
_MANY = 64


class PrecomputedExport(Exporter[Precomputed]):
    """A folder for each image."""

    def write(self, volume: ExportedVolume) -> list[Path]:
        """All scales of all images."""
        return [
            write_precomputed(volume.running, image, folder_of(volume, image), self.spec)
            for image in volume.images.values()
        ]


def folder_of(volume: ExportedVolume, image: Image) -> Path:
    """Where an image of a volume is written: segmentation_0.5.precomputed."""
    return volume.folder / f"{image.name.replace('/', '_')}.precomputed"


def written_below(volume: ExportedVolume) -> Path:
    """The folder of the precomputed segmentation of a volume, for what lies in it beside the
    voxels.  It is written where it is not there, not whole or of other data, as it was asked for
    before."""
    folder = folder_of(volume, volume.segmentation)
    asked = [ScaleJob.model_validate(step.job.record()).spec for step in steps_of(folder)]
    spec = asked[0] if asked else Precomputed()
    return write_precomputed(volume.running, volume.segmentation, folder, spec)


def write_precomputed(running: Running, image: Image, folder: Path, spec: Precomputed) -> Path:
    """Writes an image to a folder, what of it is not there yet; returns the folder.

    What there is of another image, or of other chunks, is removed first, which is said.  Raises
    ValueError where a chunk has fewer axes than the image.
    """
    dims = image.array.roi.dims
    if len(spec.chunk) < dims:
        raise ValueError(
            f"chunk {spec.chunk} is of 2 axes, {image.array.name} of {dims}; give z y x"
        )
    source = image.as_input()
    scales = {factor: _scale(image, factor, spec) for factor in _factors(image, spec)}
    steps = [
        _step(folder, ScaleJob(image=source, factor=factor, scale=scale.key, spec=spec), image)
        for factor, scale in scales.items()
    ]
    _remove_others(folder, steps)
    # first: whenever this is stopped, what lies there is known to be of this program
    for step in steps:
        step.save()
    # before a block is written: `info` lists the scales, finest first
    for scale in scales.values():
        array = image.array
        create_scale(
            folder, scale, dtype=array.dtype, channels=array.channels or 1, ids=image.holds_ids
        )
    for step in steps:
        running.run(step)
    if not image.array.calibrated:
        running.say(f"{image.name} has no voxel size, and the format wants one: a voxel is 1 nm")
    if any(image.array.remainder):
        nm = ", ".join(f"{float(rest):g}" for rest in image.array.remainder)
        running.say(f"{image.name} lies {nm} nm (z y x) before its place: scales begin at voxels")
    return folder


class ScaleJob(Job):
    """A scale of a precomputed volume; see `ScaleFunction`.

    factor: voxels of the image in one of it, along each axis; scale: its key
    """

    image: ImageInput
    factor: Factor
    scale: str
    spec: Precomputed

    def open(self, container: Path, worker: int) -> ScaleFunction:
        """Ready to be called."""
        return ScaleFunction(self, container)


class ScaleFunction:
    """Writes each block of a scale, from the image, which is made coarser as it is read."""

    def __init__(self, job: ScaleJob, container: Path) -> None:
        self.level, self.of = level_of(job.image.open(), job.factor, job.image.of), job.image.of
        self.store = open_scale(container, job.scale)

    def read(self, block: Block) -> NDArray[Any]:
        """Voxels (c, z, y, x) of the block."""
        found = read_level(self.level, block.write)
        # of ids the volume has no sign: -1 would be the largest of them
        return ids(found, self.level.name) if self.of == "labels" else found

    def compute(self, block: Block, source: NDArray[Any]) -> Output:
        """Writes them: the volume is no array of the container."""
        _, roi = space_of(self.level.voxel_size, block.write)
        self.store.write(source, roi)
        return Output()


def _factors(image: Image, spec: Precomputed) -> list[Factor]:
    """Voxels in one of each scale, finest first, until one chunk holds all of the last."""
    array = image.array
    made: list[Factor] = [(1,) * array.roi.dims]
    if array.image_sizes is not None:
        # a folder of images is read as it is
        return made
    voxel_size, shape, levels = array.voxel_size, array.roi.shape, spec.levels or _MANY
    for factor in factors(voxel_size, shape, levels, by_image=image.by_image):
        if spec.levels is None and _fits(image, made[-1], spec):
            break
        made.append(factor)
    return made


def _fits(image: Image, factor: Factor, spec: Precomputed) -> bool:
    # images stay apart, however many there are
    axes = 2 if image.by_image else image.array.roi.dims
    shape = covering(image.array.roi, factor).shape[-axes:]
    return all(n <= chunk for n, chunk in zip(shape, spec.chunk[-axes:], strict=True))


def _scale(image: Image, factor: Factor, spec: Precomputed) -> Scale:
    array = image.array
    sizes = [float(exact(nm) * f) for nm, f in zip(array.voxel_size, factor, strict=True)]
    voxel_size, roi = space_of(sizes, covering(array.roi, factor))
    chunk = (1, *spec.chunk[-2:]) if array.roi.dims == 2 else spec.chunk
    key = "_".join(f"{nm:g}" for nm in reversed(voxel_size))
    return Scale(key, roi, voxel_size, chunk, shard=spec.shard if spec.sharded else None)


def _step(folder: Path, job: ScaleJob, image: Image) -> Step:
    roi, spec = covering(image.array.roi, job.factor), job.spec
    chunk = spec.chunk[-roi.dims :]
    shape = [
        min(extent, n * (spec.shard if spec.sharded else max(1, _BLOCK // n)))
        for extent, n in zip(roi.shape, chunk, strict=True)
    ]
    none = (0,) * roi.dims
    # a block begins where the volume does, so it is whole chunks, or one shard
    grid = tile(roi, shape, step=(1,) * roi.dims, context=(none, none))
    return Step(f"scale-{'x'.join(map(str, job.factor))}", folder, grid, job)


def _remove_others(folder: Path, steps: Sequence[Step]) -> None:
    """Removes what an earlier export left where it is not what these steps write.

    Raises ValueError where there is a volume that this program did not write.
    """
    there, recorded = keys_of(folder), {step.name: step for step in steps_of(folder)}
    if there and not recorded:
        raise ValueError(
            f"{folder} holds a volume that this program did not write, and is not written over: "
            f"move it elsewhere"
        )
    differing = next(
        (
            lines
            for step in steps
            if step.name in recorded and (lines := step.differs(recorded[step.name]))
        ),
        [] if there or not recorded else ["its info is gone"],
    )
    if differing:
        log.info("%s is made anew: %s", folder, "; ".join(differing))
        for key in there:
            shutil.rmtree(folder / key, ignore_errors=True)
        # last what tells whose it is
        (folder / "info").unlink(missing_ok=True)
        shutil.rmtree(folder / "blocks", ignore_errors=True)
