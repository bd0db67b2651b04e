"""Which wrong affinities change what is connected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsd.arrays.arguments import explaining_calls, number
from lsd.arrays.ids import ids, set_voxels
from lsd.losses.kernels.edges import NEGATIVE, POSITIVE, edges_of, fitting_offsets
from lsd.losses.kernels.joined import joined_components

Ends = tuple[NDArray[np.int64], NDArray[np.int64]]


@explaining_calls
def critical_edges(
    affs: ArrayLike,
    labels: ArrayLike,
    neighborhood: Sequence[Sequence[int]],
    *,
    threshold: float = 0.5,
    mask: ArrayLike | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Edges whose mistakes split an object, and edges whose mistakes join objects: (splits,
    merges), two bool masks of the shape of `affs`.

    affs:         (c, z, y, x) or (c, y, x); an edge joins voxel v and v + offset where its affinity
                  is at least `threshold`.  Numbers of any range, such as logits with the threshold
                  0
    labels:       (z, y, x) or (y, x), any integers >= 0; 0 is background
    neighborhood: an offset for each channel, voxels
    mask:         voxels that are known, not 0; None: all.  Edges with another end are neither

    An edge inside an object that is below the threshold splits where the edges of the object that
    are not leave its ends apart.  An edge at or above the threshold between two objects merges.
    Through background, voxels of it that such edges join are a group, and all edges of a group that
    touches two objects or more merge.
    Raises ValueError for shapes that do not fit, labels that are no ids and affinities that are no
    numbers.
    Source: the rule of `lsd.losses.supervoxel.critical`, for edges.
    """
    affs, ground = np.asarray(affs), ids(labels, "labels", dims=(2, 3))
    threshold = number(threshold, "threshold")
    offsets = fitting_offsets(affs.shape, ground.shape, neighborhood)
    if np.isnan(affs).any():
        raise ValueError("affinities hold NaN; predict them again, or mask them out")
    known = set_voxels(mask, ground.shape)
    if known is None:
        known = np.ones(ground.shape, np.bool_)
    edges = edges_of(ground, known, offsets)
    joining = np.asarray(affs.reshape(len(offsets), -1) >= threshold)
    flat, steps = ground.reshape(-1), edges.steps
    splits = _splits(edges.classes, joining, steps)
    merges = _merges((edges.classes == NEGATIVE) & joining, flat, steps)
    return splits.reshape(affs.shape), merges.reshape(affs.shape)


def _splits(
    classes: NDArray[np.uint8], joining: NDArray[np.bool_], steps: NDArray[np.int64]
) -> NDArray[np.bool_]:
    inside = classes == POSITIVE
    parts = joined_components(inside & joining, steps)
    splits = np.asarray(inside & ~joining)
    for channel, step in zip(splits, steps, strict=True):
        voxels = np.flatnonzero(channel)
        channel[voxels] = parts[voxels] != parts[voxels + step]
    return splits


def _merges(
    wrong: NDArray[np.bool_], labels: NDArray[Any], steps: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Those of the edges that join what is not one object; wrong: those that join other voxels."""
    ends = [_ends(channel, step) for channel, step in zip(wrong, steps, strict=True)]
    background = labels == 0
    inside = np.zeros_like(wrong)
    for channel, (here, there) in zip(inside, ends, strict=True):
        channel[here] = background[here] & background[there]
    groups = joined_components(inside, steps)
    joining = _joining(groups, labels, ends)
    merges = np.zeros_like(wrong)
    for channel, (here, there) in zip(merges, ends, strict=True):
        between = ~background[here] & ~background[there]
        # of an edge with an object at one end, the group is that of the other
        channel[here] = between | joining[groups[np.where(background[here], here, there)]]
    return merges


def _ends(channel: NDArray[np.bool_], step: int) -> Ends:
    voxels = np.flatnonzero(channel)
    return voxels, voxels + step


def _joining(
    groups: NDArray[np.int32], labels: NDArray[Any], ends: Sequence[Ends]
) -> NDArray[np.bool_]:
    """Of each voxel that names a group of background, whether this touches two labels or more."""
    sides = [pair for here, there in ends for pair in ((here, there), (there, here))]
    one, other = (np.concatenate(voxels) for voxels in zip(*sides, strict=True))
    touching = (labels[one] == 0) & (labels[other] != 0)
    names, place = np.unique(groups[one[touching]], return_inverse=True)
    touched = labels[other[touching]]
    least = np.full(names.shape, np.iinfo(labels.dtype).max, labels.dtype)
    most = np.zeros_like(least)
    np.minimum.at(least, place, touched)
    np.maximum.at(most, place, touched)
    joining = np.zeros(groups.shape, np.bool_)
    joining[names[least < most]] = True
    return joining
