"""Agglomeration: which fragments belong together, and how surely (waterz underneath)."""

from __future__ import annotations

from typing import Any

import fastremap
import numba
import numpy as np
from numpy.typing import NDArray

from lsd.segmentation.lookup import relabel
from lsd.segmentation.nearest import unit
from lsd.segmentation.pairs import touching
from lsd.segmentation.quiet import quiet

Edges = NDArray[np.uint64]
Scores = NDArray[np.float32]

QUANTILES = tuple(range(10, 100, 5))

# name -> the C++ type that waterz ships compiled, and the bins of its queue.  Quantiles are bins of a histogram already,
# so a queue with the same bins orders them exactly; means are put in their exact order by a heap (0)
SCORINGS: dict[str, tuple[str, int]] = {
    "mean": ("OneMinus<MeanAffinity<RegionGraphType,ScoreValue>>", 0),
    **{
        f"hist_quant_{q}{suffix}": (f"OneMinus<HistogramQuantileAffinity<RegionGraphType,{q},ScoreValue,256,{initial}>>", 256)
        for q in QUANTILES
        for suffix, initial in (("", "false"), ("_max", "true"))
    },
}


def agglomerate(affs: NDArray[Any], fragments: NDArray[Any], *, scoring: str = "mean") -> tuple[Edges, Scores]:
    """Join `fragments` (z, y, x) in the order of their scores: edges uint64 (n, 2), scores float32 (n,).

    Edges are all pairs u < v of fragments that share a face, in ascending order, with their original ids; 0 has none.
    A score is the height in the merge tree at which the two first share a region, 0 (surely one) to 1; inf if never.
    So one run serves every threshold: `lookup.components` joins edges with score <= threshold.

    affs:    (c, z, y, x), floats in [0, 1] or uint8; channels of z, y, x first, between a voxel and the one before.
             Two channels (y, x), of a 2D network: every section on its own.  2D drops z
    scoring: 1 - mean, or 1 - quantile ("hist_quant_75") of the affinities on the contact of two regions.  "_max":
             a contact of two fragments starts as its highest affinity alone
    Neither array is changed.  Raises ValueError for an unknown scoring and for shapes that do not fit.
    Source: Funke et al. 2019 (waterz).
    """
    if scoring not in SCORINGS:
        raise ValueError(f"scoring {scoring!r} is unknown; allowed: {', '.join(SCORINGS)}")
    if fragments.ndim not in (2, 3) or affs.shape[1:] != fragments.shape or len(affs) < 2:
        raise ValueError(f"affs {affs.shape} do not fit fragments {fragments.shape}; wanted: (c, z, y, x) and (z, y, x)")
    if len(affs) >= fragments.ndim == 3:
        return _agglomerate(affs[:3], fragments, scoring)
    planes = [(affs[:2], fragments)] if fragments.ndim == 2 else [(affs[:2, z], f) for z, f in enumerate(fragments)]
    edges, scores = zip(*(_agglomerate(_on_top(plane), labels[None], scoring) for plane, labels in planes), strict=True)
    return _ascending(np.concatenate(edges), np.concatenate(scores))


def _on_top(plane: NDArray[Any]) -> NDArray[Any]:
    """Affinities (2, y, x) as (3, 1, y, x): a single section has no affinity in z."""
    return np.concatenate([np.zeros_like(plane[:1]), plane])[:, None]


def _ascending(edges: Edges, scores: Scores) -> tuple[Edges, Scores]:
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    return edges[order], scores[order]


def _agglomerate(affs: NDArray[Any], fragments: NDArray[Any], scoring: str) -> tuple[Edges, Scores]:
    # waterz takes memory for every id up to the largest, and writes into the array it is given.  In ascending order:
    # among equal scores it goes by id
    ids = np.union1d(fastremap.unique(fragments).astype(np.uint64), np.zeros(1, np.uint64))
    labels = relabel(fragments, ids, np.arange(len(ids)))
    edges = touching(labels)
    if len(edges) == 0:
        return edges, np.zeros(0, dtype=np.float32)
    pairs, heights = _merges(np.ascontiguousarray(unit(affs)), labels, scoring)
    reached = np.append(heights, np.float32(np.inf))[_meetings(len(ids), pairs, edges.astype(np.int64))]
    return _ascending(np.sort(ids[edges], axis=1), reached)


def _merges(affs: NDArray[np.float32], labels: NDArray[np.uint64], scoring: str) -> tuple[NDArray[np.int64], Scores]:
    """Merges in their order: (n, 2) ids, each of which stands for the region it is in by then; (n,) scores, ascending."""
    import waterz

    function, bins = SCORINGS[scoring]
    steps = waterz.agglomerate(
        affs,
        thresholds=[float("inf")],
        fragments=labels,
        scoring_function=function,
        discretize_queue=bins,
        return_merge_history=True,
    )
    with quiet():
        _, history = next(steps)
        del steps
    pairs = np.array([(merge["a"], merge["b"]) for merge in history], dtype=np.int64).reshape(-1, 2)
    scores = np.array([merge["score"] for merge in history], dtype=np.float32)
    return pairs, np.maximum.accumulate(scores) if len(scores) else scores


@numba.njit(cache=True, nogil=True)
def _root(parents, node):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while parents[node] != node:
        node = parents[node]
    return node


@numba.njit(cache=True, nogil=True)
def _meetings(count, merges, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Index of the merge after which the two ends of each edge are in one region; len(merges) if there is none.

    The smaller tree hangs below the larger, so paths are short, and keeps the index of the merge that hung it there:
    these only grow on the way up, and the last one on the way from one end to the other is the answer.
    """
    parents, sizes = np.arange(count), np.ones(count, np.int64)
    never = len(merges)
    hung = np.full(count, never)
    for i in range(never):
        small, large = _root(parents, merges[i, 0]), _root(parents, merges[i, 1])
        if sizes[small] > sizes[large]:
            small, large = large, small
        parents[small] = large
        hung[small] = i
        sizes[large] += sizes[small]
    found = np.empty(len(edges), np.int64)
    for i in range(len(edges)):
        u, v = edges[i]
        answer = never
        while u != v:
            if hung[u] > hung[v]:
                u, v = v, u
            answer = hung[u]
            if answer == never:
                break
            u = parents[u]
        found[i] = answer
    return found
