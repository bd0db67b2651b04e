"""Labelled blocks of other programs, in a folder, a file or a list, and where each lies."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.segmentation.stitching.blocks import BlockFile, BlockFiles, content_of
from lsd.segmentation.stitching.boxes import Boxes
from lsd.segmentation.stitching.named import Names, guessed
from lsd.segmentation.stitching.sources import Entry, entries
from lsd.spec.plurals import counted
from lsd.volumes.array import Array, open_array, text
from lsd.volumes.units import Remainder, agree, exact, left_over, voxels_between, whole_voxels

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hints:
    """What a person says of blocks, beside what their files say.

    array:      name of the array in each file; "": the only one
    pattern:    of the names of files (of arrays, in one file), such as "block_z{z}_y{y}_x{x}.tif"
    step:       voxels from one block to the next, z y x, where names or a list count blocks; None:
                they say voxels
    nm:         names or a list say nanometres
    voxel_size: nm, z y x; axes: in the files, where these do not say them
    """

    array: str = ""
    pattern: str = ""
    step: tuple[int, ...] | None = None
    nm: bool = False
    voxel_size: tuple[float, ...] | None = None
    axes: str | None = None


_NOTHING = Hints()


@dataclass(frozen=True)
class _Block:
    """What is known of a block, whose file is closed: there may be more than a process may open.

    begin:   voxels of its own grid, which lies `remainder` (nm) from where nm are 0
    content: see `content_of`
    """

    entry: Entry
    begin: Coordinate
    remainder: Remainder
    shape: tuple[int, ...]
    voxel_size: tuple[float, ...]
    calibrated: bool
    content: str


def find_blocks(path: Path, hints: Hints = _NOTHING) -> BlockFiles:
    """The blocks that there are at `path`: files in a folder, arrays in one file, or what a list
    (CSV or JSON) names.

    Where each lies is said by the list, by names where there is a pattern, else by its file
    (attributes, a translation of OME-Zarr), else by names that are as z0_y64_x128.  Raises
    ValueError, naming the block, where that is not known, for files that cannot be read or hold no
    ids, for voxel sizes that differ, for blocks that lie between the voxels of another, and for two
    in one place.
    """
    if hints.nm and hints.step:
        raise ValueError("offsets are either in nm or count blocks: give one of --nm and --step")
    names = Names(hints.pattern) if hints.pattern else None
    blocks = [
        _looked_at(entry, hints, names) for entry in entries(path, array=hints.array, names=names)
    ]
    first = blocks[0]
    begins = np.array([_begin_beside(block, first) for block in blocks], np.int64)
    shapes = np.array([block.shape for block in blocks], np.int64)
    order = Boxes.order(begins, shapes)
    _refuse_one_place(blocks, begins, shapes, order)
    files = tuple(_file(blocks[n], begins[n]) for n in order)
    return BlockFiles(
        folder=str(first.entry.folder.resolve()),
        files=files,
        voxel_size=first.voxel_size,
        remainder=tuple(map(str, first.remainder)),
        calibrated=all(block.calibrated for block in blocks),
        axes=hints.axes,
        stated=hints.voxel_size is not None,
    )


def _looked_at(entry: Entry, hints: Hints, names: Names | None) -> _Block:
    try:
        array = open_array(
            entry.folder / entry.path,
            entry.array,
            voxel_size=hints.voxel_size,
            axes=hints.axes,
        ).without_channel()
    except ValueError as error:
        raise ValueError(_by_option(str(error))) from error
    if array.dtype.kind not in "bui":
        raise ValueError(
            f"{entry.title} is {array.dtype}; labels are whole numbers: write them as integers"
        )
    if hints.step is not None and len(hints.step) != array.roi.dims:
        raise ValueError(
            f"--step has {len(hints.step)} numbers, {entry.title} {array.roi.dims} axes; give one "
            f"for each"
        )
    begin, remainder = _place(entry, array, hints, names)
    return _Block(
        entry,
        begin,
        remainder,
        shape=tuple(array.shape),
        voxel_size=array.voxel_size,
        calibrated=array.calibrated,
        content=content_of(array),
    )


def _place(
    entry: Entry, array: Array, hints: Hints, names: Names | None
) -> tuple[Coordinate, Remainder]:
    """First voxel of a block, and how its grid lies."""
    stated = array.layout.stated.offset is not None
    values = entry.offset
    if values is None and names is not None:
        values = names.offset(entry.name)
    if values is None and stated:
        return array.roi.begin, array.remainder
    if values is None:
        values = guessed(entry.name, dims=array.roi.dims)
    if values is None:
        raise ValueError(
            f"{entry.title} does not say where it lies; say how files are called with --pattern, "
            f"as in 'block_z{{z}}_y{{y}}_x{{x}}.tif', name a list of paths and offsets, or write "
            f"the attribute offset (nm)"
        )
    if len(values) != array.roi.dims:
        raise ValueError(
            f"{entry.title} has {counted(array.roi.dims, 'axis')}, and its offset is "
            f"{tuple(map(float, values))}; give one number for each"
        )
    return _in_voxels(entry, array, values, hints)


def _in_voxels(
    entry: Entry, array: Array, values: Sequence[Fraction], hints: Hints
) -> tuple[Coordinate, Remainder]:
    """An offset of a name or a list."""
    none = (Fraction(0),) * len(values)
    if hints.nm:
        begin = whole_voxels([float(n) for n in values], array.voxel_size)
        return begin, left_over([float(n) for n in values], begin, array.voxel_size)
    if any(n.denominator != 1 for n in values):
        raise ValueError(
            f"{entry.title} lies at {tuple(map(float, values))}, which are no whole voxels; say "
            f"--nm if they are nanometres"
        )
    steps = hints.step or (1,) * len(values)
    return Coordinate(int(n) * step for n, step in zip(values, steps, strict=True)), none


def _begin_beside(block: _Block, first: _Block) -> list[int]:
    """The first voxel of a block on the grid of the first one."""
    size, other = block.voxel_size, first.voxel_size
    if len(size) != len(other):
        raise ValueError(
            f"{block.entry.title} has {counted(len(size), 'axis')}, {first.entry.title} "
            f"{len(other)}; stitch blocks of one kind"
        )
    if not agree(size, other):
        raise ValueError(
            f"voxels of {block.entry.title} are {size} nm, those of {first.entry.title} {other} "
            f"nm; all blocks need one voxel size: correct the wrong one, or give it with "
            f"--voxel-size"
        )
    moved = voxels_between(block.remainder, first.remainder, other)
    if moved is None:
        apart = [
            float((a - b) / exact(n))
            for a, b, n in zip(block.remainder, first.remainder, other, strict=True)
        ]
        raise ValueError(
            f"{block.entry.title} lies between the voxels of {first.entry.title}: it is shifted by "
            f"({', '.join(f'{n:.3g}' for n in apart)}) voxels beyond whole ones; correct its "
            f"offset, or resample it"
        )
    return [int(n) for n in block.begin + moved]


def _refuse_one_place(
    blocks: Sequence[_Block],
    begins: NDArray[np.int64],
    shapes: NDArray[np.int64],
    order: Sequence[int],
) -> None:
    twice = Boxes(begins[order], begins[order] + shapes[order]).twice()
    if twice is None:
        return
    one, other = blocks[order[twice]], blocks[order[twice + 1]]
    raise ValueError(
        f"{one.entry.title} and {other.entry.title} lie in one place, "
        f"{text(Roi(begins[order[twice]].tolist(), one.shape))}; correct an offset, or leave one "
        f"of them out"
    )


def _file(block: _Block, begin: NDArray[np.int64]) -> BlockFile:
    return BlockFile(
        path=block.entry.path,
        array=block.entry.array,
        begin=tuple(map(int, begin)),
        shape=block.shape,
        content=block.content,
    )


def _by_option(message: str) -> str:
    """A message of `open_array`, with what a command line has for the arguments it names."""
    return message.replace("voxel_size=", "--voxel-size ").replace("axes=", "--axes ")
