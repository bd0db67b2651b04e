"""Agglomeration: which fragments belong together, and how surely (waterz underneath for quantiles,
linkage for means)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import fastremap
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.ids import ids as whole_numbers
from lsd.arrays.lookup import relabel
from lsd.arrays.offsets import for_dims, warn_beyond
from lsd.arrays.pairs import touching
from lsd.arrays.told import tell
from lsd.arrays.union_find import joining_merge
from lsd.segmentation.linkage import linkage, links
from lsd.segmentation.nearest import checked, nearest, unit, warn_of_a_mask
from lsd.segmentation.quiet import quiet
from lsd.spec import NEAREST, Segment

_DEFAULT = Segment()

Edges = NDArray[np.uint64]
Scores = NDArray[np.float32]
# labels 0..n -> pairs of ids that stand for the regions that join, and the heights, in their order
Merges = Callable[[NDArray[np.uint64]], tuple[NDArray[np.int64], Scores]]

# of the nearest affinities, and of all
MEANS = ("mean", "mean_all")
QUANTILES = tuple(range(10, 100, 5))

# name -> the C++ type that waterz ships compiled, and the bins of its queue.  Quantiles are bins of
# a histogram already, so a queue with the same bins orders them exactly; 0: a heap
BINS = 256
LARGER, SMALLER = "MaxSize<RegionGraphType>", "MinSize<RegionGraphType>"
SCORINGS = {
    f"hist_quant_{q}{suffix}": (
        f"OneMinus<HistogramQuantileAffinity<RegionGraphType,{q},ScoreValue,{BINS},{initial}>>",
        BINS,
    )
    for q in QUANTILES
    for suffix, initial in (("", "false"), ("_max", "true"))
} | {"size_difference": (f"Divide<Subtract<{LARGER},{SMALLER}>,Add<{LARGER},{SMALLER}>>", 0)}


def agglomerate(
    affs: NDArray[Any],
    fragments: NDArray[Any],
    *,
    scoring: str = _DEFAULT.scoring,
    caution: float = _DEFAULT.caution,
    cautious_above: int = _DEFAULT.cautious_above,
    neighborhood: Sequence[Sequence[int]] | None = None,
) -> tuple[Edges, Scores]:
    """Join `fragments` (z, y, x) in the order of their scores: edges uint64 (n, 2), scores float32
    (n,).

    Edges are all pairs u < v of fragments that share a face, in ascending order, with their
    original ids; 0 has none.  A score is the height in the merge tree at which the two first share
    a region, 0 (surely one) to 1; inf if never.  So one run serves every threshold:
    `lookup.components` joins edges with score <= threshold.

    affs:    (c, z, y, x), floats in [0, 1] or uint8; a channel for each offset of neighborhood
    neighborhood: offsets in voxels, None: those of z, y, x, between a voxel and the one before.
             Offsets without z (or, without a neighborhood, two channels), of a 2D network: every
             section on its own.  2D drops z
    scoring: 1 - mean, or 1 - quantile ("hist_quant_75") of the nearest affinities on the contact of
             two regions.  "_max": a contact of two fragments starts as its highest affinity alone.
             "mean_all": 1 - mean over all offsets, so that far affinities keep apart what a hole in
             a boundary would join.  "size_difference": (larger - smaller) / their sum, voxels of
             the two; it looks at no affinity, for controls
    caution: with a mean: where both regions have more than `cautious_above` voxels, it counts
             (cautious_above / those of the smaller) ** caution, so that large regions join later
             than small ones between which as much was seen
    fragments: any integers >= 0
    Neither array is changed.  Raises ValueError for an unknown scoring, caution with a quantile,
    shapes that do not fit, another number of channels than offsets, and affinities that are none;
    warns of more channels than axes where there is no neighborhood, and with "mean_all" of offsets
    that are longer than the volume.
    Sources: Funke et al. 2019 (waterz); Bailoni et al. 2022 (average linkage).

    >>> import lsd, numpy
    >>> affs = numpy.full((3, 4, 4, 8), 0.75, numpy.float32)
    >>> fragments = numpy.ones((4, 4, 8), numpy.uint64)
    >>> fragments[:, :, 4:] = 2
    >>> edges, scores = lsd.agglomerate(affs, fragments)
    >>> edges.tolist(), scores.tolist()
    ([[1, 2]], [0.25])
    """
    if scoring not in (*MEANS, *SCORINGS):
        raise ValueError(
            f"scoring {scoring!r} is unknown; allowed: {', '.join((*MEANS, *SCORINGS))}"
        )
    if caution and scoring not in MEANS:
        raise ValueError(
            f"caution {caution} goes with scoring {' or '.join(MEANS)}, got {scoring!r}; set one "
            f"of them, or 0"
        )
    if caution < 0 or cautious_above < 1:
        raise ValueError(
            f"caution is 0 or more and cautious_above 1 or more, got {caution} and {cautious_above}"
        )
    fragments = whole_numbers(fragments, "fragments", dims=(2, 3))
    affs = np.asarray(affs)
    if affs.shape[1:] != fragments.shape or len(affs) < 2:
        raise ValueError(
            f"affs {affs.shape} do not fit fragments {fragments.shape}; wanted: (c, z, y, x) and "
            f"(z, y, x)"
        )
    if neighborhood is None:
        affs, neighborhood = _first(affs, scoring)
    elif scoring == "mean_all":
        warn_beyond(affs.shape[1:], neighborhood)
    affs = checked(affs, neighborhood)
    warn_of_a_mask(affs)
    return joined(
        affs,
        fragments,
        neighborhood,
        scoring=scoring,
        caution=caution,
        cautious_above=cautious_above,
    )


def joined(
    affs: NDArray[Any],
    fragments: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    *,
    scoring: str = _DEFAULT.scoring,
    caution: float = _DEFAULT.caution,
    cautious_above: int = _DEFAULT.cautious_above,
) -> tuple[Edges, Scores]:
    """`agglomerate` for part of a volume, which may be thinner than offsets are long; arguments are
    sound."""
    affs, neighborhood = looked_at(affs, neighborhood, scoring)

    def merges(affs: NDArray[Any]) -> Merges:
        if scoring in MEANS:
            return partial(_linked, affs, neighborhood, caution, cautious_above)
        return partial(_merged, affs, scoring)

    if len(neighborhood[0]) == fragments.ndim:
        return _agglomerate(fragments, merges(affs))
    planes = (_agglomerate(labels, merges(affs[:, z])) for z, labels in enumerate(fragments))
    edges, scores = zip(*planes, strict=True)
    return _ascending(np.concatenate(edges), np.concatenate(scores))


def _first(affs: NDArray[Any], scoring: str) -> tuple[NDArray[Any], tuple[tuple[int, ...], ...]]:
    """The first channels as those of the nearest voxels, where no neighborhood says so."""
    offsets = for_dims(NEAREST, min(len(affs), affs.ndim - 1))
    if len(affs) > len(offsets) and scoring == "mean_all":
        raise ValueError(
            f"scoring 'mean_all' looks at all {len(affs)} channels, so name the offset of each "
            f"with neighborhood="
        )
    if len(affs) > len(offsets):
        tell(
            f"{len(affs)} channels of affinities and no neighborhood: the first are taken for the "
            f"offsets {offsets}, others "
            "are left; name the offset of each with neighborhood="
        )
    return affs[: len(offsets)], offsets


def looked_at(
    affs: NDArray[Any], neighborhood: Sequence[Sequence[int]], scoring: str
) -> tuple[NDArray[Any], Sequence[Sequence[int]]]:
    """The affinities (c, ...) that a scoring looks at, and their offsets: the nearest, or all."""
    if scoring == "mean_all":
        return affs, neighborhood
    near = nearest(affs, neighborhood)
    return near, for_dims(NEAREST, len(near))


def _linked(
    affs: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    caution: float,
    above: int,
    labels: NDArray[np.uint64],
) -> tuple[NDArray[np.int64], Scores]:
    sizes = np.bincount(labels.reshape(-1).astype(np.int64))
    return linkage(links(affs, neighborhood, labels), sizes, caution=caution, above=above)


def _ascending(edges: Edges, scores: Scores) -> tuple[Edges, Scores]:
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    return edges[order], scores[order]


def _agglomerate(fragments: NDArray[Any], merges: Merges) -> tuple[Edges, Scores]:
    # waterz takes memory for every id up to the largest, and writes into the array it is given.  In
    # ascending order: among equal scores it goes by id
    ids = np.union1d(fastremap.unique(fragments).astype(np.uint64), np.zeros(1, np.uint64))
    labels = relabel(fragments, ids, np.arange(len(ids)))
    edges = touching(labels)
    if len(edges) == 0:
        return edges, np.zeros(0, dtype=np.float32)
    pairs, heights = merges(labels)
    return _ascending(
        np.sort(ids[edges], axis=1), meetings(len(ids), pairs, heights, edges.astype(np.int64))
    )


def meetings(
    count: int, merges: NDArray[np.int64], heights: Scores, edges: NDArray[np.int64]
) -> Scores:
    """Height at which the two ends of each edge (n, 2) first share a region, (n,); inf if they
    never do.

    count: of ids; merges: (m, 2) ids that stand for the regions that join, in their order; heights:
           (m,) of these.  One that is
    lower than an earlier one counts as that.
    """
    reached = np.maximum.accumulate(heights) if len(heights) else heights
    return np.asarray(np.append(reached, np.float32(np.inf))[joining_merge(count, merges, edges)])


def _merged(
    affs: NDArray[Any], scoring: str, labels: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], Scores]:
    """Merges in their order: (n, 2) ids, each of which stands for the region it is in by then; (n,)
    scores."""
    import waterz

    near, volume = unit(affs), labels
    if labels.ndim == 2:
        # a single section has no affinity in z
        near, volume = np.concatenate([np.zeros_like(near[:1]), near])[:, None], labels[None]
    function, bins = SCORINGS[scoring]
    steps = waterz.agglomerate(
        np.ascontiguousarray(near),
        thresholds=[float("inf")],
        fragments=volume,
        scoring_function=function,
        discretize_queue=bins,
        return_merge_history=True,
    )
    with quiet():
        _, history = next(steps)
        del steps
    pairs = np.array([(merge["a"], merge["b"]) for merge in history], dtype=np.int64).reshape(-1, 2)
    return pairs, np.array([merge["score"] for merge in history], dtype=np.float32)
