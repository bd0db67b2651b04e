"""A sweep over tables equals scoring every segmentation itself."""

import math
from functools import partial

import numpy as np
import pytest

from lsd.arrays.contingency import Contingency
from lsd.arrays.lookup import components, relabel
from lsd.evaluation.partition import Partition, compare, score
from lsd.evaluation.sweep import best_threshold, pooled, sweep_thresholds

THRESHOLDS = (0.9, 0.1, 0.5)


def _case(seed=0):
    rng = np.random.default_rng(seed)
    fragments = rng.integers(0, 12, (5, 9, 9)).astype(np.uint64)
    truth = rng.integers(0, 4, (5, 9, 9)).astype(np.uint64)
    edges = np.array([(u, v) for u in range(1, 12) for v in range(u + 1, 14)], np.uint64)
    return fragments, truth, edges, rng.random(len(edges)) ** 0.2


@pytest.mark.parametrize("background", ["label", "ignore", "singletons"])
def test_equals_scoring_the_arrays(background) -> None:
    fragments, truth, edges, scores = _case()
    found = sweep_thresholds(
        Contingency.of(fragments, truth),
        edges,
        scores,
        THRESHOLDS,
        score=partial(score, background=background),
    )
    assert list(found) == sorted(THRESHOLDS)
    nodes = np.arange(14)
    for threshold, partition in found.items():
        segmentation = relabel(fragments, nodes, components(nodes, edges, scores, threshold))
        assert partition == compare(segmentation, truth, background=background)


def _with(voi_split, voi_merge):
    return Partition(voi_split, voi_merge, (1.0, 2.0, 3.0), voxels=10, segments=1, objects=1)


def test_best_is_the_lowest_sum_then_the_lowest_threshold() -> None:
    assert best_threshold({0.3: _with(1, 1), 0.5: _with(0.5, 0.75), 0.7: _with(0.75, 0.5)}) == 0.5
    equal = {0.7: _with(0.75, 0.5), 0.5: _with(0.5, 0.75)}
    assert best_threshold(equal) == 0.5
    assert best_threshold(equal, joins_least="highest") == 0.7
    with pytest.raises(ValueError, match="no threshold"):
        best_threshold({})


@pytest.mark.parametrize("undefined", [math.nan, np.float32("nan"), math.inf])
def test_a_threshold_whose_score_is_undefined_is_picked_last(undefined) -> None:
    nothing, some = _with(undefined, 0), _with(0.5, 0.75)
    assert best_threshold({0.3: nothing, 0.5: some}) == 0.5
    assert best_threshold({0.5: some, 0.7: nothing}, joins_least="highest") == 0.5
    assert best_threshold({0.3: nothing, 0.5: nothing}) == 0.3


@pytest.mark.parametrize(
    ("tolerance", "picked"), [(0.0, 0.7), (0.04, 0.7), (0.06, 0.5), (0.3, 0.5), (1.0, 0.3)]
)
def test_the_lowest_of_those_that_are_as_good_is_best(tolerance, picked) -> None:
    found = {
        0.7: _with(0.5, 0.5),
        0.9: _with(0.25, 0.75),
        0.5: _with(0.75, 0.3),
        0.3: _with(1.5, 0.25),
    }
    assert best_threshold(found, tolerance=tolerance) == picked


def test_volumes_are_pooled_where_both_were_swept() -> None:
    both = pooled([{0.1: _with(1, 0), 0.2: _with(2, 0)}, {0.2: _with(4, 1), 0.3: _with(9, 9)}])
    assert list(both) == [0.2]
    assert (both[0.2].voi_split, both[0.2].voi_merge) == (3, 0.5)
    assert pooled([]) == {}
