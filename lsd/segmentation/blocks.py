"""One block of a volume's segmentation: its fragments, the edges it owns, its part of the
segmentations.

Ids need no communication.  Fragment n of block b is b * (voxels of a block) + n, so that an id
tells its block, and fragments end where their block does.  Each block notes where it would have
gone on over its faces, so that what was cut is one again where regions grow over the whole volume
(`whole`).  Where they grow in blocks, an edge belongs to the later of the two that its ends are in,
which reads over its faces: each edge is scored once, from the whole contact of its ends, in the
block's context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import fastremap
import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.arrays.lookup import compact, relabel
from lsd.blockwise.on_disk.grid import Block, Grid, tile
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.segmentation.agglomeration import joined
from lsd.segmentation.decode import decode_fragments, decode_mutex
from lsd.segmentation.nearest import checked
from lsd.segmentation.tables import open_table
from lsd.spec import Fragments as FragmentSettings
from lsd.spec import Mutex as MutexSettings
from lsd.spec import Segment
from lsd.spec.effect import NoEffect, Told
from lsd.volumes.array import Array
from lsd.volumes.inputs import ArrayInput, OwnArray, VolumeInput
from lsd.volumes.volume import OpenVolume

FRAGMENTS = "fragments"
# uint8; bit a of a voxel in the first plane of a block along axis a: by its block, it and the voxel
# before are one fragment
UNCUT = "uncut"
MUTEX = "segmentation/mutex"

# rows: a fragment's voxels, in the order of their ids; an edge
SIZE = np.dtype([("size", "<u8")])
EDGE = np.dtype([("u", "<u8"), ("v", "<u8"), ("score", "<f4")])

# edges that are handed on at once
_PIECE = 1 << 20

# sizes of blocks are rounded up to it, so that chunks have handy sizes
_STEP = 32

Neighborhood = Sequence[Sequence[int]]
Apart = Annotated[int, NoEffect("the size of the blocks, which are part of every fingerprint")]
Source = dict[str, NDArray[Any]]


def blocks(roi: Roi, settings: Segment) -> Grid:
    """Blocks of about the size of the config, as even as they can be, with its context."""
    shape = [_even(n, most) for n, most in zip(roi.shape, settings.block[-roi.dims :], strict=True)]
    context = settings.context[-roi.dims :]
    return tile(roi, shape, step=(1,) * roi.dims, context=(context, context))


def edge_context(settings: Segment, dims: int) -> tuple[int, ...]:
    """Voxels around a block that its edges are scored with: the neighbours' side of a contact is
    always looked at."""
    return tuple(max(1, n) for n in settings.edge_context[-dims:])


def voxels(grid: Grid) -> int:
    """Of a whole block: how far the ids of two blocks are apart."""
    return int(np.prod([int(n) for n in grid.write_shape], dtype=object))


def edge_pieces(folder: Path) -> Iterator[NDArray[Any]]:
    """The edges of a step's folder, rows of EDGE, in pieces."""
    for _, rows in read_ledger(folder).rows(EDGE, alone=True):
        yield from np.split(rows, range(_PIECE, len(rows), _PIECE))


class OnAffinities(Job):
    """What every job that reads affinities is given; neighborhood: an offset for each of their
    channels."""

    affinities: ArrayInput
    neighborhood: tuple[tuple[int, ...], ...]


class FragmentsJob(OnAffinities):
    """Fragments of each block; see `Fragments`.

    mask: the volume whose known voxels are segmented, None: all are; apart: distance of the ids of
          two blocks
    """

    version: Version = 4
    settings: FragmentSettings
    mask: VolumeInput | None = None
    apart: Apart

    def open(self, container: Path, worker: int) -> Fragments:
        """Ready to be called."""
        return Fragments(self)


class EdgesJob(OnAffinities):
    """Edges that each block owns, and their scores; see `Edges`.

    scores: Segment.scores, what they follow from.  Sizes of regions are those that the block and
            its context show.
    """

    version: Version = 3
    fragments: OwnArray
    made_from: Annotated[str, Told("the fragments were made anew")]
    scores: dict[str, Any]
    agglomeration: Literal["blocks"] = "blocks"
    apart: Apart

    def open(self, container: Path, worker: int) -> Edges:
        """Ready to be called."""
        return Edges(self, container)


class SegmentsJob(Job):
    """Segmentations of each block at some thresholds; see `Segments`.

    arrays: names of the arrays and of their tables; made_from: digest of the edges' step
    """

    version: Version = 3
    fragments: OwnArray
    made_from: Annotated[str, Told("the edges were made anew")]
    arrays: dict[str, str]
    apart: Apart

    def open(self, container: Path, worker: int) -> Segments:
        """Ready to be called."""
        return Segments(self, container)


class MutexJob(OnAffinities):
    """The segmentation of the mutex decoder; see `Mutex`."""

    version: Version = 3
    settings: MutexSettings
    mask: VolumeInput | None = None

    def open(self, container: Path, worker: int) -> Mutex:
        """Ready to be called."""
        return Mutex(self)


class Fragments:
    """Fragments (*block.write.shape) of each block, and where they go on over its faces; rows:
    their sizes."""

    def __init__(self, job: FragmentsJob) -> None:
        self.affs, self.neighborhood = job.affinities.open(), job.neighborhood
        self.settings, self.apart = job.settings, job.apart
        self.mask = _mask(job.mask, self.affs)

    def read(self, block: Block) -> Source | None:
        """Affinities around the block, and the mask; None where nothing of the block is in the
        mask."""
        roi = block.read.intersect(self.affs.roi)
        found: Source = {}
        if self.mask is not None:
            found["mask"] = self.mask.read_known(roi)
            if not found["mask"][(block.write - roi.begin).to_slices()].any():
                return None
        return {**found, "affs": self.affs.read(roi)}

    def compute(self, block: Block, source: Source | None) -> Output:
        """Only what lies in the block is kept, under ids of its own."""
        if source is None:
            nothing = {
                FRAGMENTS: np.zeros(block.write.shape, np.uint64),
                UNCUT: np.zeros(block.write.shape, np.uint8),
            }
            return Output(nothing, np.empty(0, SIZE))
        begin = block.read.intersect(self.affs.roi).begin
        found = decode_fragments(
            source["affs"],
            self.neighborhood,
            self.settings,
            mask=source.get("mask"),
            first_section=_section(begin),
        )
        inside = (block.write - begin).to_slices()
        own = compact(np.ascontiguousarray(found[inside]))
        sizes = np.bincount(own.reshape(-1).astype(np.int64))[1:].astype(np.uint64)
        own[own > 0] += np.uint64(block.index * self.apart)
        return Output({FRAGMENTS: own, UNCUT: _uncut(found, inside)}, sizes.view(SIZE))


class Around:
    """Reads what a block's edges follow from."""

    def __init__(self, affinities: ArrayInput, fragments: OwnArray, container: Path) -> None:
        self.affs, self.fragments = affinities.open(), fragments.open(container)

    def read(self, block: Block) -> Source | None:
        """Fragments of the block and around it, and affinities; None where the block has no
        fragment."""
        roi = block.read.intersect(self.affs.roi)
        fragments = self.fragments.read(roi)
        if not fragments[self.inside(block)].any():
            return None
        return {"fragments": fragments, "affs": self.affs.read(roi)}

    def inside(self, block: Block) -> tuple[slice, ...]:
        """The block in what is read."""
        return tuple((block.write - block.read.intersect(self.affs.roi).begin).to_slices())


class Edges(Around):
    """Rows: the edges (u < v) that each block owns, and their scores, in ascending order."""

    def __init__(self, job: EdgesJob, container: Path) -> None:
        super().__init__(job.affinities, job.fragments, container)
        self.neighborhood, self.scores, self.apart = job.neighborhood, job.scores, job.apart

    def compute(self, block: Block, source: Source | None) -> Output:
        """Scores in the order in which regions join around the block."""
        if source is None:
            return Output(rows=np.empty(0, EDGE))
        ids = fastremap.unique(source["fragments"])
        numbers = compact(source["fragments"])
        ids = ids[ids > 0]
        pairs, scores = joined(
            checked(source["affs"], self.neighborhood), numbers, self.neighborhood, **self.scores
        )
        ends = ids[pairs.astype(np.int64) - 1].reshape(-1, 2)
        # ids ascend with the blocks, so the later block is that of the larger id
        own = (ends[:, 1] - np.uint64(1)) // np.uint64(self.apart) == block.index
        rows = np.empty(int(own.sum()), EDGE)
        rows["u"], rows["v"], rows["score"] = ends[own, 0], ends[own, 1], scores[own]
        return Output(rows=rows)


class Segments:
    """Segmentations (*block.write.shape) of each block: fragments looked up in the table of each
    threshold."""

    def __init__(self, job: SegmentsJob, container: Path) -> None:
        self.fragments, self.apart = job.fragments.open(container), job.apart
        self.tables = {
            name: open_table(container, table, made_from=job.made_from)
            for name, table in job.arrays.items()
        }

    def read(self, block: Block) -> NDArray[Any]:
        """The block's fragments."""
        return self.fragments.read(block.write)

    def compute(self, block: Block, source: NDArray[Any]) -> Output:
        """A block's fragments are its own, so a slice of each table is all it needs."""
        nodes = [table.of_block(block.index) for table in self.tables.values()]
        first = np.uint64(block.index * self.apart)
        return Output(
            {
                name: relabel(
                    source, np.arange(1, len(segments) + 1, dtype=np.uint64) + first, segments
                )
                for name, segments in zip(self.tables, nodes, strict=True)
            }
        )


class Mutex:
    """The segmentation of the mutex decoder, which knows no blocks: one for the whole volume."""

    def __init__(self, job: MutexJob) -> None:
        self.affs, self.neighborhood = job.affinities.open(), job.neighborhood
        self.settings, self.mask = job.settings, _mask(job.mask, self.affs)

    def read(self, block: Block) -> Source:
        """All affinities, and the mask."""
        found: Source = {"affs": self.affs.read(block.write)}
        if self.mask is not None:
            found["mask"] = self.mask.read_known(block.write)
        return found

    def compute(self, block: Block, source: Source) -> Output:
        """Its segments are final."""
        return Output(
            {
                MUTEX: decode_mutex(
                    source["affs"], self.neighborhood, self.settings, mask=source.get("mask")
                )
            }
        )


def _uncut(found: NDArray[Any], inside: tuple[slice, ...]) -> NDArray[np.uint8]:
    """UNCUT of a block, from its fragments and those around it."""
    bits = np.zeros([part.stop - part.start for part in inside], np.uint8)
    for axis, part in enumerate(inside):
        if part.start > 0:
            first, before = (
                found[(*inside[:axis], slice(at, at + 1), *inside[axis + 1 :])]
                for at in (part.start, part.start - 1)
            )
            where = (slice(None),) * axis + (slice(0, 1),)
            bits[where] |= ((first == before) & (first > 0)).astype(np.uint8) << np.uint8(axis)
    return bits


def _even(extent: int, most: int) -> int:
    """An even share of `extent` for as few blocks as there can be of at most `most`, in handy
    steps."""
    if extent <= most:
        return extent
    share = -(-extent // -(-extent // most))
    return min(most, -(-share // _STEP) * _STEP)


def _section(begin: Coordinate) -> int:
    """z of the first section; a plane has none."""
    return int(begin[0]) if begin.dims == 3 else 0


def _mask(volume: VolumeInput | None, affs: Array) -> OpenVolume | None:
    return volume.open().on_grid(affs.remainder) if volume else None
