"""Fragments of each block, and where they would have gone on over its faces, so that what was cut
is one again where fragments are joined."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from pydantic import Field

from lsd.arrays.lookup import compact
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.segmentation.kernels.prediction import Heads
from lsd.segmentation.kernels.sections import fragments_of_images
from lsd.segmentation.over_blocks.inputs import (
    Apart,
    HeadInput,
    MaskInput,
    first_section,
    open_mask,
)
from lsd.spec.effect import Wording

FRAGMENTS = "fragments"
# uint8; bit a of a voxel in the first plane of a block along axis a: by its block, it and the voxel
# before are one fragment
UNCUT = "uncut"

# rows: a fragment's voxels, in the order of their ids
SIZE = np.dtype([("size", "<u8")])

# whether sections are images of their own; not written where they are none: jobs of before had no
# such field
Alone = Annotated[
    bool, Wording("images were not looked at one by one"), Field(exclude_if=lambda alone: not alone)
]

_MASK = "mask"
Source = dict[str, NDArray[Any]]


class FragmentsJob(Job):
    """Fragments of each block; see `FragmentsFunction`.  A decoder says from which heads and how
    they are made.

    mask: where there may be segments, None: everywhere; apart: distance of the ids of two blocks
    """

    mask: MaskInput | None = None
    apart: Apart
    alone: Alone = False

    @abstractmethod
    def inputs(self) -> dict[str, HeadInput]:
        """The heads that are read, by name."""

    @abstractmethod
    def fragments(
        self, heads: Heads, *, mask: NDArray[np.bool_] | None, first_section: int
    ) -> NDArray[np.uint64]:
        """Fragments (z, y, x) with ids 1..n of part of a volume; first_section: its z in the
        world."""

    def fragments_of_image(
        self, heads: Heads, *, mask: NDArray[np.bool_] | None, first_section: int
    ) -> NDArray[np.uint64]:
        """The same of a section (1, y, x) that is an image, or a part of one."""
        return self.fragments(heads, mask=mask, first_section=first_section)

    def open(self, container: Path, worker: int) -> FragmentsFunction:
        """Ready to be called."""
        return FragmentsFunction(self)


class FragmentsFunction:
    """Fragments (*block.write.shape) of each block, and where they go on over its faces; rows:
    their sizes."""

    def __init__(self, job: FragmentsJob) -> None:
        self.job = job
        heads = job.inputs()
        self.arrays = {name: head.array.open() for name, head in heads.items()}
        self.described = {name: head.described(self.arrays[name]) for name, head in heads.items()}
        first = next(iter(self.arrays.values()))
        self.roi, self.mask = first.roi, open_mask(job.mask, first)

    def read(self, block: Block) -> Source | None:
        """Heads around the block, and the mask; None where nothing of the block is in the mask."""
        roi = block.read.intersect(self.roi)
        known: Source = {}
        if self.mask is not None:
            known[_MASK] = self.mask.read_known(roi)
            if not known[_MASK][(block.write - roi.begin).to_slices()].any():
                return None
        return known | {f"head {name}": array.read(roi) for name, array in self.arrays.items()}

    def compute(self, block: Block, source: Source | None) -> Output:
        """Only what lies in the block is kept, under ids of its own."""
        if source is None:
            nothing = {
                FRAGMENTS: np.zeros(block.write.shape, np.uint64),
                UNCUT: np.zeros(block.write.shape, np.uint8),
            }
            return Output(nothing, np.empty(0, SIZE))
        roi = block.read.intersect(self.roi)
        heads = {
            name: described(source[f"head {name}"]) for name, described in self.described.items()
        }
        fragments = self._fragments(heads, source.get(_MASK), roi)
        inside = (block.write - roi.begin).to_slices()
        own = compact(np.ascontiguousarray(fragments[inside]))
        sizes = np.bincount(own.reshape(-1).astype(np.int64))[1:].astype(np.uint64)
        own[own > 0] += np.uint64(block.index * self.job.apart)
        return Output({FRAGMENTS: own, UNCUT: _uncut(fragments, inside)}, sizes.view(SIZE))

    def _fragments(
        self, heads: Heads, mask: NDArray[np.bool_] | None, roi: Roi
    ) -> NDArray[np.uint64]:
        """Of a volume at once, of images one by one."""

        def made(heads: Heads, mask: NDArray[np.bool_] | None, first: int) -> NDArray[np.uint64]:
            return self.job.fragments_of_image(heads, mask=mask, first_section=first)

        first = first_section(roi.begin)
        if self.mask is None or self.mask.image_sizes is None:
            return self.job.fragments(heads, mask=mask, first_section=first)
        images = self.mask.images_in(roi)
        return fragments_of_images(made, heads, mask=mask, first_section=first, images=images)


def cut_pairs(
    fragments: NDArray[np.uint64], uncut: NDArray[np.uint8], inside: tuple[slice, ...]
) -> NDArray[np.uint64]:
    """Pairs u < v of ids, in ascending order, that were one fragment until the block's faces cut
    it: (n, 2).

    fragments: of the block and around it; uncut: of the block; inside: the block in `fragments`
    Most of their contact must be so: at a face, two blocks may see a boundary a voxel apart.
    """
    pairs_of_faces = [np.empty((0, 2), np.uint64)]
    for axis, part in enumerate(inside):
        if part.start == 0:
            continue
        first, before = _two_planes(inside, axis)
        v, u = (fragments[plane].reshape(-1) for plane in (first, before))
        bits = uncut.take([0], axis=axis).reshape(-1) >> axis & 1
        is_contact = (u > 0) & (v > 0)
        pairs, inverse = np.unique(
            np.stack([u, v], axis=1)[is_contact], axis=0, return_inverse=True
        )
        contact = np.bincount(inverse.reshape(-1), minlength=len(pairs))
        same = np.bincount(inverse.reshape(-1), bits[is_contact], minlength=len(pairs))
        pairs_of_faces.append(pairs[2 * same > contact])
    return np.unique(np.concatenate(pairs_of_faces), axis=0)


def _uncut(fragments: NDArray[Any], inside: tuple[slice, ...]) -> NDArray[np.uint8]:
    """UNCUT of a block, from its fragments and those around it."""
    bits = np.zeros([part.stop - part.start for part in inside], np.uint8)
    for axis, part in enumerate(inside):
        if part.start > 0:
            first, before = (fragments[plane] for plane in _two_planes(inside, axis))
            where = (slice(None),) * axis + (slice(0, 1),)
            bits[where] |= ((first == before) & (first > 0)).astype(np.uint8) << np.uint8(axis)
    return bits


def _two_planes(
    inside: tuple[slice, ...], axis: int
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The first plane of a block along an axis, and the one before it, which is its neighbour's."""
    start = inside[axis].start
    first, before = (
        (*inside[:axis], slice(at, at + 1), *inside[axis + 1 :]) for at in (start, start - 1)
    )
    return first, before
