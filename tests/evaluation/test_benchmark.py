"""The scores of benchmarks of large objects, held against plain loops and against the functions
that compute each alone."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from plain_objects import LINES, arrays, blobs, coco

from lsd.arrays.contingency import Contingency
from lsd.evaluation.detection import average_precision
from lsd.evaluation.metric import scoring
from lsd.evaluation.partition import compare
from lsd.evaluation.score import pool
from lsd.spec import Benchmark, Evaluate
from lsd.spec.evaluate import IOUS


def scored(segmentation, truth, **metric):
    score = scoring(Evaluate(metric=Benchmark(**metric)))
    return score(Contingency.of(segmentation, truth))


def test_it_holds_what_the_functions_give() -> None:
    segmentation, truth = blobs(8), blobs(9)
    found = scored(segmentation, truth).as_dict()
    of_ap = {"ap": IOUS, "ap50": 0.5, "ap75": 0.75}
    for name, thresholds in of_ap.items():
        alone = average_precision(segmentation, truth, kind="ranked", thresholds=thresholds)
        assert found[name] == alone, name
    both = ((segmentation > 0) & (truth > 0)).sum()
    sides = (segmentation > 0).sum() + (truth > 0).sum()
    assert found["dice"] == pytest.approx(2 * both / sides)
    assert found["jaccard"] == pytest.approx(both / (sides - both))
    alone = compare(segmentation, truth)
    for name in ("voi_split", "voi_merge", "arand"):
        assert found[name] == getattr(alone, name), name
    assert found["voi"] == alone.voi_sum
    assert found["objects"] == len(np.unique(truth)) - 1
    assert found["segments"] == len(np.unique(segmentation)) - 1


def runs(lengths, gap) -> np.ndarray:
    """Segments one after the other, of these lengths, with `gap` voxels between them."""
    parts = [
        np.r_[np.full(length, label), np.zeros(gap)] for label, length in enumerate(lengths, 1)
    ]
    return np.concatenate(parts).astype(np.uint64)


def test_segments_are_ranked_by_size_as_coco_does() -> None:
    rng = np.random.default_rng(0)
    # each of another size, so that no order among equals decides
    lengths = rng.permutation(np.arange(3, 24))
    segmentation, truth = runs(lengths, 1), runs(lengths + rng.integers(-2, 3, len(lengths)), 1)
    voxels = min(len(segmentation), len(truth))
    segmentation, truth = segmentation[:voxels], np.roll(truth[:voxels], 2)
    ids, areas = np.unique(segmentation, return_counts=True)
    sizes = dict(zip(ids.tolist(), areas.tolist(), strict=True))
    expected = [float(coco(segmentation, truth, Fraction(str(iou)), sizes)) for iou in IOUS]
    assert 0 < expected[0] < 1
    found = scored(segmentation, truth)
    assert list(found.as_dict()["ap_by_iou"].values()) == pytest.approx(expected)
    assert found.ap == pytest.approx(np.mean(expected))


def test_crumbs_of_the_truth_are_left_out() -> None:
    truth = np.zeros((1, 60), int)
    truth[0, :20], truth[0, 30:50], truth[0, 55:58] = 1, 2, 3
    segmentation = truth.copy()
    assert scored(segmentation, truth).as_dict()["dropped"] == 0
    crumbs = scored(segmentation, truth, min_size=4)
    assert (crumbs.objects, crumbs.dropped, crumbs.ap, crumbs.jaccard) == (2, 1, 1.0, 1.0)
    # a segment on a crumb is no false one, and one that missed it is not to blame
    segmentation[truth == 3] = 0
    found = scored(segmentation, truth, min_size=4)
    assert (found.ap, found.dice, found.voi, found.arand) == (1.0, 1.0, 0.0, 0.0)
    assert scored(segmentation, truth).ap < 1


@settings(max_examples=40, deadline=None)
@given(LINES)
def test_any_pair_has_scores_within_bounds(pairs) -> None:
    segmentation, truth = arrays(pairs)
    found = scored(segmentation, truth)
    for name in ("ap", "ap50", "ap75", "dice", "jaccard", "arand"):
        value = getattr(found, name)
        assert value is None or 0 <= value <= 1
    assert (found.voi is None) == (not truth.any())
    if truth.any():
        perfect = scored(truth * 7, truth)
        assert (perfect.ap, perfect.dice, perfect.voi, perfect.objective) == (1, 1, 0, 0)


def test_the_objective_is_the_number_that_is_asked_for() -> None:
    segmentation, truth = blobs(8), blobs(9)
    for name in ("ap", "ap50", "ap75", "dice", "jaccard"):
        found = scored(segmentation, truth, objective=name)
        assert found.objective == pytest.approx(1 - getattr(found, name))
        assert next(iter(found.swept())) == name
    for name in ("voi", "arand"):
        found = scored(segmentation, truth, objective=name)
        assert found.objective == getattr(found, name)
    nothing = scored(np.zeros(5, int), np.zeros(5, int), objective="voi")
    assert nothing.objective == math.inf
    assert "ARAND undefined" in str(nothing)


def test_volumes_are_pooled_as_one() -> None:
    pairs = [(blobs(1), blobs(2)), (blobs(3), blobs(4))]
    empty = scored(blobs(5), np.zeros((12, 40, 40), int))
    shifted = [np.where(labels > 0, labels + 1000, 0) for labels in pairs[1]]
    whole = scored(
        np.stack([pairs[0][0], shifted[0]]), np.stack([pairs[0][1], shifted[1]])
    ).as_dict()
    together = pool([scored(*pair) for pair in pairs]).as_dict()
    assert together.pop("ap_by_iou") == pytest.approx(whole.pop("ap_by_iou"))
    # of the partition, segment 0 of one volume is another than that of the next
    alone = [compare(*pair) for pair in pairs]
    both = alone[0].pool(alone[1:])
    of_partition = {"voi": both.voi_sum, "arand": both.arand}
    of_partition |= {"voi_split": both.voi_split, "voi_merge": both.voi_merge}
    assert together == pytest.approx({**whole, **of_partition})
    with_empty = pool([empty, scored(*pairs[0])])
    assert with_empty.voi == pytest.approx(scored(*pairs[0]).voi)
    assert with_empty.ap < scored(*pairs[0]).ap


def test_refuses_what_means_nothing() -> None:
    with pytest.raises(ValueError, match="takes for background"):
        Evaluate(metric=Benchmark(), background="ignore")
    assert Evaluate(metric="benchmark").metric == Benchmark()
