"""Constrained MALIS: how many pairs of voxels each edge decides about."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fastremap
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsd.arrays.arguments import explaining_calls, whole_number
from lsd.arrays.ids import ids, set_voxels
from lsd.arrays.offsets import warn_beyond
from lsd.losses.kernels.edges import LARGEST, POSITIVE, edges_of, fitting_offsets
from lsd.losses.kernels.joined import joined_components
from lsd.losses.kernels.kruskal import pairs_of_one_label, pairs_of_two_labels

Counts = NDArray[np.int64]


@explaining_calls
def pair_counts(
    affs: ArrayLike,
    labels: ArrayLike,
    neighborhood: Sequence[Sequence[int]],
    *,
    mask: ArrayLike | None = None,
    threads: int = 2,
) -> tuple[Counts, Counts]:
    """How many pairs of voxels each edge joins that belong together, and how many that do not:
    (positive, negative), int64 of the shape of `affs`.

    affs:         (c, z, y, x) or (c, y, x), floats in [0, 1] or uint8, 1 = same object
    labels:       (z, y, x) or (y, x), any integers >= 0, taken as they are; 0 is background, of no
                  object
    neighborhood: an offset for each channel, voxels; edge (c, v) joins v and v + offset c
    mask:         voxels that are known, not 0; None: all.  Labels of the others are of no matter
    threads:      1: one pass after the other, which takes half the memory; else both at once

    Edges join voxels to sets in descending order of their affinities, equal ones by channel and
    then by voxel.  An edge that joins two sets decides about all pairs of voxels of one and the
    other.  This is done twice.  `negative` counts pairs of two objects, at edges between different
    objects or background; there all edges inside objects have the affinity 1.  `positive` counts
    pairs of one object, at edges inside objects; there all others have the affinity 0.  Edges with
    an unknown end keep their affinity and count nothing.  Time is linear in the number of edges,
    but for objects that are joined in many small pieces (n log n).
    Raises ValueError for shapes that do not fit, affinities outside of 0..1 or not finite, labels
    that are no ids, and more than 2**31 - 1 edges.
    Source: Turaga et al. 2009; Funke et al. 2019 (constrained).

    >>> import numpy
    >>> from lsd.losses.malis import pair_counts
    >>> affs = numpy.array([[[0, 0.9, 0.6, 0.2]]], numpy.float32)
    >>> positive, negative = pair_counts(affs, [[1, 1, 2, 2]], [(0, -1)])
    >>> positive.tolist(), negative.tolist()
    ([[[0, 1, 0, 1]]], [[[0, 0, 4, 0]]])
    """
    affs, ground = np.asarray(affs), ids(labels, "labels", dims=(2, 3))
    offsets = _checked(affs, ground, neighborhood)
    threads = whole_number(threads, "threads", low=1)
    warn_beyond(ground.shape, offsets)
    known = set_voxels(mask, ground.shape)
    if not affs.size:
        # kernels take it that there is a voxel, and do not look beyond what they are given
        return np.zeros(affs.shape, np.int64), np.zeros(affs.shape, np.int64)
    names, count = _numbered(ground if known is None else np.where(known, ground, 0))
    if known is None:
        known = np.ones(ground.shape, np.bool_)
    keys, top = _keys(affs)
    edges = edges_of(names, known, offsets)
    objects = joined_components(edges.classes == POSITIVE, edges.steps)

    def counted(one_pass: Any) -> Counts:
        pairs: Counts = one_pass(keys, edges, names.reshape(-1), objects, count=count, top=top)
        return pairs.reshape(affs.shape)

    passes = (pairs_of_one_label, pairs_of_two_labels)
    if threads == 1:
        positive, negative = map(counted, passes)
        return positive, negative
    with ThreadPoolExecutor(len(passes)) as pool:
        positive, negative = pool.map(counted, passes)
    return positive, negative


def _checked(
    affs: NDArray[Any], labels: NDArray[Any], neighborhood: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...], ...]:
    """The offsets."""
    offsets = fitting_offsets(affs.shape, labels.shape, neighborhood)
    if affs.dtype.newbyteorder("=") not in (np.float16, np.float32, np.float64, np.uint8):
        raise ValueError(
            f"affinities have dtype {affs.dtype}; allowed: float16, float32, float64 (0..1), uint8 "
            "(0..255)"
        )
    if affs.dtype.kind == "f" and affs.size and not (affs.min() >= 0 and affs.max() <= 1):
        raise ValueError(
            f"affinities lie in {affs.min():.4g}..{affs.max():.4g}, allowed: 0..1; apply a sigmoid "
            "to logits, and predict again where they are NaN"
        )
    if affs.size > LARGEST:
        raise ValueError(
            f"there are {affs.size} affinities, allowed: {LARGEST}; crop affinities and labels"
        )
    return offsets


def _numbered(labels: NDArray[Any]) -> tuple[NDArray[np.int32], int]:
    """Labels as 1 .. n, and how many there are; 0 stays."""
    names, numbers = fastremap.renumber(labels, preserve_zero=True)
    return names.astype(np.int32), len(numbers)


def _keys(affs: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Unsigned integers in the order of affinities, (channels, voxels), and that of affinity 1.

    The bits of floats that are not negative are in the order of the floats.
    """
    flat = np.ascontiguousarray(affs).reshape(len(affs), -1)
    if flat.dtype == np.uint8:
        return flat, 255
    exact, bits = ("f4", "u4") if flat.dtype.itemsize <= 4 else ("f8", "u8")
    # -0.0 becomes 0.0, of which it is no other affinity
    return np.add(flat, 0, dtype=exact).view(bits), int(np.ones(1, exact).view(bits)[0])
