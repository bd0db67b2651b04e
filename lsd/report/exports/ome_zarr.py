"""Images as OME-Zarr, with pyramids."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lsd.blockwise.levels import make_levels
from lsd.blockwise.on_disk.grid import chunk_shape, tile
from lsd.blockwise.on_disk.lock import exclusive
from lsd.blockwise.on_disk.step import Step
from lsd.report.exports.copied import CopyJob
from lsd.report.exports.exporter import ExportedVolume, Exporter
from lsd.report.images import Image
from lsd.spec.exports import OmeZarr
from lsd.volumes.create import create_array

# voxels that are copied at once, along each axis
_BLOCK = {2: 1024, 3: 128}


class OmeZarrExport(Exporter[OmeZarr]):
    """<volume>.zarr, an image in it for each image."""

    def write(self, volume: ExportedVolume) -> list[Path]:
        """All images, level 0 first."""
        container = volume.folder / f"{volume.name}.zarr"
        for image in volume.images.values():
            step = _step(container, image)
            volume.running.run(step, create=partial(_create, step, image))
            with exclusive(container):
                for summary in make_levels(
                    step,
                    {image.name: "majority" if image.holds_ids else "mean"},
                    levels=self.spec.levels,
                    by_image=image.by_image,
                    workers=volume.running.workers,
                    title=image.name,
                ):
                    volume.running.say(str(summary))
        return [container / image.name for image in volume.images.values()]


def _step(container: Path, image: Image) -> Step:
    roi = image.array.roi
    none = (0,) * roi.dims
    shape = [min(n, _BLOCK[roi.dims]) for n in roi.shape]
    grid = tile(roi, shape, step=(1,) * roi.dims, context=(none, none))
    name = f"copy-{image.name.replace('/', '-').replace('.', '_')}"
    job = CopyJob(image=image.as_input(), array=image.name)
    return Step(name, container, grid, job, arrays=(image.name,))


def _create(step: Step, image: Image) -> None:
    array = image.array
    create_array(
        step.container,
        image.name,
        roi=array.roi,
        voxel_size=array.voxel_size,
        remainder=array.remainder,
        calibrated=array.calibrated,
        dtype=array.dtype,
        channels=array.channels,
        labels=image.holds_ids,
        chunks=chunk_shape(step.grid.write_shape),
    )
