"""Every place of a volume where an output is sufficiently labelled, so that one can be drawn where
such places are rare.

begins  |-------- low .. high --------|     where the output may begin, cut into parts
part         |-----|                        of each it is known how many begins suit
seen         |------------|                 what the outputs of a part hold: the part and an output
             more

Parts lie near truth only.  Which begins of a part suit is a bit each; bits are kept in bounded
memory, and found out again where they were forgotten, so an index of any volume is small and what
is drawn from it does not depend on what is kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.arrays.memory import Memory
from lsd.volumes.known_voxels import (
    LIMIT,
    Blocks,
    Mask,
    bounding_box,
    known_everywhere,
    truth_blocks,
)
from lsd.volumes.volume import OpenVolume

# bytes of bits: half a billion begins
BITS = 64 << 20


def suitable(known: Mask, labelled: Mask, output: Sequence[int], needed: int) -> Mask:
    """Which begins of an output in `known` (z, y, x) suit: it holds `needed` known voxels, and a
    labelled one.

    Of shape known - output + 1.
    """
    enough = box_sums(known, output) >= needed
    # with fewer known voxels without a label than are needed, each that has enough holds one with
    if enough.any() and np.count_nonzero(known) - np.count_nonzero(labelled) >= needed:
        enough &= box_sums(labelled, output) > 0
    return np.asarray(enough)


def box_sums(mask: Mask, shape: Sequence[int]) -> NDArray[np.int32]:
    """How many of each box of `shape` inside `mask` are set."""
    sums: NDArray[np.int32] = mask.astype(np.int32)
    for axis, size in enumerate(shape):
        running, lead = np.cumsum(sums, axis=axis, dtype=np.int32), (slice(None),) * axis
        sums = running[(*lead, slice(size - 1, None))].copy()
        sums[(*lead, slice(1, None))] -= running[(*lead, slice(running.shape[axis] - size))]
    return sums


@dataclass(frozen=True)
class Truth:
    """Boxes that hold what is known of a volume, and what is labelled.

    boxes:  (n, 2, 3) begin and end of the known voxels of each block, of which there are `counts`
            (n,)
    labelled: (m, 2, 3) the same of those with a label
    everywhere: all of the region is known, whatever boxes say; whole: all of it was looked at
    """

    boxes: NDArray[np.int64]
    counts: NDArray[np.int64]
    labelled: NDArray[np.int64]
    everywhere: bool
    whole: bool

    def near(self, region: Roi, truth: Roi) -> tuple[Roi, int]:
        """A box that holds all that is known in `region`, and at most how much that is."""
        if self.everywhere:
            inside = region.intersect(truth)
            return inside, 0 if inside.empty else inside.size
        begin, end = np.asarray(region.begin), np.asarray(region.end)
        touched = ((self.boxes[:, 0] < end) & (self.boxes[:, 1] > begin)).all(axis=1)
        if not touched.any():
            return Roi(region.begin, (0, 0, 0)), 0
        low = np.maximum(self.boxes[touched, 0].min(axis=0), begin)
        high = np.minimum(self.boxes[touched, 1].max(axis=0), end)
        inside = Roi(low.tolist(), (high - low).tolist())
        return inside, min(int(self.counts[touched].sum()), inside.size)


def look(volume: OpenVolume, *, limit: int = LIMIT) -> Truth:
    """Reads what may be known of a volume's region."""
    blocks = truth_blocks(volume, volume.roi, limit=limit)
    known, counts, labelled = [], [], []
    for roi, mask, with_label in _read(volume, blocks):
        known.append(_ends(bounding_box(mask) + roi.begin))
        counts.append(int(np.count_nonzero(mask)))
        if with_label.any():
            labelled.append(_ends(bounding_box(with_label) + roi.begin))
    table, others = (np.array(boxes, np.int64).reshape(-1, 2, 3) for boxes in (known, labelled))
    return Truth(table, np.array(counts, np.int64), others, known_everywhere(volume), blocks.whole)


def _read(volume: OpenVolume, blocks: Blocks) -> Iterator[tuple[Roi, Mask, Mask]]:
    for roi in blocks.rois:
        # labels take eight times as long to read
        if volume.labels_mask is not None and not volume.labels_mask.read(roi).any():
            continue
        labels, known = volume.read_truth(roi)
        if known.any():
            yield roi, known, known & (labels > 0)


def _ends(roi: Roi) -> list[list[int]]:
    return [list(roi.begin), list(roi.end)]


@dataclass
class PlaceIndex:
    """The begins of an output of a volume that suit, each of `output` in `low` .. `high` that holds
    `needed` known voxels.

    parts: by their place in the grid, a box of begins and how many of it suit; no others do
    whole: all of the volume was looked at
    labelled: only those suit that hold a voxel with a label
    """

    output: Coordinate
    needed: int
    low: Coordinate
    high: Coordinate
    truth: Truth
    labelled: bool = True
    parts: dict[tuple[int, ...], tuple[Roi, int]] = field(default_factory=dict)
    memory: Memory = field(default_factory=lambda: Memory(BITS))

    def __post_init__(self) -> None:
        self.settle()

    def settle(self) -> None:
        """Sums up the parts: `ends`, how many begins suit up to each of them, and `bounds` (2, 3)
        of all of them."""
        self.ends: NDArray[np.int64] = np.cumsum(
            [count for _, count in self.parts.values()], dtype=np.int64
        )
        ends = np.array([_ends(begins) for begins, _ in self.parts.values()], np.int64).reshape(
            -1, 2, 3
        )
        self.bounds = (
            np.stack([ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)])
            if len(ends)
            else np.zeros((2, 3), np.int64)
        )

    @classmethod
    def of(
        cls,
        volume: OpenVolume,
        *,
        output: Coordinate,
        needed: int,
        low: Coordinate,
        high: Coordinate,
        labelled: bool = True,
        limit: int = LIMIT,
    ) -> PlaceIndex:
        """Looks for them; begins from low to high, both included."""
        places = cls(output, needed, low, high, look(volume, limit=limit), labelled)
        for index in sorted(places._candidates()):
            begins = places._trimmed(index, volume.roi)
            if begins.empty:
                continue
            bits = places._bits(volume, index, begins)
            count = int(np.bitwise_count(bits).sum())
            if count:
                places.parts[index] = (begins, count)
        places.settle()
        return places

    @property
    def whole(self) -> bool:
        """Whether all of the volume was looked at, so that what is not here does not suit."""
        return self.truth.whole

    @property
    def count(self) -> int:
        """How many begins suit."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def first(self, volume: OpenVolume, begins: NDArray[np.int64]) -> Coordinate | None:
        """The first of `begins` (n, 3) that suits, None if none does."""
        near = ((begins >= self.bounds[0]) & (begins < self.bounds[1])).all(axis=1)
        candidates = (Coordinate(begin) for begin in begins[near].tolist())
        return next((begin for begin in candidates if self.suits(volume, begin)), None)

    def suits(self, volume: OpenVolume, begin: Coordinate) -> bool:
        """Whether an output may begin here."""
        index = tuple((begin - self.low) // self._side)
        begins, count = self.parts.get(index, (None, 0))
        if begins is None or not begins.contains(begin):
            return False
        if count == begins.size:
            return True
        z, y, x = begin - begins.begin
        return bool(self._bits(volume, index, begins)[z, y, x // 8] >> (7 - x % 8) & 1)

    def draw(self, volume: OpenVolume, rng: np.random.Generator) -> Coordinate:
        """One of the begins that suit, each as likely."""
        number = int(rng.integers(self.count))
        part = int(np.searchsorted(self.ends, number, side="right"))
        index, (begins, count) = next(itertools.islice(self.parts.items(), part, None))
        number -= int(self.ends[part]) - count
        if count < begins.size:
            mask = np.unpackbits(self._bits(volume, index, begins), axis=-1, count=begins.shape[-1])
            number = int(np.flatnonzero(mask)[number])
        return begins.begin + Coordinate(int(n) for n in np.unravel_index(number, begins.shape))

    def best(self, volume: OpenVolume) -> float:
        """The largest fraction that is known of an output with a label in it; of what was looked
        at."""
        rois = [self._begins(index) for index in self._candidates()]
        bounds = [(self.truth.near(self._seen(begins), volume.roi)[1], begins) for begins in rois]
        most = 0
        for bound, begins in sorted(bounds, key=lambda one: -one[0]):
            if bound <= most:
                break
            labels, known = volume.read_truth(self._seen(begins))
            sums = box_sums(known, self.output) * (box_sums(known & (labels > 0), self.output) > 0)
            most = max(most, int(sums.max()))
        return float(most / math.prod(self.output))

    @property
    def _side(self) -> Coordinate:
        # small enough for memory, large enough that little of what they see is seen by others
        return Coordinate(min(max(n, 32), 128) for n in self.output)

    def _begins(self, index: Sequence[int]) -> Roi:
        """The box of begins of a part."""
        whole = Roi(self.low, self.high - self.low + 1)
        return Roi(self.low + self._side * Coordinate(index), self._side).intersect(whole)

    def _seen(self, begins: Roi) -> Roi:
        return Roi(begins.begin, begins.shape + self.output - 1)

    def _candidates(self) -> set[tuple[int, ...]]:
        """Parts some outputs of which hold a voxel of a box of what they are to hold."""
        indices: set[tuple[int, ...]] = set()
        side, low, high = (np.asarray(value) for value in (self._side, self.low, self.high))
        for begin, end in self.truth.labelled if self.labelled else self.truth.boxes:
            first = np.clip(begin - np.asarray(self.output) + 1, low, high)
            last = np.clip(end - 1, low, high)
            indices.update(
                itertools.product(*map(range, (first - low) // side, (last - low) // side + 1))
            )
        return indices

    def _trimmed(self, index: tuple[int, ...], truth: Roi) -> Roi:
        """Begins of a part that may suit, by what is known at most of what they see."""
        begins = self._begins(index)
        known, most = self.truth.near(self._seen(begins), truth)
        if most < self.needed:
            return Roi(begins.begin, (0, 0, 0))
        shared = [min(n, m) for n, m in zip(known.shape, self.output, strict=True)]
        least = [-(-self.needed * n // int(np.prod(shared))) for n in shared]
        low = [b - n + m for b, n, m in zip(known.begin, self.output, least, strict=True)]
        high = [e - m + 1 for e, m in zip(known.end, least, strict=True)]
        return begins.intersect(Roi(low, [max(0, h - b) for b, h in zip(low, high, strict=True)]))

    def _bits(self, volume: OpenVolume, index: tuple[int, ...], begins: Roi) -> NDArray[np.uint8]:
        """Which of `begins` suit, eight along x in a byte; not to be changed."""

        def find() -> NDArray[Any]:
            labels, known = volume.read_truth(self._seen(begins))
            wanted = known & (labels > 0) if self.labelled else known
            return np.packbits(suitable(known, wanted, self.output, self.needed), axis=-1)

        return self.memory.get(index, find)
