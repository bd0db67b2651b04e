"""Pieces of each block at each threshold, and which of them are one, or touch, across its faces.

    foreground -> pieces -> neighbours -> objects -> segmentation

Pieces have ids as fragments have: piece n of block b is b * apart + n, counted over all thresholds
of the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.lookup import compact
from lsd.arrays.offsets import neighbours
from lsd.arrays.pairs import count_pairs, touching
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.output import Output
from lsd.segmentation.kernels.joining import PIECE
from lsd.segmentation.kernels.pieces import (
    Pieces,
    by_faces,
    closed,
    connectivity_of,
    pieces,
)
from lsd.segmentation.objects import piece_rows
from lsd.segmentation.over_blocks.inputs import Apart, MaskInput, open_mask
from lsd.spec import Objects
from lsd.spec.effect import Wording
from lsd.volumes.inputs import OwnArray

# rows: two pieces u < v that are the same but for a face of a block, or touch by a face
NEIGHBOUR = np.dtype([("u", "<u8"), ("v", "<u8"), ("same", "?")])

Slices = tuple[slice, ...]


def pieces_array(threshold: float) -> str:
    """Name of the array of the pieces at a threshold."""
    return f"pieces/{float(threshold)!r}"


class Around(NamedTuple):
    """The foreground of a block and around it, where it is known, and which region this is."""

    foreground: NDArray[np.float32]
    known: NDArray[np.bool_]
    roi: Roi

    def inside(self, threshold: float) -> NDArray[np.bool_]:
        """Voxels that are known and at the threshold, or above."""
        return np.asarray((self.foreground >= float(threshold)) & self.known)

    def of(self, block: Block) -> Slices:
        """Where a block lies in it."""
        return tuple((block.write - self.roi.begin).to_slices())


class OnForeground(Job):
    """What jobs are given that look for objects.

    mask: the volume whose known voxels are segmented, None: all are; apart: distance of the ids of
          two blocks
    """

    version: Version = 1
    foreground: OwnArray
    mask: MaskInput | None = None
    thresholds: tuple[float, ...]
    settings: Objects
    apart: Apart


class PiecesJob(OnForeground):
    """Pieces of each block; see `PiecesFunction`."""

    made_from: Annotated[str, Wording("the foreground was made anew")]

    def open(self, container: Path, worker: int) -> PiecesFunction:
        """Ready to be called."""
        return PiecesFunction(self, container)


class NeighboursJob(OnForeground):
    """Which pieces are one across faces; see `NeighboursFunction`.

    pieces: the array of each threshold, in their order
    """

    pieces: tuple[OwnArray, ...]
    made_from: Annotated[str, Wording("the pieces were made anew")]

    def open(self, container: Path, worker: int) -> NeighboursFunction:
        """Ready to be called."""
        return NeighboursFunction(self, container)


class _OnForeground:
    """Reads the foreground around a block, and makes pieces of it."""

    def __init__(self, job: OnForeground, container: Path) -> None:
        self.foreground = job.foreground.open(container)
        self.roi, self.voxel_size = self.foreground.roi, self.foreground.voxel_size
        self.mask = open_mask(job.mask, self.foreground)
        self.thresholds, self.settings, self.apart = job.thresholds, job.settings, job.apart
        self.connectivity = connectivity_of(job.settings, self.roi.dims)
        self.background = by_faces(self.connectivity, self.roi.dims)

    def around(self, block: Block) -> Around | None:
        """What is read around a block; None where nothing of it is known."""
        roi = block.read.intersect(self.roi)
        known = np.ones(roi.shape, np.bool_) if self.mask is None else self.mask.read_known(roi)
        if not known[tuple((block.write - roi.begin).to_slices())].any():
            return None
        return Around(np.asarray(self.foreground.read(roi), np.float32), known, roi)

    def pieces(self, around: Around, threshold: float) -> Pieces:
        """Of all that was read."""
        inside = around.inside(threshold)
        return pieces(inside, around.known, self.settings, voxel_size=self.voxel_size)


class PiecesFunction(_OnForeground):
    """Pieces (*block.write.shape) of each block at each threshold; rows: what is known of each, in
    the order of their ids."""

    def read(self, block: Block) -> Around | None:
        """The foreground around the block."""
        return self.around(block)

    def compute(self, block: Block, source: Around | None) -> Output:
        """Only what lies in the block is kept, under ids of its own."""
        arrays = {
            pieces_array(threshold): np.zeros(block.write.shape, np.uint64)
            for threshold in self.thresholds
        }
        rows = [np.empty(0, PIECE)]
        if source is None:
            return Output(arrays, rows[0])
        inside = source.of(block)
        is_closed = closed(source.known, self.background)[inside]
        last = block.index * self.apart
        for number, (name, threshold) in enumerate(zip(arrays, self.thresholds, strict=True)):
            own = _within(self.pieces(source, threshold), inside)
            rows.append(
                piece_rows(
                    own,
                    begin=block.write.begin - self.roi.begin,
                    shape=self.roi.shape,
                    is_closed=is_closed,
                    level=number,
                )
            )
            arrays[name][own.labels > 0] = own.labels[own.labels > 0] + np.uint64(last)
            last += len(rows[-1])
        return Output(arrays, np.concatenate(rows))


class NeighboursFunction(_OnForeground):
    """Rows: pairs of pieces that are one across a face of a block, and, where holes are filled,
    those that touch by a face; a pair across faces is that of the later block."""

    def __init__(self, job: NeighboursJob, container: Path) -> None:
        super().__init__(job, container)
        self.arrays = [array.open(container) for array in job.pieces]
        self.steps = neighbours(self.connectivity, self.roi.dims)
        self.faces = neighbours(self.background, self.roi.dims)

    def read(self, block: Block) -> tuple[Around, list[NDArray[np.uint64]]] | None:
        """The foreground around the block, and the pieces of it and a voxel around it."""
        around, roi = self.around(block), self._near(block)
        if around is None:
            return None
        return around, [np.asarray(array.read(roi), np.uint64) for array in self.arrays]

    def compute(
        self, block: Block, source: tuple[Around, list[NDArray[np.uint64]]] | None
    ) -> Output:
        """In ascending order, threshold after threshold."""
        rows = [np.empty(0, NEIGHBOUR)]
        if source is None:
            return Output(rows=rows[0])
        around, arrays = source
        roi = self._near(block)
        near = tuple((roi - around.roi.begin).to_slices())
        inside = tuple((block.write - roi.begin).to_slices())
        earlier = np.uint64(block.index * self.apart)
        for threshold, ids in zip(self.thresholds, arrays, strict=True):
            seen = self._seen(around, threshold)
            contact = self._across(
                ids, Pieces(seen.labels[near], seen.objects), inside, earlier=earlier
            )
            rows += _rows(contact, holes=self.settings.fill_holes)
            if self.settings.fill_holes:
                own = touching(ids[inside], in_xy=self.background == 4)
                rows.append(_pairs(own, same=False))
        return Output(rows=np.concatenate(rows))

    def _near(self, block: Block) -> Roi:
        """A block and a voxel around it."""
        one = (1,) * self.roi.dims
        return block.write.grow(one, one).intersect(self.roi)

    def _seen(self, around: Around, threshold: float) -> Pieces:
        """What this block takes for one: equal labels of neighbours.  Unless objects are split,
        neighbours that are both inside are one, and nothing else is to be known."""
        if self.settings.split:
            return self.pieces(around, threshold)
        return Pieces(np.where(around.inside(threshold), np.uint32(1), np.uint32(2)), 1)

    def _across(
        self, ids: NDArray[np.uint64], seen: Pieces, inside: Slices, *, earlier: np.uint64
    ) -> Contact:
        """What the faces of a block, and its edges and corners, show of its pieces and of those of
        the blocks before it, whose ids are `earlier` at most."""
        parts = [Contact.none()]
        for step in self.steps:
            is_face = step in self.faces
            for first, second in _planes(inside, step, ids.shape):
                v, u = ids[first], ids[second]
                here, there = seen.labels[first], seen.labels[second]
                paired = (v > 0) & (u > 0) & (u <= earlier)
                if not is_face:
                    # background hangs together by faces alone
                    paired &= (here <= seen.objects) & (there <= seen.objects)
                if paired.any():
                    same = (here == there)[paired]
                    parts.append(Contact(u[paired], v[paired], same, np.full_like(same, is_face)))
        return Contact(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Contact(NamedTuple):
    """Pairs of voxels across faces, edges and corners of a block, (n,) each: the pieces that they
    are of, whether the later block takes them for one, and whether the voxels share a face."""

    earlier: NDArray[np.uint64]
    later: NDArray[np.uint64]
    same: NDArray[np.bool_]
    by_face: NDArray[np.bool_]

    @classmethod
    def none(cls) -> Contact:
        """Of no voxels."""
        ids, marks = np.zeros(0, np.uint64), np.zeros(0, np.bool_)
        return cls(ids, ids, marks, marks)


def _within(found: Pieces, inside: Slices) -> Pieces:
    """The pieces of a block among those around it, numbered 1..n."""
    labels = np.ascontiguousarray(found.labels[inside])
    own = compact(labels).astype(np.uint32)
    return Pieces(own, int(own[labels <= found.objects].max(initial=0)))


def _planes(
    inside: Slices, step: Sequence[int], shape: Sequence[int]
) -> Iterator[tuple[Slices, Slices]]:
    """For each face of a block that a step leads over: where its voxels lie, and where those at the
    step do, within an array of `shape` that has the block `inside`."""
    for axis, along in enumerate(step):
        outer = inside[axis].start - 1 if along < 0 else inside[axis].stop
        if not along or not 0 <= outer < shape[axis]:
            continue
        first, second = [], []
        for other, (part, k, size) in enumerate(zip(inside, step, shape, strict=True)):
            begin, end = max(part.start, -k), min(part.stop, size - k)
            if other == axis:
                begin, end = outer - k, outer - k + 1
            first.append(slice(begin, end))
            second.append(slice(begin + k, end + k))
        yield tuple(first), tuple(second)


def _rows(contact: Contact, *, holes: bool) -> list[NDArray[np.void]]:
    """Rows of NEIGHBOUR.  Of a contact, most must be one: where objects are split, two blocks may
    see a boundary a voxel apart."""
    u, v, same, by_face = contact
    tallies = [count_pairs(u, v, mask=mask) for mask in (None, same, by_face)]
    listed = [np.stack([tally.first, tally.second], axis=1) for tally in tallies]
    pairs, place = np.unique(np.concatenate(listed), axis=0, return_inverse=True)
    places = np.split(place.reshape(-1), np.cumsum([len(each) for each in listed])[:-1])
    total, one, faces = (
        np.bincount(where, tally.counts, minlength=len(pairs))
        for where, tally in zip(places, tallies, strict=True)
    )
    is_one = 2 * one > total
    rows = [_pairs(pairs[is_one], same=True)]
    return [*rows, _pairs(pairs[~is_one & (faces > 0)], same=False)] if holes else rows


def _pairs(pairs: NDArray[np.uint64], *, same: bool) -> NDArray[np.void]:
    rows = np.empty(len(pairs), NEIGHBOUR)
    rows["u"], rows["v"], rows["same"] = pairs[:, 0], pairs[:, 1], same
    return rows
