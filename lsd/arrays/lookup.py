"""Look-up tables: from fragments to segments, and their use."""

from __future__ import annotations

from typing import Any

import fastremap
import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsd.arrays.ids import ids as whole_numbers
from lsd.arrays.ids import native
from lsd.arrays.union_find import joined


def components(
    nodes: NDArray[Any], edges: NDArray[Any], scores: NDArray[np.floating[Any]], threshold: float
) -> NDArray[np.uint64]:
    """Segment of each of `nodes` (n,) when `edges` (m, 2) with score <= threshold join them: uint64
    (n,).

    A segment is named by its smallest fragment; 0 stays 0 and joins nothing.  The order of nodes
    and edges does not matter.  Raises ValueError if a used edge ends outside `nodes`, for a score
    or threshold that is not a number, and where edges are no pairs with a score each.
    """
    ids, position = np.unique(whole_numbers(nodes, "nodes").astype(np.uint64), return_inverse=True)
    pairs, heights = edge_pairs(edges), np.asarray(scores)
    if heights.shape != (len(pairs),):
        raise ValueError(
            f"edges have shape {np.shape(edges)}, scores {heights.shape}; wanted: (m, 2) and (m,)"
        )
    if np.isnan(threshold) or np.isnan(heights).any():
        raise ValueError(
            f"threshold {threshold} and scores are numbers, inf where nothing joins two; got nan"
        )
    # a Python float is compared in the precision of the scores: float32(0.3) <= 0.3, though it is a
    # little more
    used = pairs[heights <= float(threshold)]
    used = used[(used != 0).all(axis=1)]
    ends = np.searchsorted(ids, used)
    unknown = (
        used[(ends == len(ids)) | (ids[np.minimum(ends, len(ids) - 1)] != used)]
        if len(ids)
        else used.reshape(-1)
    )
    if len(unknown):
        raise ValueError(
            f"an edge ends at fragment {unknown[0]}, which is not among the {len(ids)} nodes; name "
            f"all of them"
        )
    result: NDArray[np.uint64] = ids[joined(len(ids), ends)][position]
    return result


def edge_pairs(edges: ArrayLike) -> NDArray[np.uint64]:
    """Edges as uint64 (m, 2).  Raises ValueError for another shape, as that of pairs in columns,
    which would be other pairs."""
    pairs = whole_numbers(edges, "edges").astype(np.uint64, copy=False)
    pairs = pairs if pairs.size else pairs.reshape(0, 2)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"edges have shape {pairs.shape}; wanted: (m, 2) and (m,) scores")
    return pairs


def relabel(
    labels: NDArray[Any], nodes: NDArray[Any], segments: NDArray[Any]
) -> NDArray[np.uint64]:
    """`labels` with each of `nodes` replaced by its segment: uint64, of the same shape; 0 that is
    no node stays 0.

    Raises ValueError if a label is not among `nodes`.
    """
    order = np.argsort(nodes, kind="stable")
    keys, values = np.asarray(nodes, np.uint64)[order], np.asarray(segments, np.uint64)[order]
    result = np.ascontiguousarray(labels, dtype=np.uint64)
    result = result.copy() if np.shares_memory(result, labels) else result
    missing = _replace(result.reshape(-1), keys, values)
    if missing:
        raise ValueError(
            f"label {missing} is not in the table of {len(keys)} nodes; is the table of other "
            f"fragments?"
        )
    return result


def compact(labels: NDArray[Any], *, min_size: int = 0) -> NDArray[np.uint64]:
    """`labels` renumbered 1..n in ascending order: uint64.  0 stays, and what has fewer than
    `min_size` voxels becomes 0."""
    ids, sizes = fastremap.unique(native(labels), return_counts=True)
    kept = (ids > 0) & (sizes >= min_size)
    return relabel(labels, ids, np.where(kept, np.cumsum(kept), 0))


@numba.njit(cache=True, nogil=True)
def _replace(labels, keys, values):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Look every label up in place; neighbours mostly agree, so the last answer is tried first.
    The first unknown one."""
    zero = np.uint64(0)
    last, answer = zero, zero
    if len(keys) and keys[0] == zero:
        answer = values[0]
    for i in range(labels.size):
        if labels[i] != last:
            last = labels[i]
            where = np.searchsorted(keys, last)
            if last == zero and (where == len(keys) or keys[where] != zero):
                answer = zero
            elif where == len(keys) or keys[where] != last:
                return last
            else:
                answer = values[where]
        labels[i] = answer
    return zero
