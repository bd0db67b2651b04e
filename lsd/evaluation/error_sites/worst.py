"""The worst splits and merges of a table of overlaps, by what they add to the VOI."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.contingency import Contingency
from lsd.arrays.groups import group_begins
from lsd.evaluation.error_sites.sites import Kind
from lsd.evaluation.metric import Background
from lsd.evaluation.partition import scored_rows

Ids = NDArray[np.uint64]


class Part(NamedTuple):
    """What a segment and an object have in common, cut off from larger parts.

    whole:  of a split the object that is split, of a merge the segment that holds several
    part:   of a split the segment that the part is in, of a merge its object
    voxels: of the part;  bits: of VOI, see `Site`
    """

    kind: Kind
    whole: int
    part: int
    voxels: int
    bits: float


def worst_parts(
    table: Contingency,
    *,
    count: int,
    ignore: Collection[int] = (0,),
    background: Background = "label",
) -> list[Part]:
    """Up to `count` splits and as many merges, each worst first; of equal ones that of the smaller
    ids is first.

    ignore, background: see `lsd.evaluation.partition.compare`.  The bits of all splits there are
    add up to the VOI split of the table, those of all merges to its VOI merge.
    """
    used = scored_rows(table, ignore=ignore, background=background)
    segments, objects, voxels = table.segments[used], table.objects[used], table.voxels[used]
    single = (segments == 0) & (background == "singletons")
    # a voxel of the background that is a segment of its own holds one object
    held = ~single
    total = float(voxels.sum())
    return [
        *_worst("split", objects, segments, voxels, single, total=total, count=count),
        *_worst(
            "merge",
            segments[held],
            objects[held],
            voxels[held],
            single[held],
            total=total,
            count=count,
        ),
    ]


def _worst(
    kind: Kind,
    wholes: Ids,
    parts: Ids,
    voxels: NDArray[np.int64],
    single: NDArray[np.bool_],
    *,
    total: float,
    count: int,
) -> list[Part]:
    # the largest part first, voxels that are alone last
    order = np.lexsort((parts, -voxels, single, wholes))
    wholes, parts, voxels, single = wholes[order], parts[order], voxels[order], single[order]
    bits = _bits(voxels, _larger(wholes, voxels), single) / max(total, 1)
    worst = np.lexsort((parts, wholes, -bits))[:count]
    return [
        Part(kind, int(wholes[i]), int(parts[i]), int(voxels[i]), float(bits[i]))
        for i in worst
        if bits[i] > 0
    ]


def _larger(wholes: Ids, voxels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Voxels of the parts before each one in the same whole."""
    before = np.cumsum(voxels) - voxels
    first = group_begins(wholes)
    return before - np.repeat(before[first], np.diff(first, append=len(wholes)))


def _bits(
    voxels: NDArray[np.int64], larger: NDArray[np.int64], single: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """With f(n) = n log2 n: f(larger + voxels) - f(larger) - f(voxels), where voxels that are alone
    have f(1) each; written so that small parts of large wholes lose no digits."""
    own, rest = voxels.astype(np.float64), np.maximum(larger, 1).astype(np.float64)
    of_rest = np.where(larger > 0, rest * np.log1p(own / rest), 0.0)
    of_own = own * np.where(single, np.log(larger + own), np.log1p(larger / own))
    return np.asarray((of_rest + of_own) / np.log(2))
