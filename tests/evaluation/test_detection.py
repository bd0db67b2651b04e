"""Objects that were found, against definitions, every assignment, and cases by hand."""

from fractions import Fraction

import numpy as np
import plain_objects
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain_objects import LINES, arrays, blobs
from scipy.optimize import linear_sum_assignment

from lsd.arrays.contingency import Contingency
from lsd.evaluation.detection import average_precision, match
from lsd.spec.evaluate import IOUS

BIG = 2**64 - 1


@settings(max_examples=150, deadline=None)
@given(LINES, st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.6, 0.75, 1.0]))
def test_the_pairs_are_the_best_of_all_choices(pairs, threshold) -> None:
    segmentation, truth = arrays(pairs)
    found = match(segmentation, truth, threshold=threshold)
    count, total = plain_objects.best_pairs(segmentation, truth, Fraction(str(threshold)))
    assert (found.tp, found.iou_sum) == (count, pytest.approx(float(total)))
    assert found.tp + found.fp == len(plain_objects.voxel_sets(segmentation))
    assert found.tp + found.fn == len(plain_objects.voxel_sets(truth))
    overlaps = plain_objects.ious(segmentation, truth)
    assert found.ious.tolist() == [float(overlaps[tuple(pair)]) for pair in found.pairs.tolist()]
    assert all(len(set(column)) == found.tp for column in found.pairs.T.tolist())


@pytest.mark.parametrize("threshold", [0, 0.05, 0.1, 0.3, 0.5])
def test_the_pairs_are_those_of_a_dense_assignment(threshold) -> None:
    segmentation, truth = blobs(0), blobs(1)
    found = match(segmentation, truth, threshold=threshold)
    overlaps = plain_objects.ious(segmentation, truth)
    segments, objects = (sorted({pair[i] for pair in overlaps}) for i in (0, 1))
    worth = np.zeros((len(segments), len(objects)))
    for (s, o), iou in overlaps.items():
        if iou >= Fraction(str(threshold)):
            worth[segments.index(s), objects.index(o)] = 100 + float(iou)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    chosen = worth[rows, columns]
    assert found.tp == (chosen > 0).sum()
    assert found.iou_sum == pytest.approx((chosen[chosen > 0] - 100).sum())


@pytest.mark.parametrize("tenths", range(1, 11))
def test_thresholds_are_the_decimals_that_they_print_as(tenths) -> None:
    """IoU 7/10 is 0.7, though numpy's 0.7 of np.arange(.5, 1, .05) is a little more."""
    truth = np.ones(10, int)
    segments = (np.arange(10) < tenths).astype(int)
    assert match(segments, truth, threshold=tenths / 10).tp == 1
    assert match(segments, truth, threshold=min(1, tenths / 10 + 0.01)).tp == (tenths == 10)
    assert match(segments, truth, threshold=np.float64(tenths) / 10).tp == 1


def test_counts_are_exact_where_floats_are_not() -> None:
    """IoU of 7/10 of 10**17 voxels, and of one voxel less."""
    for missing, found in ((0, 1), (1, 0)):
        both = 7 * 10**16 - missing
        table = Contingency(
            np.array([0, BIG], np.uint64),
            np.array([BIG, BIG], np.uint64),
            np.array([10**17 - both, both]),
        )
        assert match(table, threshold=0.7).tp == found


def test_most_pairs_come_before_the_largest_sum() -> None:
    """Segment 1 is more like object 1, but then segment 2 has none."""
    truth = np.repeat([1, 2], [10, 6])
    segments = np.repeat([1, 2, 1], [6, 4, 6])
    greedy = plain_objects.ious(segments, truth)
    assert greedy[1, 2] == Fraction(6, 12)
    assert greedy[1, 1] == Fraction(6, 16)
    assert greedy[2, 1] == Fraction(4, 10)
    found = match(segments, truth, threshold=0.3)
    assert found.pairs.tolist() == [[1, 2], [2, 1]]
    assert match(segments, truth, threshold=0.45).pairs.tolist() == [[1, 2]]


def test_ids_are_exact_up_to_the_last() -> None:
    truth = np.array([BIG, BIG, BIG - 1, BIG - 1, 0], np.uint64)
    segments = np.array([BIG - 2, BIG - 2, BIG, BIG, 0], np.uint64)
    found = match(segments, truth, threshold=1)
    assert found.pairs.tolist() == [[BIG - 2, BIG], [BIG, BIG - 1]]
    assert (found.tp, found.fp, found.fn, found.pq) == (2, 0, 0, 1)


def test_numbers_by_hand() -> None:
    """Three of four objects are found, at IoU 1, .8 and .6, and two segments are none."""
    truth = np.repeat([1, 2, 3, 4, 0], [5, 5, 5, 5, 5])
    segments = np.repeat([9, 8, 0, 7, 0, 6, 5, 4], [5, 4, 1, 3, 2, 2, 3, 5])
    found = match(segments, truth, threshold=0.6)
    # the fourth object is in two segments, of which the larger has 3 of its 5 voxels
    assert (found.tp, found.fp, found.fn) == (4, 2, 0)
    found = match(segments, truth, threshold=0.7)
    assert (found.tp, found.fp, found.fn) == (2, 4, 2)
    assert (found.precision, found.recall) == (1 / 3, 1 / 2)
    assert found.f1 == found.rq == pytest.approx(2 / (3 + 2))
    assert found.accuracy == 2 / 8
    assert found.sq == pytest.approx(0.9)
    assert found.pq == pytest.approx(0.9 * 2 / 5)


def test_nothing_is_undefined_and_no_zero() -> None:
    none, some = np.zeros((3, 4), int), np.ones((3, 4), int)
    found = match(none, none, threshold=0.5)
    assert (found.tp, found.fp, found.fn) == (0, 0, 0)
    for name in ("precision", "recall", "f1", "accuracy", "sq", "rq", "pq"):
        assert getattr(found, name) is None, name
    for kind in ("accuracy", "ranked"):
        assert average_precision(none, none, kind=kind) is None
        assert average_precision(some, none, kind=kind) == 0
        assert average_precision(none, some, kind=kind) == 0
        assert average_precision(some, some, kind=kind) == 1
    missed, invented = (match(*pair, threshold=0.5) for pair in ((none, some), (some, none)))
    assert (missed.precision, missed.recall, missed.f1, missed.sq) == (None, 0, 0, None)
    assert (invented.precision, invented.recall, invented.pq) == (0, None, 0)


# a segment that has as much of one object as of another, which is all that a second segment has
@example([(0, 2), (1, 1), (1, 1), (1, 2), (1, 2), (2, 1)], 0.3, [0, 2, 1, 3, 4])
@settings(max_examples=60, deadline=None)
@given(LINES, st.sampled_from([0.3, 0.5, 0.55, 0.7]), st.permutations(range(5)))
def test_ranked_precision_is_that_of_coco(pairs, threshold, order) -> None:
    segmentation, truth = arrays(pairs)
    scores = {label: float(order[label]) for label in range(5)}
    found = average_precision(
        segmentation, truth, kind="ranked", thresholds=threshold, scores=scores
    )
    if not truth.any():
        assert found == (0 if segmentation.any() else None)
        return
    wanted = plain_objects.coco(segmentation, truth, Fraction(str(threshold)), scores)
    assert found == pytest.approx(wanted, abs=1e-12)


def test_ranked_by_hand() -> None:
    """Segments by size: right, wrong, right; two of four objects: precision 1 up to recall 1/4,
    2/3 up to 1/2, then 0."""
    truth = np.repeat([1, 2, 3, 4, 0, 0], [8, 4, 2, 2, 6, 3])
    segments = np.repeat([1, 2, 0, 0, 3, 0], [8, 4, 2, 2, 6, 3])
    found = average_precision(segments, truth, kind="ranked", thresholds=[0.5])
    assert found == pytest.approx((26 * 1 + 25 * 2 / 3) / 101)
    surest_last = {1: 0.9, 2: 0.8, 3: 0.1}
    found = average_precision(segments, truth, kind="ranked", thresholds=[0.5], scores=surest_last)
    assert found == pytest.approx(51 / 101)
    probability = np.choose(segments, [0.99, 0.9, 0.8, 0.1])
    assert found == average_precision(
        segments, truth, kind="ranked", thresholds=[0.5], scores=probability
    )
    # accuracy at the same threshold knows no order: 2 / (2 + 1 + 2)
    assert average_precision(segments, truth, kind="accuracy", thresholds=[0.5]) == 2 / 5


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_scores_of_large_ids_are_their_own(dtype) -> None:
    """Many ids of int64 beside those of uint64 are compared as float64 by numpy: the id after 2**60
    would be 2**60, and what lies on the object that is left out counted."""
    numbers = np.repeat(np.arange(40), 3)
    segments = np.append(numbers * 2**50 + 2**60, [2**60 + 1] * 2).astype(dtype)
    truth = np.append(numbers + 1, [99, 99])
    truth[60:120] = 0
    # those that lie beside objects are least sure, the second less than the others
    probability = np.append(np.repeat([0.9, 0.2, *[0.9] * 18, *[0.15] * 20], 3), [0.0, 0.0])
    given = {int(segment): value for segment, value in zip(segments, probability, strict=True)}
    found = [
        average_precision(segments, truth, kind="ranked", thresholds=0.5, scores=scores, min_size=3)
        for scores in (probability, given)
    ]
    assert found == [1.0, 1.0]


@pytest.mark.parametrize("kind", ["accuracy", "ranked"])
def test_names_of_segments_do_not_matter(kind) -> None:
    """Also where many segments are of one size, which decides their rank."""
    rng = np.random.default_rng(3)
    truth = blobs(5, count=40)
    segments = np.where(rng.random(truth.shape) < 0.02, 0, truth)
    # half of the segments are halves
    segments[:, :, ::2] += np.where(segments[:, :, ::2] % 3 == 0, 100, 0).astype(np.uint64)
    segments[truth == 0] = 0
    wanted = average_precision(segments, truth, kind=kind)
    assert 0.1 < wanted < 0.9
    for seed in range(3):
        names = np.random.default_rng(seed).permutation(2**16)[:300].astype(np.uint64) + 1
        names[0] = 0
        renamed = average_precision(names[segments], truth, kind=kind)
        assert renamed == pytest.approx(wanted)


def test_mean_over_thresholds() -> None:
    truth, segments = blobs(7), blobs(7)
    segments[::5] = 0
    each = [match(segments, truth, threshold=iou).accuracy for iou in IOUS]
    assert len(set(each)) > 3
    assert average_precision(segments, truth, kind="accuracy") == pytest.approx(np.mean(each))
    by_hand = [
        plain_objects.coco(segments, truth, Fraction(str(iou)), {s: s for s in range(100)})
        for iou in IOUS
    ]
    found = average_precision(segments, truth, kind="ranked", scores={s: s for s in range(1, 100)})
    assert found == pytest.approx(np.mean(by_hand))


def test_the_table_of_blocks_is_that_of_the_whole() -> None:
    segments, truth = blobs(8), blobs(9)
    table = sum(
        (Contingency.of(segments[z : z + 5], truth[z : z + 5]) for z in range(0, 12, 5)),
        Contingency.empty(),
    )
    for threshold in (0.1, 0.5):
        whole, added = (
            match(*of, threshold=threshold) for of in ((segments, truth), (table, None))
        )
        assert vars(whole).keys() == vars(added).keys()
        assert whole.pairs.tolist() == added.pairs.tolist()
        assert (whole.tp, whole.fp, whole.fn, whole.pq) == (added.tp, added.fp, added.fn, added.pq)
    for kind in ("accuracy", "ranked"):
        assert average_precision(segments, truth, kind=kind) == average_precision(table, kind=kind)


def test_areas_are_whole_and_crumbs_are_left_out_where_that_is_asked_for() -> None:
    truth = np.repeat([1, 0, 2, 0], [6, 4, 2, 3])
    segments = np.repeat([1, 0, 2, 0], [8, 2, 2, 3])
    assert match(segments, truth, threshold=0.75).tp == 2, "6 of 8: background is part of a segment"
    assert match(segments, truth, threshold=0.76).tp == 1
    missed = np.where(segments == 2, 0, segments)
    assert match(missed, truth, threshold=0.5).fn == 1
    dropped = match(missed, truth, threshold=0.5, min_size=3)
    assert (dropped.tp, dropped.fp, dropped.fn) == (1, 0, 0)
    # a segment that found what is left out is not blamed for it
    found = match(segments, truth, threshold=0.5, min_size=3)
    assert (found.tp, found.fp, found.fn) == (1, 0, 0)
    assert match(segments, truth, threshold=0.5, min_size=2).tp == 2


def test_only_masked_voxels_count() -> None:
    truth, segments = np.array([[1, 1, 1, 2, 2]]), np.array([[1, 1, 0, 0, 3]])
    found = match(segments, truth, threshold=0.9, mask=np.array([[1, 1, 0, 0, 0]]))
    assert (found.tp, found.fp, found.fn, found.sq) == (1, 0, 0, 1)
    scores = np.array([[0.1, 0.3, 9, 9, 9]])
    options = {"kind": "ranked", "scores": scores, "mask": truth == 1}
    assert average_precision(segments, truth, **options) == pytest.approx(4 / 10)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda a: match(a, a, threshold=1.5), "threshold is a number, 0 to 1, got 1.5"),
        (lambda a: match(a, a), "was called without threshold"),
        (lambda a: match(a, threshold=0.5), "there is no truth"),
        (lambda a: match(a, a[:1], threshold=0.5), r"truth has shape \(1, 3\)"),
        (lambda a: match(a, a, threshold=0.5, min_size=-1), "min_size is a whole number"),
        (lambda a: match(Contingency.of(a, a), a, threshold=0.5), "nothing beside it"),
        (lambda a: average_precision(a, a, kind="ap"), "allowed: accuracy, ranked"),
        (lambda a: average_precision(a, a, kind="accuracy", thresholds=[]), "are empty"),
        (lambda a: average_precision(a, a, kind="accuracy", scores={1: 1}), "knows no order"),
        (lambda a: average_precision(a, a, kind="ranked", scores={2: 1}), "segment 1 has no score"),
        (lambda a: average_precision(a, a, kind="ranked", scores=a[:1]), "scores have shape"),
        (lambda a: average_precision(a, a, kind="ranked", scores={1: np.nan}), "no number"),
        (
            lambda a: average_precision(Contingency.of(a, a), kind="ranked", scores=a),
            "does not say where segments lie",
        ),
    ],
)
def test_refusals(call, words) -> None:
    with pytest.raises(ValueError, match=words):
        call(np.ones((2, 3), int))
