"""Critical voxels against masks of scipy, and the cases by name."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_critical import plain_critical
from scipy import ndimage

from lsd.losses.supervoxel import critical

RULES = [(2, 4), (2, 8), (3, 6), (3, 18), (3, 26)]
CRITERIA = ["joint", "individual"]
NAMES = np.array([0, 2**64 - 1, 2**64 - 2, 2**63, 3], np.uint64)


@pytest.mark.parametrize(("dims", "connectivity"), RULES)
@pytest.mark.parametrize("criterion", CRITERIA)
@given(seed=st.integers(0, 2**32), names=st.integers(2, 5), right=st.floats(0.3, 0.95))
@settings(max_examples=25, deadline=None)
def test_equals_the_definition(dims, connectivity, criterion, seed, names, right):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, {2: 9, 3: 6}[dims], dims))
    truth = rng.choice(NAMES[:names], shape)
    prediction = np.where(rng.random(shape) < right, truth != 0, truth == 0)
    mask = rng.random(shape) < 0.85 if rng.random() < 0.5 else None
    found = critical(truth, prediction, connectivity=connectivity, criterion=criterion, mask=mask)
    expected = plain_critical(
        truth, prediction, connectivity=connectivity, criterion=criterion, mask=mask
    )
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.bool_
        np.testing.assert_array_equal(one, other)


ROD = np.ones((3, 9), np.uint64)
WITH_MARGIN = np.pad(ROD, 2)


def changed(labels, *places, to=None):
    """The foreground of labels with these places turned over."""
    prediction = labels != 0
    for place in places:
        prediction[place] = ~prediction[place] if to is None else to
    return prediction


CASES = {
    "both empty": (np.zeros((4, 5)), np.zeros((4, 5), bool), 0, 0),
    "all background, and found so but for a speck": (
        np.zeros((4, 5)), changed(np.zeros((4, 5)), (1, 2)), 0, 1,
    ),
    "a missed object of one voxel": (np.eye(1, 7, 3), np.zeros((1, 7), bool), 1, 0),
    "a speck beside an object": (WITH_MARGIN, changed(WITH_MARGIN, (0, 0)), 0, 1),
    "truth full, prediction empty": (ROD, np.zeros(ROD.shape, bool), 1, 0),
    "truth empty, prediction full": (0 * ROD, np.ones(ROD.shape, bool), 0, 1),
    "a nibble off an end": (ROD, changed(ROD, (slice(None), 0)), 0, 0),
    "a hole": (ROD, changed(ROD, (1, 4)), 0, 0),
    "a cut through the middle": (ROD, changed(ROD, (slice(None), 4)), 1, 0),
    "a spur": (WITH_MARGIN, changed(WITH_MARGIN, (slice(0, 2), 4)), 0, 0),
    "a bridge between two": (
        np.repeat([[1, 1, 0, 0, 2]], 2, axis=0), changed(np.repeat([[1, 1, 0, 0, 2]], 2, axis=0),
        (0, slice(2, 4))), 0, 1,
    ),
    "two that touch are no wrong voxel": (np.array([[1, 1, 2, 2]]), np.ones((1, 4), bool), 0, 0),
    "touching objects hide no split": (
        np.array([[2, 2, 2], [1, 1, 1]]), np.array([[1, 1, 1], [1, 0, 1]], bool), 1, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dims", [2, 3])
def test_cases_by_name(name, criterion, dims):
    """In 2D, and as a section of 3D."""
    truth, prediction, wanted_splits, wanted_merges = CASES[name]
    truth = truth.astype(np.uint64)
    if dims == 3:
        truth, prediction = truth[None], prediction[None]
    for connectivity in [rule for of, rule in RULES if of == dims]:
        splits, merges = critical(truth, prediction, connectivity=connectivity, criterion=criterion)
        assert (ndimage.label(splits)[1], ndimage.label(merges)[1]) == (
            wanted_splits,
            wanted_merges,
        )


def ring(*cut):
    """A ring, and a prediction that misses some of it."""
    truth = np.ones((5, 5), np.uint64)
    truth[1:4, 1:4] = 0
    prediction = truth != 0
    for place in cut:
        prediction[place] = False
    return truth, prediction


def test_a_ring_that_is_cut_twice_is_split_for_joint_alone():
    splits, _ = critical(*ring((0, 2)), connectivity=4)
    assert not splits.any(), "one cut opens a ring, which stays one"
    truth, prediction = ring((0, 2), (4, 2))
    splits, _ = critical(truth, prediction, connectivity=4)
    assert splits.sum() == 2
    splits, _ = critical(truth, prediction, connectivity=4, criterion="individual")
    assert not splits.any()


def test_a_false_positive_that_closes_a_loop_merges_nothing():
    truth, _ = ring()
    prediction = truth != 0
    truth[0, 2] = 0
    for criterion in CRITERIA:
        _, merges = critical(truth, prediction, connectivity=4, criterion=criterion)
        assert not merges.any()


@pytest.mark.parametrize(("dims", "connectivity"), RULES)
def test_a_diagonal_is_connected_where_the_connectivity_says_so(dims, connectivity):
    for step in itertools.product((0, 1), repeat=dims):
        differing = sum(step)
        if differing < 1:
            continue
        truth = np.zeros((3,) * dims, np.uint64)
        for times in range(3):
            truth[tuple(times * k for k in step)] = 1
        prediction = truth != 0
        prediction[step] = False
        splits, _ = critical(truth, prediction, connectivity=connectivity)
        most = {4: 1, 8: 2, 6: 1, 18: 2, 26: 3}[connectivity]
        assert splits.sum() == 1, "cut in two, or lost by itself"
        prediction[tuple(2 * k for k in step)] = False
        splits, _ = critical(truth, prediction, connectivity=connectivity)
        assert splits.sum() == (0 if differing <= most else 2)


def test_perfect_and_permuted():
    """No mistake is critical where there is none; names and axes are of no matter."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 4, (6, 7, 8)).astype(np.uint64)
    assert not np.any(critical(truth, truth != 0, connectivity=18))
    prediction = rng.random(truth.shape) < 0.6
    found = critical(truth, prediction, connectivity=18)
    renamed = np.array([0, 9, 2**64 - 1, 4], np.uint64)[truth]
    np.testing.assert_array_equal(critical(renamed, prediction, connectivity=18), found)
    turned = critical(truth.T[::-1], prediction.T[::-1], connectivity=18)
    np.testing.assert_array_equal([mask[::-1].T for mask in turned], found)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 2, 2), (2, 0, 2), (2, 2, 0)])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_without_a_voxel_there_is_no_mistake(shape, criterion):
    rule = {"connectivity": 4 if len(shape) == 2 else 6, "criterion": criterion}
    found = critical(np.zeros(shape, int), np.zeros(shape, bool), **rule)
    assert [mask.shape for mask in found] == [shape] * 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"connectivity": 8}, "connectivity 8 does not exist in 3D; allowed: 6, 18, 26"),
        ({"criterion": "both"}, "criterion 'both' is unknown; allowed: joint, individual"),
        ({"prediction": np.full((2, 3, 4), 0.3)}, "dtype float64; wanted: a mask"),
        ({"prediction": np.ones((2, 3, 5), bool)}, r"shape \(2, 3, 5\), truth \(2, 3, 4\)"),
        ({"truth": np.full((2, 3, 4), -1)}, "truth: ids are 0"),
        ({"truth": np.ones((1, 2, 3, 4), int)}, "truth: ids are 2D or 3D"),
        ({"mask": np.ones((2, 3, 5), bool)}, r"mask has shape \(2, 3, 5\)"),
    ],
)
def test_what_does_not_fit_is_refused(fields, message):
    given = {"truth": np.ones((2, 3, 4), int), "prediction": np.ones((2, 3, 4), bool), **fields}
    rule = {"connectivity": 6, "criterion": "joint", "mask": None}
    rule |= {name: given[name] for name in rule if name in given}
    with pytest.raises(ValueError, match=message):
        critical(given["truth"], given["prediction"], **rule)
