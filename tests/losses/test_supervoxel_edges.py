"""Critical edges against graphs of scipy, and the cases by name."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_critical import plain_critical_edges

from lsd.losses.supervoxel_edges import critical_edges
from lsd.targets.affinities import affinities

ROW = [(0, -1)]
NEAREST = [(-1, 0), (0, -1)]


@given(seed=st.integers(0, 2**32), dims=st.sampled_from([2, 3]), names=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_equals_the_definition(seed, dims, names):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, {2: 7, 3: 5}[dims], dims))
    offsets = [k for k in itertools.product(*(range(1 - n, n) for n in shape)) if any(k)]
    chosen = [offsets[i] for i in rng.permutation(len(offsets))[: rng.integers(1, 5)]]
    labels = rng.choice(np.array([0, 2**64 - 1, 2**63, 1, 2**64 - 2], np.uint64)[:names], shape)
    affs = rng.integers(0, 5, (len(chosen), *shape)) / 4
    mask = rng.random(shape) < 0.85 if rng.random() < 0.5 else None
    found = critical_edges(affs, labels, chosen, threshold=0.75, mask=mask)
    expected = plain_critical_edges(affs, labels, chosen, threshold=0.75, mask=mask)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def of_row(labels, affs):
    splits, merges = critical_edges(np.array([[affs]]), np.array([labels]), ROW)
    return splits[0, 0].tolist(), merges[0, 0].tolist()


@pytest.mark.parametrize(
    ("labels", "affs", "splits", "merges"),
    [
        # what is right
        ([1, 1, 2, 2], [0, 1, 0, 1], [], []),
        # a cut
        ([1, 1, 1, 2], [0, 1, 0.4, 0], [2], []),
        # at the threshold an edge joins
        ([1, 1, 1, 2], [0, 1, 0.5, 0], [], []),
        # two that touch
        ([1, 1, 2, 2], [0, 1, 0.5, 1], [], [2]),
        # through background
        ([1, 0, 0, 2], [0, 0.9, 0.9, 0.9], [], [1, 2, 3]),
        # which is left before the other object
        ([1, 0, 0, 2], [0, 0.9, 0.9, 0.1], [], []),
        # there and back to the same object
        ([1, 0, 0, 1], [0, 0.9, 0.9, 0.9], [], []),
        # background alone
        ([0, 0, 0, 0], [0, 0.9, 0.9, 0.9], [], []),
    ],
)
def test_cases_by_name(labels, affs, splits, merges):
    found_splits, found_merges = of_row(labels, affs)
    assert found_splits == [place in splits for place in range(4)]
    assert found_merges == [place in merges for place in range(4)]


def test_a_missing_edge_that_others_bypass_splits_nothing():
    labels = np.ones((2, 2), np.uint64)
    affs = affinities(labels, NEAREST)[0]
    affs[1, 0, 1] = 0.1
    splits, _ = critical_edges(affs, labels, NEAREST)
    assert not splits.any()
    affs[1, 1, 1] = 0.1
    splits, _ = critical_edges(affs, labels, NEAREST)
    assert splits.sum() == 2


def test_logits_have_their_own_threshold():
    affs, labels = np.random.default_rng(0).random((2, 9, 9)), np.ones((9, 9), int)
    labels[:, 4:] = 2
    logits = np.log(affs / (1 - affs))
    np.testing.assert_array_equal(
        critical_edges(logits, labels, NEAREST, threshold=0), critical_edges(affs, labels, NEAREST)
    )


@pytest.mark.parametrize(
    ("affs", "message"),
    [
        (np.zeros((3, 4, 5)), "3 channels"),
        (np.zeros((2, 4, 4)), r"shape \(2, 4, 4\), labels \(4, 5\)"),
        (np.full((2, 4, 5), np.nan), "NaN"),
    ],
)
def test_what_does_not_fit_is_refused(affs, message):
    with pytest.raises(ValueError, match=message):
        critical_edges(affs, np.ones((4, 5), int), NEAREST)
