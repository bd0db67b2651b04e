"""Scores over thresholds, and the choice of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.contingency import Contingency
from lsd.arrays.lookup import components
from lsd.evaluation.partition import Background, Partition, pool, score
from lsd.spec import Evaluate

Sweep = Mapping[float, Partition]
_DEFAULT = Evaluate()


def sweep(
    fragments: Contingency,
    edges: NDArray[Any],
    scores: NDArray[Any],
    thresholds: Iterable[float],
    *,
    ignore: Collection[int] = _DEFAULT.ignore,
    background: Background = _DEFAULT.background,
) -> dict[float, Partition]:
    """Scores of the segmentation at each threshold, in ascending order.

    fragments: their voxels are counted once; a segmentation is another name for each of them, so
               its table follows
    edges, scores: of `agglomerate`; fragments that occur in edges alone are no matter
    """
    nodes = np.unique(
        np.concatenate([fragments.segments, np.asarray(edges, dtype=np.uint64).reshape(-1)])
    )
    return {
        threshold: score(
            fragments.relabelled(nodes, components(nodes, edges, scores, threshold)),
            ignore=ignore,
            background=background,
        )
        for threshold in sorted(thresholds)
    }


def pooled(sweeps: Sequence[Sweep]) -> dict[float, Partition]:
    """Several volumes' sweeps over the same thresholds as one; see `partition.pool`."""
    shared = sorted(set(sweeps[0]).intersection(*sweeps[1:])) if sweeps else []
    return {threshold: pool([sweep[threshold] for sweep in sweeps]) for threshold in shared}


def best(sweep: Sweep, *, tolerance: float = _DEFAULT.tolerance) -> float:
    """The threshold with the lowest VOI sum; among equals the lowest, which joins least.  Raises
    ValueError if empty.

    tolerance: sums count as equal to the lowest up to this fraction above it
    """
    if not sweep:
        raise ValueError("no threshold to choose from")
    equal = (1 + tolerance) * min(partition.voi_sum for partition in sweep.values())
    return min(threshold for threshold, partition in sweep.items() if partition.voi_sum <= equal)
