"""Scores from their definitions, against scikit-image, and against other systems' known scores."""

import math
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import adapted_rand_error, variation_of_information

from lsd.arrays.contingency import Contingency
from lsd.evaluation.partition import compare, score
from lsd.evaluation.score import pool

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
BIG = 2**64 - 1
LABELS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=14)


def _conditional_entropy(of, given_):
    """H(of | given), bits, by its definition."""
    total, joint, marginal = len(of), Counter(zip(of, given_, strict=True)), Counter(given_)
    return -sum(n / total * math.log2(n / marginal[g]) for (_, g), n in joint.items())


def _pairs(segmentation, truth):
    pairs = list(combinations(range(len(truth)), 2))
    same_s = [segmentation[i] == segmentation[j] for i, j in pairs]
    same_t = [truth[i] == truth[j] for i, j in pairs]
    return sum(a and b for a, b in zip(same_s, same_t, strict=True)), sum(same_s), sum(same_t)


def _expected(values, background):
    """The voxels that are scored, with an id of its own for each voxel of the background where
    these are singletons."""
    kept = [(s, t) for s, t in values if t != 0 and not (background == "ignore" and s == 0)]
    if background == "singletons":
        kept = [(s or f"voxel {i}", t) for i, (s, t) in enumerate(kept)]
    return [s for s, _ in kept], [t for _, t in kept]


@settings(max_examples=60, deadline=None)
@given(LABELS, st.sampled_from(["label", "ignore", "singletons"]))
def test_definitions(values, background) -> None:
    segmentation, truth = _expected(values, background)
    arrays = [np.array([value[i] for value in values]) for i in (0, 1)]
    if not truth:
        with pytest.raises(ValueError, match="nothing to score"):
            compare(*arrays, background=background)
        return
    found = compare(*arrays, background=background)
    assert found.voi_split == pytest.approx(_conditional_entropy(segmentation, truth), abs=1e-12)
    assert found.voi_merge == pytest.approx(_conditional_entropy(truth, segmentation), abs=1e-12)
    both, in_segmentation, in_truth = _pairs(segmentation, truth)
    assert found.rand_precision == pytest.approx(both / in_segmentation if in_segmentation else 1)
    assert found.rand_recall == pytest.approx(both / in_truth if in_truth else 1)
    sides = in_segmentation + in_truth
    assert found.arand == pytest.approx(1 - 2 * both / sides if sides else 0)
    assert found.cremi == pytest.approx(math.sqrt(found.voi_sum * found.arand))
    assert found.voxels == len(truth)
    assert found.objects == len(set(truth))
    assert found.segments == len({s for s in segmentation if isinstance(s, int) and s > 0})


def test_against_scikit_image() -> None:
    rng = np.random.default_rng(0)
    truth, segmentation = rng.integers(0, 9, (8, 20, 20)), rng.integers(0, 30, (8, 20, 20))
    found = compare(segmentation, truth)
    split, merge = variation_of_information(truth[truth > 0], segmentation[truth > 0])
    assert (found.voi_split, found.voi_merge) == pytest.approx((split, merge))
    # scikit-image divides by the truth's pairs for "precision", by the segmentation's for "recall"
    error, recall, precision = adapted_rand_error(truth[truth > 0], segmentation[truth > 0])
    assert (found.arand, found.rand_precision, found.rand_recall) == pytest.approx(
        (error, precision, recall)
    )


def _labels(seed, shape=(6, 7, 8), count=5):
    return np.random.default_rng(seed).integers(1, count + 1, shape).astype(np.uint64)


@pytest.mark.parametrize("background", ["label", "ignore", "singletons"])
def test_a_partition_equals_itself(background) -> None:
    labels = _labels(0)
    found = compare(labels, labels, background=background)
    assert found.voi_sum == 0
    assert found.arand == 0
    assert found.rand_precision == found.rand_recall == 1
    assert found.cremi == 0


def test_names_do_not_matter() -> None:
    segmentation, truth = _labels(0), _labels(1)
    names = np.array([0, BIG, BIG - 1, 2**53, 2**53 + 1, 7], np.uint64)
    found, expected = (
        compare(names[segmentation], names[::-1][truth], ignore=()),
        compare(segmentation, truth, ignore=()),
    )
    assert found.as_dict() == pytest.approx(expected.as_dict() | {"segments": 5})


def test_cutting_and_merging() -> None:
    truth = np.repeat([1, 2], 8)
    halves = compare(np.repeat([1, 2, 3, 4], 4), truth)
    assert (halves.voi_split, halves.voi_merge) == (1, 0)
    one = compare(np.full(16, 5), truth)
    assert (one.voi_split, one.voi_merge) == (0, 1)


def test_masks_and_ignored_labels() -> None:
    segmentation, truth = _labels(0), _labels(1)
    mask = np.random.default_rng(2).random(truth.shape) < 0.5
    assert compare(segmentation, truth, mask=mask) == compare(segmentation[mask], truth[mask])
    kept = ~np.isin(truth, [2, 4])
    assert compare(segmentation, truth, ignore=(2, 4)) == compare(segmentation[kept], truth[kept])


def test_pooled_volumes_are_one_volume() -> None:
    a, b = (_labels(0), _labels(1)), (_labels(2, (3, 4, 5)), _labels(3, (3, 4, 5)))
    apart = [
        np.concatenate([x.ravel(), y.ravel() + np.uint64(100)]) for x, y in zip(a, b, strict=True)
    ]
    assert pool([compare(*a), compare(*b)]).as_dict() == pytest.approx(compare(*apart).as_dict())
    with pytest.raises(ValueError, match="no volume was scored"):
        pool([])


def test_errors() -> None:
    labels = _labels(0)
    with pytest.raises(ValueError, match="must agree"):
        compare(labels, labels[1:])
    with pytest.raises(ValueError, match="must agree"):
        compare(labels, labels, mask=labels[0])
    with pytest.raises(ValueError, match="float64"):
        compare(labels.astype(float), labels)
    with pytest.raises(ValueError, match=r"truth: .* got -3"):
        compare(labels, labels.astype(int) - 4)
    with pytest.raises(ValueError, match="nothing to score"):
        compare(labels, np.zeros_like(labels))
    with pytest.raises(ValueError, match=r"nothing to score: no voxel is compared; check .* mask"):
        compare(labels, labels, mask=np.zeros(labels.shape, bool))
    with pytest.raises(ValueError, match="allowed: label, ignore, singletons"):
        compare(labels, labels, background="none")


@pytest.mark.faults
def test_other_systems_on_fib25() -> None:
    zarr = pytest.importorskip("zarr")
    if not (DATA / "fib25.zarr").exists():
        pytest.skip("fib25.zarr is not here")
    volumes = zarr.open(str(DATA / "fib25.zarr"), "r")["volumes"]
    truth = volumes["labels/neuron_ids"][:]
    neuroproof = compare(volumes["predictions/fragments_neuroproof"][:], truth)
    ffn = Contingency.of(volumes["predictions/segmentation_ffn"][:], truth)
    for found, split, merge, arand in (
        (neuroproof, 2.41, 0.33, 0.271),
        (score(ffn), 0.90, 0.92, 0.157),
        (score(ffn, background="ignore"), 0.61, 0.26, 0.056),
    ):
        assert found.voi_split == pytest.approx(split, abs=0.006)
        assert found.voi_merge == pytest.approx(merge, abs=0.006)
        assert found.arand == pytest.approx(arand, abs=0.0006)
