"""Labelled blocks as they lie on disk: files of any program, or side by side in one array that an
earlier step wrote."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray
from pydantic import Field

from lsd.arrays.ids import ids
from lsd.arrays.memory import Memory
from lsd.blockwise.on_disk.grid import Grid, tile
from lsd.segmentation.stitching.boxes import Boxes, boxes_of
from lsd.spec import Spec
from lsd.spec.effect import NoEffect, Wording
from lsd.volumes.array import Array, open_array, text
from lsd.volumes.inputs import Box, OwnArray, box_of
from lsd.volumes.state import content
from lsd.volumes.units import Remainder

# voxels of blocks that are kept when they were read, and bytes of all that are kept
_SMALL, _SMALL_BLOCKS = 1 << 18, 64 << 20
# files that are kept open: those of a block and of all that share voxels with it
_OPEN = 32


class LabelledBlocks(ABC):
    """Blocks that can be read.

    boxes: where they lie; voxel_size: nm, z y x; remainder and calibrated: see `Array`
    partial: whether each holds the objects of its own alone, so that its 0 says nothing
    """

    boxes: Boxes
    partial: bool = False
    voxel_size: tuple[float, ...]
    remainder: Remainder
    calibrated: bool

    def __init__(self) -> None:
        self._small, self._reading = Memory(_SMALL_BLOCKS), Lock()

    @abstractmethod
    def from_disk(self, index: int, roi: Roi) -> NDArray[Any]:
        """Labels of a block in `roi`, voxels of the world, which lies in its box; ids >= 0."""

    def read(self, index: int, roi: Roi) -> NDArray[Any]:
        """The same, not to be changed: a small block is compared with each of those around it, so
        it is read whole, and kept for a while."""
        box = self.boxes.roi(index)
        if box.size > _SMALL:
            return self.from_disk(index, roi)
        with self._reading:
            block = self._small.get(index, lambda: self.from_disk(index, box))
        return np.asarray(block[(roi - box.begin).to_slices()])

    @property
    def region(self) -> Roi:
        """What is stitched: the box around all of them."""
        return self.boxes.hull

    def whole(self, index: int) -> NDArray[Any]:
        """All labels of a block."""
        return self.read(index, self.boxes.roi(index))

    def labelled(self, index: int, roi: Roi) -> NDArray[np.bool_]:
        """Where a block has a label, in a part of its box."""
        return np.asarray(self.read(index, roi) != 0)


class BlockFile(Spec):
    """A block, an array of a file.

    path:  of the file, from the folder of all; array: its name in it
    begin: of the block in the world, voxels; shape: voxels
    """

    path: str
    array: str = ""
    begin: tuple[int, ...]
    shape: tuple[int, ...]
    content: str

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.path}:{self.array}" if self.array else self.path

    def open(self, folder: Path, **stated: Any) -> Array:
        """The array; stated: voxel size and axes, where the file does not say them."""
        return open_array(folder / self.path, self.array, **stated).without_channel()


class BlockFiles(Spec):
    """Blocks in files of any format that is read, in the order of `Boxes`.

    folder:     that their paths start from
    voxel_size: nm, z y x; remainder: nm, as fractions, of voxel 0 from where nm are 0
    axes:       in the files, where they do not say them
    calibrated: whether the voxel size is known, see `Array.calibrated`
    stated:     whether it is given by hand
    """

    kind: Literal["files"] = "files"
    folder: Annotated[str, NoEffect("files may be moved together: their contents tell them")]
    files: Annotated[
        tuple[BlockFile, ...], Wording("blocks were changed, moved, added or left out")
    ]
    voxel_size: tuple[float, ...]
    remainder: tuple[str, ...]
    calibrated: bool = True
    axes: str | None = None
    stated: Annotated[bool, NoEffect("the voxel size is a field")] = False

    def open(self, container: Path) -> OpenFiles:
        """Ready to be read."""
        return OpenFiles(self)

    def array(self, file: BlockFile) -> Array:
        """One of its arrays."""
        size = self.voxel_size if self.stated else None
        return file.open(Path(self.folder), voxel_size=size, axes=self.axes)

    def title(self, index: int) -> str:
        """What messages call a block."""
        return self.files[index].title

    def others(self, earlier: Blocks) -> list[str]:
        """What of the blocks of an earlier run is not as it is here, in words."""
        if not isinstance(earlier, BlockFiles):
            return []
        before, now = ({f.title: f for f in blocks.files} for blocks in (earlier, self))
        return [
            *(f"{title} was left out" for title in before if title not in now),
            *(f"{title} was added" for title in now if title not in before),
            *(
                f"{title} was {'moved' if before[title].content == file.content else 'changed'}"
                for title, file in now.items()
                if title in before and before[title] != file
            ),
        ]

    def changed(self) -> list[str]:
        """The files that are no longer what they were, in words."""
        return [
            f"{file.title} was changed"
            for file in self.files
            if content_of(self.array(file)) != file.content
        ]


class SideBySide(Spec):
    """Blocks that an earlier step wrote into one array of the container, side by side, each with
    what it shares with others; see `side_by_side`.

    roi:   that all of them cover, (begin, shape), voxels of the world
    block: voxels of a block without what it shares; below, above: voxels around it
    numbers: which blocks of the region there are, in ascending order: the others have no label.
             They then lie in a line, see `in_line`.  None: all of them
    partial: see `LabelledBlocks`
    """

    kind: Literal["side by side"] = "side by side"
    array: OwnArray
    roi: Box
    block: tuple[int, ...]
    below: tuple[int, ...]
    above: tuple[int, ...]
    numbers: tuple[int, ...] | None = None
    partial: bool = False

    @classmethod
    def of(
        cls,
        array: OwnArray,
        grid: Grid,
        *,
        numbers: Sequence[int] | None = None,
        partial: bool = False,
    ) -> SideBySide:
        """The array that was written by the step of `side_by_side(grid)`, or, of some blocks, of
        `in_line(grid, len(numbers))`."""
        first = grid.block(0)
        return cls(
            array=array,
            roi=box_of(grid.roi),
            block=tuple(map(int, grid.write_shape)),
            below=tuple(map(int, first.write.begin - first.read.begin)),
            above=tuple(map(int, first.read.end - first.write.begin - grid.write_shape)),
            numbers=None if numbers is None else tuple(map(int, numbers)),
            partial=partial,
        )

    @property
    def grid(self) -> Grid:
        """The blocks in the world: `read`, within the region, is what each holds labels of."""
        step = (1,) * len(self.block)
        return tile(Roi(*self.roi), self.block, step=step, context=(self.below, self.above))

    def open(self, container: Path) -> OpenSideBySide:
        """Ready to be read."""
        return OpenSideBySide(self, self.array.open(container))

    def title(self, index: int) -> str:
        """What messages call a block."""
        number = index if self.numbers is None else self.numbers[index]
        return f"block {number} ({text(self.grid.block(number).write)})"

    def others(self, earlier: Blocks) -> list[str]:
        """None: blocks of a step are one."""
        return []

    def changed(self) -> list[str]:
        """Nothing here: the job looks at the arrays of its container."""
        return []


Blocks = Annotated[BlockFiles | SideBySide, Field(discriminator="kind")]


def side_by_side(grid: Grid) -> Grid:
    """The blocks of an array in which those of `grid`, each with its context, lie side by side:
    they have the same numbers, and none writes into another's chunk.

    A step writes it, whose function puts what `placed` gives into block number n of this grid.
    """
    size = grid.block(0).read.shape
    none = (0,) * size.dims
    return tile(Roi(none, grid.shape * size), size, step=(1,) * size.dims, context=(none, none))


def in_line(grid: Grid, count: int) -> Grid:
    """The same for so many blocks of a grid as are not empty: one after another along the first
    axis."""
    size = grid.block(0).read.shape
    none = (0,) * size.dims
    line = Roi(none, (count * size[0], *size[1:]))
    return tile(line, size, step=(1,) * size.dims, context=(none, none))


def placed(labels: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Labels of what a block of `grid` reads within the region, as they are written by the step of
    `side_by_side(grid)`: at the border of the region filled up with 0."""
    shape = grid.block(0).read.shape
    block = np.zeros(shape, labels.dtype)
    block[tuple(map(slice, labels.shape))] = labels
    return block


class OpenFiles(LabelledBlocks):
    """Files, opened when they are first read."""

    def __init__(self, spec: BlockFiles) -> None:
        super().__init__()
        self.spec, self.voxel_size, self.calibrated = spec, spec.voxel_size, spec.calibrated
        self.remainder = tuple(map(Fraction, spec.remainder))
        self._arrays = OrderedDict[int, Array]()
        self._lock = Lock()

    @cached_property
    def boxes(self) -> Boxes:  # type: ignore[override]
        """Where they lie."""
        begins = np.array([file.begin for file in self.spec.files], np.int64)
        return Boxes(begins, begins + np.array([f.shape for f in self.spec.files], np.int64))

    def from_disk(self, index: int, roi: Roi) -> NDArray[Any]:
        """Labels of a file."""
        array, file = self._array(index), self.spec.files[index]
        labels = array.read(roi + (array.roi.begin - Coordinate(file.begin)))
        return ids(labels, file.title)

    def _array(self, index: int) -> Array:
        """The array of a file, which stays open until so many others were read; for several
        threads."""
        with self._lock:
            if index not in self._arrays:
                self._arrays[index] = self._opened(index)
            self._arrays.move_to_end(index)
            if len(self._arrays) > _OPEN:
                self._arrays.popitem(last=False)
            return self._arrays[index]

    def _opened(self, index: int) -> Array:
        file = self.spec.files[index]
        array = self.spec.array(file)
        if tuple(array.shape) != file.shape:
            raise ValueError(f"{file.title} was replaced since the run began; run it again")
        return array


class OpenSideBySide(LabelledBlocks):
    """Parts of one array."""

    def __init__(self, spec: SideBySide, array: Array) -> None:
        super().__init__()
        self.spec, self.array, self.partial, grid = spec, array, spec.partial, spec.grid
        self.voxel_size, self.remainder = array.voxel_size, array.remainder
        self.calibrated = array.calibrated
        self.boxes = boxes_of(grid, spec.numbers)
        count = len(self.boxes)
        stored = side_by_side(grid) if spec.numbers is None else in_line(grid, count)
        self._stored = boxes_of(stored)

    @property
    def region(self) -> Roi:
        """That of its blocks, also of those that are not there."""
        return Roi(*self.spec.roi)

    def from_disk(self, index: int, roi: Roi) -> NDArray[Any]:
        """Labels of a block."""
        stored = self._stored.begins[index] - self.boxes.begins[index]
        return ids(
            self.array.read(roi + Coordinate(stored.tolist())),
            f"{self.array.name}, block {index}",
        )


def content_of(array: Array) -> str:
    """What tells the content of an array from another."""
    return content(array.source, array.layout.slices(array.roi))


__all__: Sequence[str] = [
    "BlockFile",
    "BlockFiles",
    "Blocks",
    "LabelledBlocks",
    "SideBySide",
    "content_of",
    "in_line",
    "placed",
    "side_by_side",
]
