"""A row for each neuron: against the definition, voxel by voxel, and the scores that rows add up
to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lsd.arrays.contingency import Contingency
from lsd.evaluation.boundaries import NOT_COMPARED
from lsd.evaluation.metric import scoring
from lsd.evaluation.partition import compare
from lsd.report.neurons import Neuron, neurons
from lsd.spec import Evaluate

labels = arrays(np.uint64, (24,), elements=st.integers(0, 5))


@given(labels, labels, st.sampled_from(["label", "ignore", "singletons"]))
@settings(max_examples=60, deadline=None)
def test_bits_add_up_to_the_scores(segmentation, truth, background) -> None:
    counted = truth > 0 if background != "ignore" else (truth > 0) & (segmentation > 0)
    if not counted.any():
        return
    rows = neurons(Contingency.of(segmentation, truth), Evaluate(background=background))
    score = compare(segmentation, truth, background=background)
    assert sum(row.split for row in rows) == pytest.approx(score.voi_split, abs=1e-9)
    assert sum(row.merge for row in rows) == pytest.approx(score.voi_merge, abs=1e-9)
    assert [row.lost for row in rows] == sorted((row.lost for row in rows), reverse=True)
    assert sum(row.voxels for row in rows) == score.voxels


@given(labels, labels)
@settings(max_examples=60, deadline=None)
def test_counts_are_those_of_the_voxels(segmentation, truth) -> None:
    rows = neurons(Contingency.of(segmentation, truth), Evaluate())
    assert {row.object for row in rows} == set(truth[truth > 0].tolist())
    for row in rows:
        own = segmentation[truth == row.object]
        found, counts = np.unique(own[own > 0], return_counts=True)
        assert (row.voxels, row.segments) == (len(own), len(found))
        if not len(found):
            assert (row.largest, row.share, row.precision, row.iou) == (0, 0, 0, 0)
            continue
        assert row.largest in found[counts == counts.max()]
        inside = (segmentation == row.largest) & (truth > 0)
        shared = counts.max()
        assert row.share == pytest.approx(shared / len(own))
        assert row.precision == pytest.approx(shared / inside.sum())
        assert row.iou == pytest.approx(shared / (inside | (truth == row.object)).sum())


def test_ids_stay_whole_above_what_a_double_holds() -> None:
    truth = np.array([2**63 + 1] * 3 + [2**63 + 3] * 2, np.uint64)
    segmentation = np.array([2**62 + 1] * 3 + [2**62 + 3] * 2, np.uint64)
    rows = neurons(Contingency.of(segmentation, truth), Evaluate())
    assert {(row.object, row.largest) for row in rows} == {
        (2**63 + 1, 2**62 + 1),
        (2**63 + 3, 2**62 + 3),
    }
    assert all(row.is_named and row.iou == 1 and row.lost == 0 for row in rows)


def test_what_is_ignored_has_no_row() -> None:
    truth, segmentation = np.array([0, 1, 1, 2, 7]), np.array([3, 3, 3, 4, 4])
    rows = neurons(Contingency.of(segmentation, truth), Evaluate(ignore=(0, 7)))
    assert [row.object for row in rows] == [1, 2]
    background = Evaluate(metric="objects", ignore=())
    rows = neurons(Contingency.of(segmentation, truth), background)
    assert {row.object for row in rows} == {1, 2, 7}


def test_a_case_by_hand() -> None:
    truth = np.array([1, 1, 1, 1, 2, 2])
    segmentation = np.array([5, 5, 6, 0, 6, 6])
    first, second = sorted(
        neurons(Contingency.of(segmentation, truth), Evaluate()), key=lambda row: row.object
    )
    split = (2 * 1 + 1 * 2 + 1 * 2) / 6  # log2 of 4/2, 4/1 and 4/1
    assert first == Neuron(
        object=1, label=1, voxels=4, segments=2, largest=5, share=0.5, precision=1.0, iou=0.5,
        split=pytest.approx(split), merge=pytest.approx(np.log2(3) / 6),
    )  # fmt: skip
    assert (second.largest, second.share, second.precision) == (6, 1.0, pytest.approx(2 / 3))


def test_of_the_score_of_cremi_rows_are_of_all_that_is_compared() -> None:
    """0 of the truth is a label; what is near a boundary is none."""
    truth = np.array([0, 0, 0, 1, 1, 2, 2, 2, NOT_COMPARED, NOT_COMPARED], np.uint64)
    table = Contingency.of(np.array([5, 5, 6, 6, 7, 7, 0, 8, 5, 9]), truth)
    cremi = Evaluate(metric="cremi")
    rows, score = neurons(table, cremi), scoring(cremi)(table)
    assert {row.object for row in rows} == {0, 1, 2}
    assert sum(row.split for row in rows) == pytest.approx(score.voi_split)
    assert sum(row.merge for row in rows) == pytest.approx(score.voi_merge)


def test_pieces_have_the_labels_that_they_are_of() -> None:
    """Ids that no double and no signed integer holds."""
    labels = np.array([0, 2**64 - 1, 2**64 - 2, 2**64 - 1], np.uint64)
    pieces = np.array([1, 1, 2, 3, 3, 3])
    table = Contingency.of(np.array([5, 5, 6, 6, 6, 7]), pieces)
    rows = neurons(table, Evaluate(connected=True), labels)
    assert {(row.object, row.label) for row in rows} == {
        (1, 2**64 - 1),
        (2, 2**64 - 2),
        (3, 2**64 - 1),
    }
    assert all(row.label == row.object for row in neurons(table, Evaluate()))
