"""The corrected segmentation of each block, and where it may be learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.report.images import ImageInput
from lsd.spec.effect import Wording
from lsd.volumes.array import Array
from lsd.volumes.of_ids import read_ids

LABELS, MASK = "labels", "labels_mask"
Ids = NDArray[np.uint64]


class CorrectedJob(Job):
    """The corrected segmentation of each block; see `CorrectedFunction`.

    fragments: where segments are cut; parts: fragments of these, and the part that each is of
    names:     segments and parts that are joined, and what they are called then
    nothing:   the painted id that is no segment
    trusted:   corrected segments that are known; margin: voxels around them
    by_image:  sections are images of their own, so what is known of one says nothing of the next
    made_from: digests of the steps that wrote the segmentation, by their names
    """

    segmentation: ImageInput
    fragments: ImageInput | None = None
    painted: ImageInput | None = None
    parts: tuple[tuple[int, int], ...] = ()
    names: tuple[tuple[int, int], ...] = ()
    nothing: int | None = None
    trusted: tuple[int, ...] = ()
    margin: int = 1
    # not written of a volume, as before
    by_image: Annotated[bool, Field(exclude_if=lambda by_image: not by_image)] = False
    made_from: Annotated[dict[str, str], Wording("the segmentation was made anew")] = {}

    def around(self, dims: int) -> tuple[int, ...]:
        """Voxels around what is trusted that are known too, along each axis."""
        beside = (0,) if self.by_image else (self.margin,)
        return (*(beside * (dims - 2)), self.margin, self.margin)

    def open(self, container: Path, worker: int) -> CorrectedFunction:
        """Ready to be called."""
        return CorrectedFunction(self)


class Around(NamedTuple):
    """Ids of a block and around it; inside: where the block lies in them."""

    segments: Ids
    fragments: Ids | None
    painted: Ids | None
    inside: tuple[slice, ...]


class CorrectedFunction:
    """Labels and their mask of each block."""

    def __init__(self, job: CorrectedJob) -> None:
        self.job, self.segmentation = job, job.segmentation.open()
        self.fragments, self.painted = self._beside(job.fragments), self._beside(job.painted)
        self.parts, self.names = Renamed(job.parts), Renamed(job.names)

    def _beside(self, image: ImageInput | None) -> Array | None:
        """Another array, on the grid of the segmentation."""
        return None if image is None else image.open().on_grid(self.segmentation.remainder)

    def read(self, block: Block) -> Around:
        """As far around the block as trust reaches."""
        roi = block.read.intersect(self.segmentation.roi)
        fragments, painted = (_ids(array, roi) for array in (self.fragments, self.painted))
        inside = tuple((block.write - roi.begin).to_slices())
        segments = _ids(self.segmentation, roi)
        assert segments is not None, "it is there"
        return Around(segments, fragments, painted, inside)

    def compute(self, block: Block, source: Around) -> Output:
        """Cuts first, then joins, then what is painted."""
        labels = source.segments
        if source.fragments is not None:
            parts = self.parts.of(source.fragments, others=0)
            labels = np.where(parts > 0, parts, labels)
        labels = self.names.of(labels)
        known = np.isin(labels, np.array(self.job.trusted, np.uint64)) & (labels > 0)
        if source.painted is not None:
            is_painted = source.painted > 0
            ids = self.names.of(source.painted)
            if self.job.nothing is not None:
                ids = np.where(source.painted == np.uint64(self.job.nothing), np.uint64(0), ids)
            labels, known = np.where(is_painted, ids, labels), known | is_painted
        size = [2 * margin + 1 for margin in self.job.around(known.ndim)]
        around = ndimage.maximum_filter(known, size=size)
        return Output(
            {
                LABELS: np.ascontiguousarray(labels[source.inside]),
                MASK: np.ascontiguousarray(around[source.inside]).astype(np.uint8),
            }
        )


class Renamed:
    """Ids that get other names; pairs: an id and its name."""

    def __init__(self, pairs: tuple[tuple[int, int], ...]) -> None:
        ordered = np.array(sorted(pairs), np.uint64).reshape(-1, 2)
        self.ids, self.names = ordered[:, 0], ordered[:, 1]

    def of(self, ids: Ids, *, others: int | None = None) -> Ids:
        """The name of each; others: what becomes of those without one, None: they stay."""
        rest = ids if others is None else np.full_like(ids, others)
        if not len(self.ids):
            return rest
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[place] == ids, self.names[place], rest)


def _ids(array: Array | None, roi: Roi) -> Ids | None:
    """Ids of `roi`, 0 beyond the array."""
    if array is None:
        return None
    return read_ids(array, roi, beyond="zero", noun="id")
