"""Agglomeration: which fragments belong together, and how surely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import fastremap
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import explaining_calls, number, offsets_of, whole_number
from lsd.arrays.caller import warn_caller
from lsd.arrays.ids import ids as whole_numbers
from lsd.arrays.lookup import relabel
from lsd.arrays.offsets import for_dims, warn_beyond
from lsd.arrays.pairs import touching
from lsd.segmentation.kernels.nearest import checked, warn_of_a_mask
from lsd.segmentation.scoring.scoring import scoring_of
from lsd.spec import NEAREST, Scoring, Segment

_DEFAULT = Segment()

Edges = NDArray[np.uint64]
Scores = NDArray[np.float32]
# of fragments 1..n and the edges between them
Score = Callable[[NDArray[np.uint64], NDArray[np.int64]], Scores]


@explaining_calls
def agglomerate(
    affs: NDArray[Any],
    fragments: NDArray[Any],
    *,
    scoring: str | Scoring = _DEFAULT.scoring.kind,
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
    spec, caution = scoring_of(scoring).spec, number(caution, "caution")
    if caution < 0:
        raise ValueError(f"caution is 0 or more, got {caution}")
    if caution and not spec.is_mean:
        means = " or ".join(name for name, kind in Scoring.kinds().items() if kind.is_mean)
        raise ValueError(
            f"caution {caution} goes with scoring {means}, got {spec.to_name() or spec.kind!r}; "
            f"set one of them, or 0"
        )
    cautious_above = whole_number(cautious_above, "cautious_above", low=1)
    fragments = whole_numbers(fragments, "fragments", dims=(2, 3))
    affs = np.asarray(affs)
    if affs.shape[1:] != fragments.shape or len(affs) < 2:
        raise ValueError(
            f"affs {affs.shape} do not fit fragments {fragments.shape}; wanted: (c, z, y, x) and "
            f"(z, y, x)"
        )
    if neighborhood is None:
        affs, offsets = _first(affs, spec)
    else:
        offsets = offsets_of(neighborhood)
        if spec.is_far:
            warn_beyond(affs.shape[1:], offsets)
    affs = checked(affs, offsets)
    warn_of_a_mask(affs)
    return agglomerate_part(
        affs,
        fragments,
        offsets,
        scoring=spec,
        caution=caution,
        cautious_above=cautious_above,
    )


def agglomerate_part(
    affs: NDArray[Any],
    fragments: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    *,
    scoring: str | Scoring = _DEFAULT.scoring.kind,
    caution: float = _DEFAULT.caution,
    cautious_above: int = _DEFAULT.cautious_above,
) -> tuple[Edges, Scores]:
    """`agglomerate` for part of a volume, which may be thinner than offsets are long; arguments are
    sound."""
    edge_scoring = scoring_of(scoring)
    affs, neighborhood = edge_scoring.looked_at(affs, neighborhood)

    def score(affs: NDArray[Any]) -> Score:
        return partial(
            edge_scoring.scores, affs, neighborhood, caution=caution, cautious_above=cautious_above
        )

    if len(neighborhood[0]) == fragments.ndim:
        return _scored(fragments, score(affs))
    planes = (_scored(section, score(affs[:, z])) for z, section in enumerate(fragments))
    edges, scores = zip(*planes, strict=True)
    return _ascending(np.concatenate(edges), np.concatenate(scores))


def _first(
    affs: NDArray[Any], scoring: Scoring
) -> tuple[NDArray[Any], tuple[tuple[int, ...], ...]]:
    """The first channels as those of the nearest voxels, where no neighborhood says so."""
    offsets = for_dims(NEAREST, min(len(affs), affs.ndim - 1))
    if len(affs) > len(offsets) and scoring.is_far:
        raise ValueError(
            f"scoring {scoring.to_name() or scoring.kind!r} looks at all {len(affs)} "
            f"channels, so name the offset of each with neighborhood="
        )
    if len(affs) > len(offsets):
        warn_caller(
            f"{len(affs)} channels of affinities and no neighborhood: the first are taken for the "
            f"offsets {offsets}, others "
            "are left; name the offset of each with neighborhood="
        )
    return affs[: len(offsets)], offsets


def _ascending(edges: Edges, scores: Scores) -> tuple[Edges, Scores]:
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    return edges[order], scores[order]


def _scored(fragments: NDArray[Any], score: Score) -> tuple[Edges, Scores]:
    # waterz takes memory for every id up to the largest.  In ascending order: among equal scores
    # it goes by id
    ids = np.union1d(fastremap.unique(fragments).astype(np.uint64), np.zeros(1, np.uint64))
    numbered = relabel(fragments, ids, np.arange(len(ids)))
    edges = touching(numbered)
    if len(edges) == 0:
        return edges, np.zeros(0, dtype=np.float32)
    return _ascending(np.sort(ids[edges], axis=1), score(numbered, edges.astype(np.int64)))
