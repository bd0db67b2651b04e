"""Where samples around objects, and away from them, lie in a volume.

object   |-----------|
output  |--------------|          holds the object whole, a part of one that is larger
jitter <->                        and is moved from there by chance

A negative holds no object: it lies anywhere, or around what an earlier network took for one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.arrays.pairs import count_pairs
from lsd.batches.sources.places import PlaceIndex
from lsd.spec import AroundObjects
from lsd.targets.objects import find_objects
from lsd.volumes.known_voxels import truth_blocks
from lsd.volumes.of_ids import of_ids, read_ids
from lsd.volumes.volume import OpenVolume

log = logging.getLogger(__name__)

# draws before all places that suit are looked up, and of places without an object
TRIES, EMPTY_TRIES = 200, 50
# draws around each object where all are looked at
EACH = 8
Boxes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ObjectBoxes:
    """Boxes (n, 2, 3), begin and end in voxels of the world: of the objects of a volume, and of
    what an earlier network took for objects where there is none.

    known: all places where enough is known, where they are rare and were looked for
    """

    objects: Boxes
    false: Boxes
    known: PlaceIndex | None = None

    @classmethod
    def of(cls, volume: OpenVolume, settings: AroundObjects) -> ObjectBoxes:
        """Looks for them block by block.  Raises ValueError where the volume has no array that is
        named."""
        objects = _sizes(_labelled(volume))
        kept = objects.voxels >= max(settings.min_size, 1)
        if settings.fires is None:
            return cls(objects.boxes[kept], np.zeros((0, 2, 3), np.int64))
        fired = _sizes(_fired(volume, settings.fires))
        # most of it is known to be no object
        is_false = 2 * fired.background > fired.voxels
        return cls(objects.boxes[kept], fired.boxes[is_false])


class ObjectPlaces:
    """Places of outputs around objects of a volume, and away from them.

    output: shape of the network's output; low, high: its first and last begin
    needed: voxels of an output that must be known
    boxes:  where objects are, None: it is looked for
    Raises ValueError, naming the volume, where there is no such place.
    """

    def __init__(
        self,
        volume: OpenVolume,
        settings: AroundObjects,
        *,
        output: Coordinate,
        low: Coordinate,
        high: Coordinate,
        needed: int,
        boxes: ObjectBoxes | None = None,
    ) -> None:
        self.volume, self.settings, self.output = volume, settings, np.asarray(output)
        self.low, self.high, self.needed = np.asarray(low), np.asarray(high), needed
        self.boxes = boxes or ObjectBoxes.of(volume, settings)

    def find(self) -> ObjectBoxes:
        """Where objects are.  Raises ValueError where no sample can be drawn."""
        rng = np.random.default_rng(0)
        if self.settings.negatives < 1 and self._has_positives:
            self._of_object(rng)
        if self.settings.negatives > 0:
            self._negative(rng)
        return self.boxes

    @cached_property
    def _around_each(self) -> NDArray[np.int64]:
        """A place around each object around which enough is known, (n, 3)."""
        log.info(
            "volume %r: little is known around its objects; looking at all %d of them",
            self.volume.name,
            len(self.boxes.objects),
        )
        places = (self._around_one(i) for i in range(len(self.boxes.objects)))
        return np.array([place for place in places if place is not None], np.int64).reshape(-1, 3)

    @property
    def _has_positives(self) -> bool:
        """A volume without objects gives negatives, where such are wanted."""
        return len(self.boxes.objects) > 0 or self.settings.negatives == 0

    def draw(self, rng: np.random.Generator) -> Coordinate:
        """The begin of an output."""
        is_negative, is_hard = rng.random(2) < (self.settings.negatives, 0.5)
        if not is_negative and self._has_positives:
            return self._of_object(rng)
        hard = self._known_near(self.boxes.false, rng) if is_hard else None
        return hard or self._negative(rng)

    def _of_object(self, rng: np.random.Generator) -> Coordinate:
        """With an object in it."""
        begin = self._known_near(self.boxes.objects, rng)
        if begin is not None:
            return begin
        if len(self._around_each):
            chosen = self._around_each[int(rng.integers(len(self._around_each)))]
            return Coordinate(chosen.tolist())
        large = f" of {self.settings.min_size} voxels or more" if self.settings.min_size else ""
        why = (
            f"it has none{large}; leave it out, or let train.sampling.negatives be above 0"
            if not len(self.boxes.objects)
            else f"around each of its {len(self.boxes.objects)} less is known than "
            f"train.min_masked asks for; lower it, or take a smaller network.train_shape"
        )
        raise ValueError(
            f"volume {self.volume.name!r}: train.sampling wants samples around objects, and {why}"
        )

    def _negative(self, rng: np.random.Generator) -> Coordinate:
        """With no object in it, or, where there is no such place among many, with little of one."""
        anywhere = (rng.integers(self.low, self.high, endpoint=True) for _ in range(EMPTY_TRIES))
        if (begin := self._emptiest(anywhere)) is not None:
            return begin
        if self.boxes.known is None:
            self.boxes = replace(self.boxes, known=self._look())
        known = self.boxes.known
        assert known is not None
        drawn = (np.asarray(known.draw(self.volume, rng)) for _ in range(EMPTY_TRIES))
        begin = self._emptiest(drawn)
        assert begin is not None, "places that suit do not"
        return begin

    def _emptiest(self, begins: Iterable[NDArray[np.int64]]) -> Coordinate | None:
        """The one of those where enough is known that holds least of objects; the first with none
        ends it."""
        best, least = None, self.output.prod() + 1
        for begin in begins:
            labelled, known = self._counts(begin)
            if known >= self.needed and labelled < least:
                best, least = begin, labelled
            if least == 0:
                break
        return None if best is None else Coordinate(best.tolist())

    def _look(self) -> PlaceIndex:
        """All places where enough is known."""
        log.info("volume %r: little of it is known; looking for where it is", self.volume.name)
        places = PlaceIndex.of(
            self.volume,
            output=Coordinate(self.output.tolist()),
            needed=self.needed,
            low=Coordinate(self.low.tolist()),
            high=Coordinate(self.high.tolist()),
            labelled=False,
        )
        if not places.count:
            raise ValueError(
                f"volume {self.volume.name!r}: nowhere is as much known as train.min_masked asks "
                f"for; lower it, take a smaller network.train_shape, or set the volume's region= "
                f"to where its truth is"
            )
        return places

    def _around_one(self, number: int) -> NDArray[np.int64] | None:
        """Around an object, where enough is known; the same each time.  None: not in a few
        draws."""
        rng = np.random.default_rng(number)
        begins = (self._around(self.boxes.objects[number], rng) for _ in range(EACH))
        return next((begin for begin in begins if self._counts(begin)[1] >= self.needed), None)

    def _known_near(self, boxes: Boxes, rng: np.random.Generator) -> Coordinate | None:
        """Around one of the boxes, each as likely, where enough is known; None: there is none."""
        for _ in range(TRIES if len(boxes) else 0):
            begin = self._around(boxes[int(rng.integers(len(boxes)))], rng)
            if self._counts(begin)[1] >= self.needed:
                return Coordinate(begin.tolist())
        return None

    def _around(self, box: Boxes, rng: np.random.Generator) -> NDArray[np.int64]:
        begin, end = box
        reach = np.maximum(end - begin - self.output, 0) / 2 + self.settings.jitter * self.output
        middle = (begin + end - self.output) / 2 + rng.uniform(-1, 1, size=3) * reach
        return np.asarray(np.clip(np.rint(middle).astype(np.int64), self.low, self.high))

    def _counts(self, begin: NDArray[np.int64]) -> tuple[int, int]:
        """Voxels of objects in an output, and known ones."""
        assert self.volume.truth_roi is not None
        inside = Roi(begin.tolist(), self.output.tolist()).intersect(self.volume.truth_roi)
        if inside.empty or inside.size < self.needed:
            return 0, 0
        labels, known = self.volume.read_truth(inside)
        return int(np.count_nonzero(labels[known])), int(np.count_nonzero(known))


@dataclass(frozen=True, eq=False)
class _Sizes:
    """Of each object its box (n, 2, 3), its voxels (n,), and how many of them the truth has for
    background."""

    boxes: Boxes
    voxels: NDArray[np.int64]
    background: NDArray[np.int64]


# labels of a block (z, y, x) with its begin, and where the truth has background
_Block = tuple[Roi, NDArray[Any], NDArray[np.bool_]]


def _labelled(volume: OpenVolume) -> Iterator[_Block]:
    """What is known of the truth."""
    for roi in _blocks(volume):
        labels, known = volume.read_truth(roi)
        yield roi, np.where(known, labels, 0), np.zeros(roi.shape, np.bool_)


def _fired(volume: OpenVolume, name: str) -> Iterator[_Block]:
    """What an earlier network took for objects.  ValueError for what is no ids."""
    volume.read_array(name, Roi(volume.roi.begin, (1, 1, 1)))
    ids = of_ids(volume.arrays[name], "ids of train.sampling.fires")
    # blocks in which nothing of the array was written are passed over, not those without truth
    unmasked = volume.spec.derive(labels_mask=None, unknown=None)
    fired = replace(volume, labels=ids, labels_mask=None, spec=unmasked)
    for roi in _blocks(fired):
        labels, known = volume.read_truth(roi)
        yield roi, read_ids(ids, roi, beyond="zero", noun="id"), known & (labels == 0)


def _blocks(volume: OpenVolume) -> Sequence[Roi]:
    blocks = truth_blocks(volume, volume.roi)
    if not blocks.whole:
        log.warning(
            "volume %r is too large to be searched for objects as a whole: samples are drawn "
            "around those of the parts of it that were looked at; set its region= to where "
            "objects are",
            volume.name,
        )
    return blocks.rois


def _sizes(blocks: Iterator[_Block]) -> _Sizes:
    """Objects that several blocks hold are one."""
    ids: list[NDArray[np.uint64]] = [np.zeros(0, np.uint64)]
    boxes, counts = [np.zeros((0, 2, 3), np.int64)], [np.zeros((0, 2), np.int64)]
    for roi, labels, background in blocks:
        found = find_objects(labels.astype(np.uint64, copy=False))
        ids.append(found.ids.astype(np.uint64))
        sides = found.boxes().reshape(-1, 3, 2).transpose(0, 2, 1)
        boxes.append(sides + np.asarray(roi.begin))
        counts.append(_counted(labels, background, found.ids))
    names, number = np.unique(np.concatenate(ids), return_inverse=True)
    ends, sums = np.concatenate(boxes), np.concatenate(counts)
    begin = _of_each(np.minimum, number, ends[:, 0], len(names), start=np.iinfo(np.int64).max)
    end = _of_each(np.maximum, number, ends[:, 1], len(names), start=np.iinfo(np.int64).min)
    voxels, empty = _of_each(np.add, number, sums, len(names), start=0).T
    return _Sizes(np.stack([begin, end], axis=1), voxels, empty)


def _counted(
    labels: NDArray[Any], background: NDArray[np.bool_], ids: NDArray[Any]
) -> NDArray[np.int64]:
    """Of each id in a block its voxels, and those that the truth has for background: (n, 2)."""
    pairs = count_pairs(labels, background.view(np.uint8))
    counts = np.zeros((len(ids), 2), np.int64)
    labelled = pairs.first > 0
    place = np.searchsorted(ids.astype(np.uint64), pairs.first[labelled])
    both = np.stack([pairs.counts, pairs.counts * (pairs.second > 0)], axis=1)[labelled]
    np.add.at(counts, place, both)
    return counts


def _of_each(
    function: np.ufunc, number: NDArray[np.int64], values: Boxes, count: int, *, start: int
) -> Boxes:
    result = np.full((count, *values.shape[1:]), start, np.int64)
    function.at(result, number, values)
    return result
