"""How much worse what a network predicted fits two regions joined than both apart.

A network that learned descriptors sees where a neuron goes.  Where two regions are one neuron, the
descriptors of both as one are nearer to what it predicted around their contact; where they are two,
those of each by itself are.  Mean affinities of the contact do not say that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from lsd.arrays.groups import group_begins
from lsd.segmentation.disagreement import disagreement
from lsd.segmentation.kernels.linkage import Links, linkage
from lsd.segmentation.kernels.meetings import meetings
from lsd.segmentation.kernels.prediction import Learned
from lsd.targets.sections import reach_for
from lsd.targets.target import target_kind

# rows: two regions u < v that touch, the sum of what joining them changes, and the voxels that were
# looked at
DOUBT = np.dtype([("u", "<u8"), ("v", "<u8"), ("sum", "<f8"), ("voxels", "<i8")])
Box = tuple[slice, ...]


class Look(NamedTuple):
    """Part of a volume in which regions are asked about.

    predicted:  of the voxels that are looked at, in the range of the target, (c, z, y, x)
    regions:    of these and around them, (z, y, x), 0: none
    inside:     where the voxels that are looked at lie in `regions`
    """

    predicted: NDArray[np.float32]
    regions: NDArray[np.uint64]
    inside: Box
    learned: Learned
    voxel_size: tuple[float, ...]


def margin(learned: Learned, voxel_size: Sequence[float], *, near: float) -> tuple[int, ...]:
    """Voxels of regions around those that are looked at: as far as a contact may be, and as the
    target looks."""
    context = reach_for(learned.target, voxel_size, dims=learned.dims)
    wide = [max(far, ceil(near / size) + 1) for far, size in zip(context, voxel_size, strict=True)]
    # blocks that begin where the whole is sampled are read from there on, too
    return tuple(
        -(-n // stride) * stride
        for n, stride in zip(wide, _strides(learned, len(wide)), strict=True)
    )


def _strides(learned: Learned, axes: int) -> tuple[int, ...]:
    """Voxels from one sample of labels to the next, along each of so many axes."""
    return (1,) * (axes - learned.dims) + (target_kind(learned.target).stride,) * learned.dims


def doubts(look: Look, *, near: float) -> NDArray[np.void]:
    """Rows of DOUBT of the regions that touch near the voxels that are looked at, in ascending
    order.

    What joining u and v changes at a voxel of theirs is its disagreement with both as one, less
    that with both apart (see `lsd.segmentation.disagreement`); counted are voxels that are looked
    at and no farther than `near` nm from the contact.  Sums of parts of a volume add up to those of
    the whole.
    """
    apart = _disagreement(look, look.regions, look.inside, look.inside)
    rows = np.empty(0, DOUBT)
    found = []
    for pair, contact in _contacts(look.regions):
        box = _around(contact, look, near)
        if box is None:
            continue
        changed, voxels = _change(look, apart, pair, contact, box, near)
        if voxels:
            found.append((*pair, changed, voxels))
    return np.array(found, DOUBT) if found else rows


def together(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Rows of DOUBT, in any order, as one for each pair, ascending: added in the order of their
    sums, so that the order in which blocks were done is no matter."""
    ordered = rows[np.lexsort((rows["voxels"], rows["sum"], rows["v"], rows["u"]))]
    first = group_begins(ordered["u"], ordered["v"])
    added = ordered[first]
    for name in ("sum", "voxels") if len(first) else ():
        added[name] = np.add.reduceat(ordered[name], first)
    return added


def doubted_scores(
    edges: NDArray[np.int64],
    scores: NDArray[np.float32],
    between: Links,
    sizes: NDArray[np.int64],
    regions: NDArray[np.int64],
    changes: NDArray[np.float64],
    *,
    weight: float,
    joined_at: float,
    caution: float,
    above: int,
) -> NDArray[np.float32]:
    """Scores of edges (n, 2) between fragments, by number, where regions join on with doubts.

    scores:  of the edges, by which regions came to be
    between: what affinities say of each pair of regions, which is used up
    sizes:   voxels of each region;  regions: of each fragment, by number
    changes: of each pair of `between`, mean of what joining it changes
    joined_at: score up to which regions were joined; no edge between two of them has a lower one
    """
    links = between._replace(sums=between.sums - weight * changes * between.weights)
    merges, heights = linkage(links, sizes, caution=caution, above=above)
    ends = regions[edges]
    met = np.maximum(meetings(len(sizes), merges, heights, ends), np.float32(joined_at))
    return np.where(ends[:, 0] == ends[:, 1], scores, met).astype(np.float32)


def changes_of(
    pairs: NDArray[np.int64], rows: NDArray[np.void], names: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Of each pair of regions, by number, the mean of what joining it changes; 0 where nothing was
    looked at.

    rows:  of DOUBT, one a pair, ascending, in which regions are called by names (count,), ascending
    """
    count = np.int64(max(len(names), 1))
    ends = [np.searchsorted(names, rows[name]) for name in ("u", "v")]
    keys = ends[0] * count + ends[1]
    wanted = pairs[:, 0] * count + pairs[:, 1]
    changes = np.zeros(len(pairs))
    if len(keys):
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        there = keys[place] == wanted
        changes[there] = (rows["sum"] / np.maximum(rows["voxels"], 1))[place[there]]
    return changes


def _disagreement(
    look: Look, labels: NDArray[np.uint64], own: Box, inside: Box
) -> NDArray[np.float32]:
    """Of `labels` (z, y, x) in `inside`; own: that part of what is looked at, in `regions`."""
    begin = [part.start for part in look.inside]
    kept = tuple(
        slice(part.start - first, part.stop - first) for part, first in zip(own, begin, strict=True)
    )
    return disagreement(
        look.predicted[(slice(None), *kept)],
        labels,
        look.learned.target,
        voxel_size=look.voxel_size,
        dims=look.learned.dims,
        inside=inside,
    )


def _contacts(
    regions: NDArray[np.uint64],
) -> Iterator[tuple[tuple[int, int], NDArray[np.int64]]]:
    """Each pair u < v that shares faces, ascending, and the places (n, axes) of the voxels at
    these."""
    pairs, places = [], []
    for axis in range(regions.ndim):
        lead = (slice(None),) * axis
        one, other = regions[(*lead, slice(None, -1))], regions[(*lead, slice(1, None))]
        at = np.argwhere((one != other) & (one > 0) & (other > 0))
        beside = at + np.eye(regions.ndim, dtype=np.int64)[axis]
        ends = np.sort(np.stack([one[tuple(at.T)], other[tuple(at.T)]], axis=1), axis=1)
        pairs += [ends, ends]
        places += [at, beside]
    all_pairs, all_places = np.concatenate(pairs), np.concatenate(places)
    order = np.lexsort((all_pairs[:, 1], all_pairs[:, 0]))
    all_pairs, all_places = all_pairs[order], all_places[order]
    begins = group_begins(*all_pairs.T)
    ends = np.append(begins, len(all_pairs))[1:]
    for begin, end in zip(begins, ends, strict=True):
        yield (int(all_pairs[begin, 0]), int(all_pairs[begin, 1])), all_places[begin:end]


def _around(contact: NDArray[np.int64], look: Look, near: float) -> Box | None:
    """The voxels that are looked at and may be near a contact; None: there are none."""
    reach = [ceil(near / size) for size in look.voxel_size]
    box = tuple(
        slice(max(part.start, int(low) - far), min(part.stop, int(high) + far + 1))
        for part, low, high, far in zip(
            look.inside, contact.min(axis=0), contact.max(axis=0), reach, strict=True
        )
    )
    return box if all(part.start < part.stop for part in box) else None


def _change(
    look: Look,
    apart: NDArray[np.float32],
    pair: tuple[int, int],
    contact: NDArray[np.int64],
    box: Box,
    near: float,
) -> tuple[float, int]:
    """Sum over the voxels of a pair near its contact of what joining it changes, and how many they
    are."""
    far = margin(look.learned, look.voxel_size, near=near)
    # samples are those of both apart, of all that is looked at
    strides = _strides(look.learned, look.regions.ndim)
    around = tuple(
        slice(max(0, part.start - n) // stride * stride, min(part.stop + n, extent))
        for part, n, extent, stride in zip(box, far, look.regions.shape, strides, strict=True)
    )
    joined = np.isin(look.regions[around], np.array(pair, np.uint64))
    begin = [part.start for part in around]
    inside = tuple(slice(part.start - n, part.stop - n) for part, n in zip(box, begin, strict=True))
    away = np.ones(joined.shape, np.bool_)
    seen = ((contact >= begin) & (contact < [part.stop for part in around])).all(axis=1)
    away[tuple((contact[seen] - begin).T)] = False
    distances = distance_transform_edt(away, sampling=look.voxel_size)[inside]
    counted = joined[inside] & (distances <= near)
    if not counted.any():
        return 0.0, 0
    as_one = _disagreement(look, joined.astype(np.uint64), box, inside)
    own = tuple(
        slice(part.start - first.start, part.stop - first.start)
        for part, first in zip(box, look.inside, strict=True)
    )
    change = as_one.astype(np.float64) - apart[own]
    return float(change[counted].sum()), int(counted.sum())
