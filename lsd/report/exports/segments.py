"""Tables of the segments of a volume, and of its fragments: how large each is, and where."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.objects.locate import located_of
from lsd.objects.located import Located
from lsd.objects.measures import MEASURE, measures
from lsd.objects.over_blocks import measured
from lsd.objects.segmented import in_the_middle
from lsd.objects.tables import columns_of, write_columns
from lsd.report.exports.exporter import ExportedVolume, Exporter
from lsd.report.images import Image, ImageInput
from lsd.spec.exports import SegmentTable
from lsd.volumes.array import Array
from lsd.volumes.units import lengths

# voxels that are measured at once, along each axis
_BLOCK = {2: 2048, 3: 256}
Pieces = Callable[[], Iterable[Mapping[str, NDArray[Any]]]]


class SegmentTableExport(Exporter[SegmentTable]):
    """segments.csv and, where pyarrow is installed, segments.parquet."""

    def write(self, volume: ExportedVolume) -> list[Path]:
        """One row a segment, ascending."""
        table = measure(volume, volume.segmentation)
        columns = segment_columns(table, volume.segmentation.array)
        return write_tables(volume, "segments", lambda: [columns])


class MeasuresJob(Job):
    """How large the ids of each block are; see `MeasuresFunction`."""

    image: ImageInput

    def open(self, container: Path, worker: int) -> MeasuresFunction:
        """Ready to be called."""
        return MeasuresFunction(self)


class MeasuresFunction:
    """Rows: the measures of the ids of each block."""

    def __init__(self, job: MeasuresJob) -> None:
        self.array = job.image.open()

    def read(self, block: Block) -> NDArray[np.uint64]:
        """Ids of the block."""
        return self.array.read(block.write).astype(np.uint64, copy=False)

    def compute(self, block: Block, source: NDArray[np.uint64]) -> Output:
        """Of each of its ids."""
        ones = np.ones(source.shape, np.float32)
        return Output(rows=measures(source, ones, begin=block.write.begin - self.array.roi.begin))


def measure(volume: ExportedVolume, image: Image) -> Located:
    """The ids of an image, measured block by block: a row each, its point the voxel at its
    centroid."""
    array = image.array
    none = (0,) * array.roi.dims
    shape = [min(n, _BLOCK[array.roi.dims]) for n in array.roi.shape]
    grid = tile(array.roi, shape, step=(1,) * len(none), context=(none, none))
    name = f"measures-{image.name.replace('/', '-').replace('.', '_')}"
    job = MeasuresJob(image=image.as_input())
    step = volume.running.run(Step(name, volume.folder / "tables", grid, job, rows=MEASURE))
    rows = measured(step.folder)
    offset = lengths(array.roi.begin, array.voxel_size, array.remainder)
    return located_of(rows, in_the_middle(rows), voxel_size=array.voxel_size, offset=offset)


def segment_columns(table: Located, array: Array) -> dict[str, NDArray[Any]]:
    """Columns of a table of the ids of an array: how surely they are there nobody said.

    Without a voxel size places are counted in voxels, and called "z", "begin_z" and so on; how
    large ids are is said by their voxels alone.
    """
    columns = {name: column for name, column in columns_of(table).items() if name != "confidence"}
    if array.calibrated:
        return columns
    return {
        name.removesuffix("_nm"): column
        for name, column in columns.items()
        if not name.startswith(("volume", "area"))
    }


def write_tables(volume: ExportedVolume, name: str, pieces: Pieces) -> list[Path]:
    """Writes a table as CSV and, where pyarrow is installed, as Parquet; returns the files."""
    files = [volume.folder / f"{name}.csv"]
    if importlib.util.find_spec("pyarrow") is None:
        volume.running.say(
            f"{name} is written as CSV alone; Parquet takes pyarrow: pip install pyarrow"
        )
    else:
        files.append(files[0].with_suffix(".parquet"))
    for file in files:
        write_columns(pieces(), file)
    return files
