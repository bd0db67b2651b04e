"""Counts of pairs against plain Python, and what they are by definition."""

import itertools
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_kruskal import plain_pair_counts

from lsd.losses.malis import pair_counts
from lsd.targets.affinities import affinities

NEAREST = {2: [(-1, 0), (0, -1)], 3: [(-1, 0, 0), (0, -1, 0), (0, 0, -1)]}
LARGEST = np.uint64(2**64 - 1)


@st.composite
def volumes(draw):
    """affs, labels, neighborhood, mask: tiny, with ties, long offsets, and the largest ids."""
    dims = draw(st.sampled_from([2, 3]))
    shape = tuple(draw(st.lists(st.integers(2, 5), min_size=dims, max_size=dims)))
    steps = [range(1 - n, n) for n in shape]
    offsets = [offset for offset in itertools.product(*steps) if any(offset)]
    chosen = draw(st.lists(st.sampled_from(offsets), min_size=1, max_size=4, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    names = np.array([0, LARGEST, LARGEST - 1, 2**63, 5, 6, 7, 8], np.uint64)
    labels = rng.choice(names[: draw(st.integers(1, 8))], shape)
    affs = rng.random((len(chosen), *shape))
    kind = draw(st.sampled_from(["float16", "float32", "float64", "uint8", "ties", "ends"]))
    if kind == "ties":
        affs = np.round(affs * 3).astype(np.float32) / 3
    elif kind == "ends":
        affs = np.where(affs < 0.3, -0.0, np.where(affs < 0.5, 0.0, np.where(affs > 0.7, 1, affs)))
    else:
        affs = (affs * 255 if kind == "uint8" else affs).astype(kind)
    mask = rng.random(shape) < 0.8 if draw(st.booleans()) else None
    return affs, labels, chosen, mask


@pytest.mark.slow
@given(volumes())
@settings(max_examples=80, deadline=None)
def test_equals_plain_kruskal(volume):
    affs, labels, neighborhood, mask = volume
    expected = plain_pair_counts(affs, labels, neighborhood, mask=mask)
    for threads in (1, 2):
        found = pair_counts(affs, labels, neighborhood, mask=mask, threads=threads)
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == np.int64
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", range(300))
def test_ties_among_edges_that_lead_backwards(seed):
    """Sets that were joined at affinity 1 need not be named by their first voxel."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (4, 4)).astype(np.uint64) * LARGEST
    affs = (rng.integers(0, 4, (2, 4, 4)) / 3).astype(np.float32)
    neighborhood = [(0, -1), (-1, -2)]
    found = pair_counts(affs, labels, neighborhood, threads=1)
    expected = plain_pair_counts(affs, labels, neighborhood)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("side", "shares"), [(33, [1, 8, 1]), (22, np.ones(9000))])
def test_many_edges_equal_plain_kruskal(side, shares):
    """So many in one object that they are sorted in parts; so many labels that their table grows.

    shares: of voxels of each label, 0 first
    """
    rng = np.random.default_rng(side)
    labels = rng.choice(len(shares), (side,) * 3, p=np.array(shares) / np.sum(shares))
    affs = rng.random((3, *labels.shape), np.float32)
    mask = rng.random(labels.shape) < 0.97
    found = pair_counts(affs, labels, NEAREST[3], mask=mask)
    expected = plain_pair_counts(affs, labels, NEAREST[3], mask=mask)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dims", [2, 3])
def test_every_pair_is_counted_once(dims):
    """Where all is joined in the end: pairs of two objects; and pairs of one object where its own
    edges join it."""
    labels = np.zeros((6, 7, 8)[-dims:], np.uint64)
    labels[..., :3], labels[..., 4:] = 4, 9
    affs = np.random.default_rng(0).random((dims, *labels.shape))
    positive, negative = pair_counts(affs, labels, NEAREST[dims])
    sizes = [int((labels == label).sum()) for label in (4, 9)]
    assert negative.sum() == sizes[0] * sizes[1]
    assert positive.sum() == sum(size * (size - 1) // 2 for size in sizes)
    target, _ = affinities(labels, NEAREST[dims])
    assert (positive[target == 0] == 0).all()
    assert (negative[target == 1] == 0).all()


def test_the_wrong_edge_that_matters_has_all_pairs():
    """One hole in a membrane: all of one side times all of the other; of the next hole, nothing is
    left."""
    labels = np.repeat([[1, 1, 0, 2, 2]], 3, axis=0).astype(np.uint64)
    affs = affinities(labels, NEAREST[2])[0]
    affs[1, 1, 2], affs[1, 1, 3] = 0.8, 0.9
    affs[1, 0, 2], affs[1, 0, 3] = 0.7, 0.7
    _, negative = pair_counts(affs, labels, NEAREST[2])
    assert negative[1, 1].tolist() == [0, 0, 36, 0, 0]
    assert negative.sum() == 36


def test_equal_affinities_go_by_channel_and_then_by_voxel():
    labels = np.array([[1, 1], [1, 1]])
    affs = np.full((2, 2, 2), 0.5, np.float32)
    positive, _ = pair_counts(affs, labels, NEAREST[2])
    assert positive.tolist() == [[[0, 0], [1, 1]], [[0, 4], [0, 0]]]
    positive, _ = pair_counts(affs, labels, NEAREST[2][::-1])
    assert positive.tolist() == [[[0, 1], [0, 1]], [[0, 0], [4, 0]]]


def test_neighbouring_floats_are_told_apart():
    """float32 and float64 are sorted by all of their bits."""
    labels = np.array([[3, 3, 3]])
    for dtype in (np.float32, np.float64):
        low = dtype(0.7)
        for affs in ([0, low, np.nextafter(low, dtype(1))], [0, np.nextafter(low, dtype(1)), low]):
            array = np.array([[affs]], dtype)
            positive, _ = pair_counts(array, labels, [(0, -1)])
            assert positive[0, 0, np.argmax(affs)] == 1
            assert positive.sum() == 3


def test_what_is_unknown_is_of_no_matter():
    """Labels outside of the mask change nothing, and edges with an end there count nothing but
    join."""
    labels = np.array([[1, 1, 7, 1, 1]])
    mask = labels != 7
    affs = np.array([[[0, 0.9, 0.5, 0.4, 0.8]]], np.float32)
    positive, negative = pair_counts(affs, labels, [(0, -1)], mask=mask)
    assert positive.tolist() == [[[0, 1, 0, 0, 1]]]
    assert not negative.any()
    for other in (0, 1, 2):
        changed = np.where(mask, labels, other)
        again = pair_counts(affs, changed, [(0, -1)], mask=mask)
        np.testing.assert_array_equal(again, (positive, negative))
    wide = np.array([[[0, 0.9, 0.5, 0.4, 0.3]]], np.float32)
    positive, _ = pair_counts(wide, labels, [(0, -1)], mask=mask)
    assert positive.tolist() == [[[0, 1, 0, 0, 3]]], "unknown edges joined the others before"


def test_arrays_are_not_changed_and_may_lie_anyhow():
    rng = np.random.default_rng(3)
    labels, affs = rng.integers(0, 4, (5, 6, 7)), rng.random((3, 5, 6, 7))
    before = labels.copy(), affs.copy()
    expected = pair_counts(affs, labels, NEAREST[3])
    np.testing.assert_array_equal(labels, before[0])
    np.testing.assert_array_equal(affs, before[1])
    fortran, swapped = np.asfortranarray(affs), labels.astype(">i8")
    np.testing.assert_array_equal(pair_counts(fortran, swapped, NEAREST[3]), expected)
    swapped = affs.astype(">f8")[:, ::-1]
    turned = pair_counts(swapped[:, ::-1], labels.tolist(), NEAREST[3])
    np.testing.assert_array_equal(turned, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"affs": np.zeros((3, 4, 5))}, "3 channels"),
        ({"affs": np.zeros((2, 4, 6))}, r"affinities have shape \(2, 4, 6\), labels \(4, 5\)"),
        ({"affs": 0.5}, r"affinities have shape \(\), labels"),
        ({"neighborhood": (0, -1)}, "a neighborhood is a list of offsets"),
        ({"affs": np.full((2, 4, 5), 1.5)}, "1.5..1.5, allowed: 0..1; apply a sigmoid"),
        ({"affs": np.full((2, 4, 5), np.nan)}, "nan..nan"),
        ({"affs": np.zeros((2, 4, 5), np.int64)}, "dtype int64"),
        ({"labels": np.full((4, 5), -1)}, "labels: ids are 0"),
        ({"labels": np.full((4, 5), 0.5)}, "labels: ids must be whole numbers, .*float64"),
        ({"mask": np.ones((4, 6))}, r"mask has shape \(4, 6\)"),
        ({"neighborhood": [(0, -1), (0, -1)]}, "twice"),
        ({"neighborhood": NEAREST[3][:2]}, "one entry an axis"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    fitting = {"affs": np.zeros((2, 4, 5)), "labels": np.ones((4, 5), int), "mask": None}
    fields = {**fitting, "neighborhood": NEAREST[2], **change}
    with pytest.raises(ValueError, match=message):
        pair_counts(fields["affs"], fields["labels"], fields["neighborhood"], mask=fields["mask"])


def test_an_offset_longer_than_the_volume_is_told():
    with pytest.warns(UserWarning, match="longer than the volume"):
        positive, negative = pair_counts(np.ones((1, 2, 3)), np.ones((2, 3), int), [(0, -3)])
    assert not positive.any()
    assert not negative.any()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 2, 2), (2, 0, 2), (2, 2, 0)])
def test_without_a_voxel_there_is_no_pair(shape):
    """Several times: what lies beyond an empty array is another thing each time."""
    offset = (*(0,) * (len(shape) - 1), -1)
    for _ in range(20):
        with pytest.warns(UserWarning, match="longer") if shape[-1] == 0 else nullcontext():
            counts = pair_counts(np.zeros((1, *shape)), np.zeros(shape, int), [offset])
        assert [count.shape for count in counts] == [(1, *shape)] * 2


def test_a_single_voxel_has_no_pair():
    with pytest.warns(UserWarning, match="longer than the volume"):
        counts = pair_counts(np.zeros((1, 1, 1)), np.ones((1, 1), int), [(0, -1)])
    assert not np.any(counts)
