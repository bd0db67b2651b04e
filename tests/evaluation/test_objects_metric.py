"""Scores of objects as a metric: numbers by definition, volumes pooled, blocks, thresholds."""

import json
import math

import cc3d
import numpy as np
import plain_objects
import pytest
from hypothesis import given, settings
from plain_objects import LINES, arrays, blobs, flat
from pydantic import ValidationError
from segmented_volumes import NAMES, ROI, only, segments_of, truth_of, with_evaluate

from lsd.arrays.contingency import Contingency
from lsd.evaluation.detection import average_precision, match
from lsd.evaluation.metric import scoring
from lsd.evaluation.run import evaluate
from lsd.evaluation.score import pool
from lsd.evaluation.sweep import best_threshold
from lsd.segmentation.threshold import array_name
from lsd.spec import Benchmark, Evaluate, ForegroundOverlap, ObjectDetection
from lsd.spec.evaluate import IOUS
from lsd.training.validation import Validation

NOTHING = Contingency.of(np.zeros(5, int), np.zeros(5, int))


def scored(segmentation, truth, mask=None, **metric):
    score = scoring(Evaluate(metric=ObjectDetection(**metric)))
    return score(Contingency.of(segmentation, truth, mask=mask))


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_likeness_is_as_defined(pairs) -> None:
    segmentation, truth = arrays(pairs)
    found = scored(segmentation, truth).as_dict()
    assert found["aji"] == plain_objects.aji(segmentation, truth)
    of_objects, of_segments = (
        plain_objects.best_dice(*pair) for pair in ((truth, segmentation), (segmentation, truth))
    )
    assert found["object_best_dice"] == (None if of_objects is None else pytest.approx(of_objects))
    both = [dice for dice in (of_objects, of_segments) if dice is not None]
    assert found["best_dice"] == (pytest.approx(min(both)) if both else None)


def test_it_holds_what_the_functions_give() -> None:
    segmentation, truth = blobs(8), blobs(9)
    score = scored(segmentation, truth, iou=0.3)
    found, alone = score.as_dict(), match(segmentation, truth, threshold=0.3)
    for name in ("tp", "fp", "fn", "precision", "recall", "f1", "accuracy", "sq", "rq", "pq"):
        assert found[name] == getattr(alone, name), name
    assert list(found["by_iou"]) == [repr(iou) for iou in (0.3, *IOUS)]
    for kind in ("accuracy", "ranked"):
        options = {"kind": kind, "thresholds": 0.3}
        assert found[kind] == average_precision(segmentation, truth, **options)
        assert found["mean"][kind] == average_precision(segmentation, truth, kind=kind)
    # no pair is that good, so SQ is undefined there
    defined = [found["by_iou"][repr(iou)]["sq"] for iou in IOUS]
    assert None in defined
    assert found["left_out_of_mean"]["sq"] == defined.count(None)
    assert found["left_out_of_mean"]["pq"] == 0
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ({}, lambda d: d["by_iou"]["0.5"]["accuracy"]),
        ({"iou": 0.75}, lambda d: d["by_iou"]["0.75"]["accuracy"]),
        ({"objective": "ranked", "iou": None}, lambda d: d["mean"]["ranked"]),
        ({"objective": "f1", "iou": 0.1}, lambda d: d["f1"]),
        ({"objective": "pq"}, lambda d: d["pq"]),
        ({"objective": "aji"}, lambda d: d["aji"]),
        ({"objective": "best_dice"}, lambda d: d["best_dice"]),
    ],
)
def test_the_objective_is_what_the_wanted_number_lacks(metric, name) -> None:
    score = scored(blobs(8), np.where(blobs(8) < 40, blobs(8), 0), **metric)
    wanted = name(score.as_dict())
    assert 0 < wanted < 1
    assert score.objective == 1 - wanted
    [heading] = score.brief()
    assert next(iter(score.row().values())) == score.brief()[heading] == wanted
    assert next(iter(score.swept().values())) == wanted
    assert f"{heading} {wanted:.3f}" in str(score)
    assert len(score.labels()) == len(score.swept())


def test_headings_tell_both_kinds_of_average_precision_apart() -> None:
    row = scored(blobs(8), blobs(9)).row()
    assert [heading for heading in row if "AP" in heading] == ["ranked AP50", "mean ranked AP"]
    assert [heading for heading in row if "accuracy" in heading] == ["accuracy50", "mean accuracy"]


def test_volumes_are_pooled_by_their_counts() -> None:
    """As one volume in which no id occurs in two, and in any order."""
    pairs = [(blobs(8), blobs(9)), (blobs(1), blobs(2, count=30)), (blobs(4), blobs(4))]
    stacked = [
        np.concatenate(
            [np.where(pair[i] > 0, pair[i] + 100 * n, 0) for n, pair in enumerate(pairs)]
        )
        for i in (0, 1)
    ]
    whole = scored(*stacked, min_size=9).as_dict()
    scores = [scored(*pair, min_size=9) for pair in pairs]
    for order in (scores, scores[::-1]):
        found = pool(order).as_dict()
        assert flat(found) == pytest.approx(flat(whole))
    assert whole["dropped"] > 0
    assert scores[0].as_dict()["accuracy"] != pytest.approx(whole["accuracy"])


def test_neither_objects_nor_segments_is_undefined_and_never_best() -> None:
    for metric in (ObjectDetection(), ObjectDetection(objective="aji"), ForegroundOverlap()):
        score = scoring(Evaluate(metric=metric))
        empty = score(NOTHING)
        assert empty.objective == math.inf
        assert list(empty.brief().values()) == [None]
        assert "undefined" in str(empty)
        assert empty.curves().get("accuracy50") is None
        bad = score(Contingency.of(np.array([1, 0, 0]), np.array([0, 1, 0])))
        assert bad.objective == 1
        assert best_threshold({0.2: empty, 0.8: bad}) == 0.8
        # an empty volume beside others changes nothing
        assert flat(bad.pool([empty]).row()) == pytest.approx(
            flat(bad.row()) | ({".accuracy": 6 / 8} if metric.kind == "foreground" else {})
        )


@pytest.mark.parametrize(
    "metric", [ObjectDetection(), ObjectDetection(iou=0.5), ForegroundOverlap(), Benchmark()]
)
def test_a_truth_without_objects_picks_nothing_and_says_so(metric) -> None:
    """Where all that is found is wrong, the numbers of nothing are undefined, and of something 0,
    which is more than that."""
    score = scoring(Evaluate(metric=metric))
    nothing = score(NOTHING)
    false = score(Contingency.of(np.array([1, 1, 1, 0]), np.array([0, 0, 0, 0])))
    assert best_threshold({0.2: nothing, 0.8: false}) == 0.2
    assert best_threshold({0.2: false, 0.8: nothing}, joins_least="highest") == 0.8
    for each in (nothing, false):
        assert each.remarks() == [each.nothing_to_find]
        assert "no object" in each.nothing_to_find
        assert Validation(each).score == math.inf
    # beside a volume with objects false segments count
    good = score(Contingency.of(np.array([1, 1, 0]), np.array([1, 1, 0])))
    assert not good.remarks()
    assert good.pool([false]).objective > good.pool([nothing]).objective == good.objective
    assert best_threshold({0.2: good.pool([false]), 0.8: good.pool([nothing])}) == 0.8


def test_background_that_is_right_is_something_to_find() -> None:
    score = scoring(Evaluate(metric=ForegroundOverlap(objective="accuracy")))
    false = score(Contingency.of(np.array([1, 0, 0]), np.array([0, 0, 0])))
    assert best_threshold({0.2: false, 0.8: score(NOTHING)}) == 0.8


def test_no_voxels_are_refused() -> None:
    for metric in (ObjectDetection(), ForegroundOverlap()):
        with pytest.raises(ValueError, match="no voxel is compared"):
            scoring(Evaluate(metric=metric))(Contingency.empty())
        score, ignored = scoring(Evaluate(metric=metric, ignore=(0, 7))), np.full(5, 7)
        with pytest.raises(ValueError, match=r"all 5 voxels are truth labelled \[7\]"):
            score(Contingency.of(np.ones(5, int), ignored))


def test_background_counts_and_other_ignored_labels_do_not() -> None:
    """By default VOI leaves label 0 of the truth out, where false segments lie."""
    truth, segments = np.array([1, 1, 0, 0, 7, 7]), np.array([1, 1, 2, 2, 3, 3])
    table = Contingency.of(segments, truth)
    found = scoring(Evaluate(metric="objects"))(table).as_dict()
    assert (found["tp"], found["fp"], found["fn"]) == (2, 1, 0)
    found = scoring(Evaluate(metric="objects", ignore=(0, 7)))(table).as_dict()
    assert (found["tp"], found["fp"], found["fn"]) == (1, 1, 0)
    with pytest.raises(ValidationError, match=r"background='ignore'.*'objects' takes for backgr"):
        Evaluate(metric="objects", background="ignore")


def test_masks_by_hand() -> None:
    truth, segments = np.array([1, 1, 2, 2, 2, 0, 0, 0]), np.array([3, 3, 3, 0, 0, 4, 0, 0])
    found = scoring(Evaluate(metric="foreground"))(Contingency.of(segments, truth))
    assert found.as_dict() == {
        "iou": 3 / 6,
        "dice": 6 / 9,
        "accuracy": 5 / 8,
        "precision": 3 / 4,
        "recall": 3 / 5,
        "both": 3,
        "segments_alone": 1,
        "objects_alone": 2,
        "neither": 2,
    }
    for name in ("iou", "dice", "accuracy", "precision", "recall"):
        other = scoring(Evaluate(metric=ForegroundOverlap(objective=name)))
        score = other(Contingency.of(segments, truth))
        assert score.objective == 1 - found.as_dict()[name]
        assert next(iter(score.row().values())) == found.as_dict()[name]
        assert score.pool([score]).objective == score.objective


def test_settings_of_before_are_written_as_they_were() -> None:
    plain = Evaluate().model_dump(mode="json")
    assert {"metric", "heads"}.isdisjoint(plain)
    assert plain["ignore"] == [0]
    assert Evaluate(metric="objects").model_dump(mode="json")["metric"] == "objects"
    chosen = Evaluate(metric={"kind": "objects", "objective": "pq"})
    assert Evaluate.model_validate(chosen.model_dump(mode="json")) == chosen


@pytest.mark.parametrize("connected", [False, True])
def test_an_evaluation_in_blocks_is_that_of_the_arrays(config, connected) -> None:
    """And thresholds are picked by what is asked for."""
    metric = {"kind": "objects", "objective": "f1", "iou": 0.3}
    config = with_evaluate(config, metric=metric, block=(5, 22, 10), connected=connected)
    found = evaluate(only(config, "a", "b"))
    expected = {}
    for name in "ab":
        truth, known = truth_of(NAMES.index(name)), np.ones(ROI.shape, bool)
        known[:, :4] = False
        if connected:
            truth = cc3d.connected_components(np.where(known, truth, 0), connectivity=26)
        for threshold, score in found.volumes[name].sweep.items():
            segments = segments_of(config, name, array_name(threshold))
            whole = scored(segments, truth, known, objective="f1", iou=0.3)
            assert score.as_dict() == whole.as_dict()
            expected.setdefault(threshold, []).append(whole)
    best = {threshold: pool(scores).objective for threshold, scores in expected.items()}
    assert found.threshold == min(best, key=best.get)
    assert len(set(best.values())) > 1
