"""Images as TIFF files, one a section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from numpy.typing import NDArray
from pydantic import Field

from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.report.exports.exporter import ExportedVolume, Exporter, remove_other
from lsd.report.images import Image, ImageInput, read_level
from lsd.spec.exports import TiffSections
from lsd.volumes.tiff_sections import write_section

# bytes that are read at once: whole chunks where they are not more
_BYTES = 1 << 29
# of the number in the name of a file, at least
_DIGITS = 5


class TiffExport(Exporter[TiffSections]):
    """A folder for each image."""

    def write(self, volume: ExportedVolume) -> list[Path]:
        """All sections of all images."""
        folders = []
        for image in volume.images.values():
            step = _step(volume.folder / f"{image.name.replace('/', '_')}.tiff", image)
            remove_other(step)
            folders.append(volume.running.run(step).container)
            assert isinstance(step.job, SectionsJob), "it was made here"
            if before := step.job.before:
                volume.running.say(
                    f"{image.name} begins at z = {-before}, and names of files count from there: "
                    f"{step.job.file_name(-before)} is that section"
                )
        return folders


class SectionsJob(Job):
    """A file for each section of an image; see `SectionsFunction`.

    before: sections of the image before 0 of the world: names count from the first of them on,
            since programs read files in the order of their names
    digits: of a number in a name, as many in each
    """

    image: ImageInput
    before: Annotated[int, Field(exclude_if=lambda before: before == 0)] = 0
    digits: Annotated[int, Field(exclude_if=lambda digits: digits == _DIGITS)] = _DIGITS

    def file_name(self, z: int) -> str:
        """Of a section of the world."""
        return f"z{z + self.before:0{self.digits}d}.tif"

    def open(self, container: Path, worker: int) -> SectionsFunction:
        """Ready to be called."""
        return SectionsFunction(self, container)


class SectionsFunction:
    """Writes z00000.tif and so on, called after the sections of the world."""

    def __init__(self, job: SectionsJob, container: Path) -> None:
        self.job, self.array, self.container = job, job.image.open(), container

    def read(self, block: Block) -> NDArray[Any]:
        """(c, z, y, x)."""
        return read_level(self.array, block.write)

    def compute(self, block: Block, source: NDArray[Any]) -> Output:
        """A file a section."""
        first = int(block.write.begin[0]) if block.write.dims == 3 else 0
        for number in range(source.shape[1]):
            section = source[:, number] if self.array.channels else source[0, number]
            write_section(
                self.container / self.job.file_name(first + number),
                section,
                voxel_size=self.array.voxel_size[-2:],
                calibrated=self.array.calibrated,
            )
        return Output()


def _step(container: Path, image: Image) -> Step:
    """Blocks of whole sections: of a chunk, or of fewer where that is too much for memory."""
    array = image.array
    roi, none = array.roi, (0,) * array.roi.dims
    shape = list(roi.shape)
    if roi.dims == 3:
        section = int(roi.shape[1] * roi.shape[2]) * array.dtype.itemsize * (array.channels or 1)
        most = max(1, min(_BYTES // section, array.source.chunks[-3]))
        shape[0] = min(shape[0], most)
    grid = tile(roi, shape, step=(1,) * roi.dims, context=(none, none))
    return Step("sections", container, grid, _job(image))


def _job(image: Image) -> SectionsJob:
    roi = image.array.roi
    begin, end = (int(roi.begin[0]), int(roi.end[0])) if roi.dims == 3 else (0, 1)
    before = max(-begin, 0)
    digits = max(_DIGITS, len(str(end - 1 + before)))
    return SectionsJob(image=image.as_input(), before=before, digits=digits)
