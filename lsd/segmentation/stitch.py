"""Stitching: labels of blocks that overlap become labels of one volume.

Where two blocks share voxels, their labels are compared there, and those that cover much of each
other are one object.  What does so with blocks on disk is in `lsd.segmentation.stitching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.arguments import explaining_calls
from lsd.arrays.ids import ids
from lsd.arrays.lookup import relabel
from lsd.arrays.pairs import Pairs, count_pairs
from lsd.arrays.sums import sums
from lsd.segmentation.stitching.boxes import Boxes
from lsd.segmentation.stitching.joining import Joining
from lsd.segmentation.stitching.own import count_own, own_voxels
from lsd.spec import Rule

_LARGEST = np.iinfo(np.int64).max


@explaining_calls
def same(first: NDArray[Any], second: NDArray[Any], *, rule: Rule) -> NDArray[np.uint64]:
    """Which labels of two blocks are one object: uint64 (n, 2), ids of `first` and of `second`, in
    ascending order.

    first, second: labels (z, y, x), or (y, x), of the two blocks in what they share, any integers
                   >= 0; 0 is background.  Neither is changed
    rule:          how much two must have in common; compared exactly, with 0.3 as 3/10
    An id may be in several pairs.  Raises ValueError for shapes that differ and for what is no ids.

    >>> import numpy
    >>> from lsd.segmentation.stitch import Rule, same
    >>> first, second = numpy.array([[5, 5, 5, 0, 6]]), numpy.array([[0, 9, 9, 8, 0]])
    >>> same(first, second, rule=Rule(always=10**6, least=0, one=0.5, both=0.5)).tolist()
    [[5, 9]]
    """
    first, second = (
        ids(labels, name, dims=(2, 3)) for labels, name in ((first, "first"), (second, "second"))
    )
    if first.shape != second.shape:
        raise ValueError(
            f"first has shape {first.shape}, second {second.shape}; both are labels of the same "
            f"voxels: crop each to what the two blocks share"
        )
    return _joined(count_pairs(first, second), rule.checked())


@explaining_calls
def stitch(
    blocks: Sequence[NDArray[Any]],
    begins: Sequence[Sequence[int]],
    *,
    rule: Rule,
    touching: bool = False,
    partial: bool = False,
) -> NDArray[np.uint64]:
    """The labels of one volume from those of blocks: uint64 (z, y, x), ids 1..n; 2D drops z.

    blocks:   labels (z, y, x) of each, any integers >= 0; 0 is background
    begins:   first voxel of each in the volume, voxels, which may be negative
    touching: also compare the two planes at the face of blocks that share no voxel
    partial:  blocks hold the objects of their own alone, so that where one has 0 and another a
              label, the label stands
    The volume is the box around all blocks, and 0 where no block is.  A voxel that several blocks
    hold has the label of the one in whose middle it lies most (see `own.owners`).  Neither the ids
    that blocks use nor their order matter.  Raises ValueError for blocks without a begin, of
    several dimensions, or in one place.
    """
    labels = [ids(block, f"block {number}", dims=(2, 3)) for number, block in enumerate(blocks)]
    boxes, order = _boxes(labels, begins)
    labels = [labels[number] for number in order]

    def labelled(index: int, roi: Roi) -> NDArray[np.bool_]:
        return np.asarray(labels[index][(roi - boxes.roi(index).begin).to_slices()] != 0)

    where = labelled if partial else None
    is_own = [own_voxels(boxes, index, labelled=where) for index in range(len(boxes))]
    own = [count_own(block, mask) for block, mask in zip(labels, is_own, strict=True)]
    ids_of_blocks = [names for names, _ in own]
    joining = Joining(np.array(list(map(len, ids_of_blocks))), np.concatenate(ids_of_blocks))
    for i, j in boxes.pairs(touching=touching).tolist():
        rois = boxes.compared(i, j)
        parts = (
            labels[index][(roi - boxes.roi(index).begin).to_slices()]
            for index, roi in zip((i, j), rois, strict=True)
        )
        pairs = same(*parts, rule=rule)
        joining.join(np.full(len(pairs), i), pairs[:, 0], np.full(len(pairs), j), pairs[:, 1])
    names = joining.names(np.concatenate([voxels for _, voxels in own]))
    return _written(labels, boxes, is_own, ids_of_blocks, names)


def _boxes(
    labels: Sequence[NDArray[Any]], begins: Sequence[Sequence[int]]
) -> tuple[Boxes, list[int]]:
    """Where blocks lie, in the order that does not depend on the one they were given in, and which
    of them each is."""
    if not labels or len(begins) != len(labels):
        raise ValueError(
            f"there are {len(labels)} blocks and {len(begins)} begins; give one begin for each of "
            f"at least one block"
        )
    dims = {block.ndim for block in labels} | {len(begin) for begin in begins}
    if len(dims) > 1:
        raise ValueError(
            f"blocks and begins have {', '.join(map(str, sorted(dims)))} axes; give all of them 2 "
            f"or all of them 3"
        )
    corners = np.array([list(begin) for begin in begins], np.int64)
    shapes = np.array([block.shape for block in labels], np.int64)
    order = Boxes.order(corners, shapes)
    boxes = Boxes(corners[order], corners[order] + shapes[order])
    twice = boxes.twice()
    if twice is not None:
        raise ValueError(
            f"blocks {order[twice]} and {order[twice + 1]} lie in one place; leave one of them out"
        )
    return boxes, order


def _written(
    labels: Sequence[NDArray[Any]],
    boxes: Boxes,
    is_own: Sequence[NDArray[np.bool_]],
    ids_of_blocks: Sequence[NDArray[np.uint64]],
    names: NDArray[np.uint64],
) -> NDArray[np.uint64]:
    """The volume; is_own: which voxels of each block belong to it; names: of the labels of all
    blocks, one block after another."""
    hull = boxes.hull
    volume = np.zeros(hull.shape, np.uint64)
    names_of_blocks = np.split(names, np.cumsum(list(map(len, ids_of_blocks)))[:-1])
    for index, block in enumerate(labels):
        stitched = relabel(block, ids_of_blocks[index], names_of_blocks[index])
        place = (boxes.roi(index) - hull.begin).to_slices()
        np.copyto(volume[place], stitched, where=is_own[index])
    return volume


def _joined(pairs: Pairs, rule: Rule) -> NDArray[np.uint64]:
    """The pairs of ids that the rule joins; pairs: all pairs of ids, also of 0, and the voxels they
    share."""
    areas = [_areas(names, pairs.counts) for names in (pairs.first, pairs.second)]
    both = (pairs.first > 0) & (pairs.second > 0)
    is_one = _is_one(pairs.counts[both], areas[0][both], areas[1][both], rule)
    return np.stack([pairs.first[both][is_one], pairs.second[both][is_one]], axis=1)


def _areas(names: NDArray[np.uint64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """All voxels of the id of each pair."""
    distinct, number = np.unique(names, return_inverse=True)
    return np.asarray(sums(number, counts, len(distinct))[number])


def _is_one(
    common: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64], rule: Rule
) -> NDArray[np.bool_]:
    """The rule, for each pair."""
    either = _is_above(common, rule.one, a) | _is_above(common, rule.one, b)
    each = _is_above(common, rule.both, a) & _is_above(common, rule.both, b)
    by_share = (common > rule.least) & (either | each)
    return by_share if rule.always is None else by_share | (common > rule.always)


def _is_above(
    common: NDArray[np.int64], share: float, area: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether common > share * area.  In whole numbers without end, where 64 bits are too few: 0.29
    * 100 is 28.999 in floats."""
    above, below = _fraction(str(share))
    largest = max(int(common.max(initial=0)) * below, int(area.max(initial=0)) * above)
    if largest > _LARGEST:
        common, area = common.astype(object), area.astype(object)
    return np.asarray(common * below > area * above, np.bool_)


@lru_cache(maxsize=16)
def _fraction(share: str) -> tuple[int, int]:
    """The number that a person wrote."""
    return Fraction(share).as_integer_ratio()


__all__ = ["Rule", "same", "stitch"]
