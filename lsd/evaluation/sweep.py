"""Scores over thresholds, and the choice of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.contingency import Contingency
from lsd.arrays.lookup import components
from lsd.evaluation.score import Score, pool
from lsd.spec import Evaluate

Sweep = Mapping[float, Score]
S = TypeVar("S", bound=Score)
_DEFAULT = Evaluate()


def sweep_thresholds(
    fragments: Contingency,
    edges: NDArray[Any],
    scores: NDArray[Any],
    thresholds: Iterable[float],
    *,
    score: Callable[[Contingency], S],
) -> dict[float, S]:
    """Scores of the segmentation at each threshold, in ascending order.

    fragments: their voxels are counted once; a segmentation is another name for each of them, so
               its table follows
    edges, scores: of `agglomerate`; fragments that occur in edges alone are no matter
    score:     of a table, for instance `lsd.evaluation.partition.score`
    """
    nodes = np.unique(
        np.concatenate([fragments.segments, np.asarray(edges, dtype=np.uint64).reshape(-1)])
    )
    return {
        threshold: score(fragments.relabelled(nodes, components(nodes, edges, scores, threshold)))
        for threshold in sorted(thresholds)
    }


def pooled(sweeps: Sequence[Mapping[float, S]]) -> dict[float, S]:
    """Several volumes' sweeps over the same thresholds as one; see `Score.pool`."""
    shared = sorted(set(sweeps[0]).intersection(*sweeps[1:])) if sweeps else []
    return {threshold: pool([sweep[threshold] for sweep in sweeps]) for threshold in shared}


def best_threshold(
    sweep: Sweep,
    *,
    tolerance: float = _DEFAULT.tolerance,
    joins_least: Literal["lowest", "highest"] = "lowest",
) -> float:
    """The threshold with the lowest objective; among equals the one which joins least, and NaN is
    as undefined as infinity.  All are equal where there is nothing to find: of a truth without
    objects the numbers are undefined where they are right.  Raises ValueError if empty.

    tolerance:   objectives count as equal to the lowest up to this fraction above it
    joins_least: which of several thresholds does (`DecoderKind.joins_least`)
    """
    if not sweep:
        raise ValueError("no threshold to choose from")
    objectives = {threshold: score.compared for threshold, score in sweep.items()}
    equal = (1 + tolerance) * min(objectives.values())
    good = [threshold for threshold, objective in objectives.items() if objective <= equal]
    return min(good) if joins_least == "lowest" else max(good)
