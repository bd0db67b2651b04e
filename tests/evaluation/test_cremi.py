"""The score of cremi.org, against its definition over whole arrays."""

import math

import numpy as np
import pytest
from scipy import ndimage
from segmented_volumes import ROI, VOXEL_SIZE, segments_of, truth_of, with_evaluate

from lsd.arrays.contingency import Contingency
from lsd.evaluation.boundaries import NOT_COMPARED, near_boundaries
from lsd.evaluation.metric import scoring
from lsd.evaluation.run import evaluate
from lsd.segmentation.threshold import array_name
from lsd.spec import Cremi, Evaluate


def near(labels, pixel, distance):
    """By definition: pixels at most so far, in pixels of x, from one that has another neighbour."""
    mask = np.zeros(labels.shape, bool)
    for z, section in enumerate(labels):
        rows, columns = section.shape
        places = [
            (y, x)
            for y in range(rows)
            for x in range(columns)
            if any(
                section[v, u] != section[y, x]
                for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
                if 0 <= v < rows and 0 <= u < columns
            )
        ]
        for y in range(rows):
            for x in range(columns):
                mask[z, y, x] = any(math.hypot(y - v, x - u) <= distance / pixel for v, u in places)
    return mask


def entropy(counts):
    p = np.asarray(counts)[np.asarray(counts) > 0] / np.sum(counts)
    return -(p * np.log2(p)).sum()


def score(segmentation, truth, left_out):
    """VOI of what is compared, segment 0 a segment; Rand as written for SNEMI3D, with a dense
    table: truth that is compared in rows 1.., segment 0 in column 0."""
    n = truth.size
    rows = np.where(left_out, 0, np.unique(truth, return_inverse=True)[1].reshape(truth.shape) + 1)
    names = np.unique(np.append(segmentation, 0))
    columns = np.searchsorted(names, segmentation)
    table = np.zeros((rows.max() + 1, len(names)))
    np.add.at(table, (rows.ravel(), columns.ravel()), 1)
    table = table[1:]
    both = entropy(table.ravel())
    split, merge = both - entropy(table.sum(axis=1)), both - entropy(table.sum(axis=0))
    outside = table[:, 0].sum() / n
    in_truth = (table.sum(axis=1) ** 2).sum()
    in_segments = (table[:, 1:].sum(axis=0) ** 2).sum() + outside
    in_both = (table[:, 1:] ** 2).sum() + outside
    precision, recall = in_both / in_segments, in_both / in_truth
    arand = 1 - 2 * precision * recall / (precision + recall)
    return split, merge, arand, math.sqrt((split + merge) * arand)


def numbers(found):
    return (found.voi_split, found.voi_merge, found.arand, found.score)


@pytest.mark.parametrize("distance", [0, 8, 17])
def test_pixels_near_boundaries(distance) -> None:
    rng = np.random.default_rng(3)
    labels = np.kron(rng.integers(0, 4, (2, 4, 4)), np.ones((1, 4, 5))).astype(np.uint64)
    labels[1] = 7
    found = near_boundaries(labels, voxel_size=(40, 8, 8), distance=distance)
    assert (found == near(labels, 8, distance)).all()
    assert not found[1].any(), "a section of one label has no boundary"


def test_pixels_that_are_not_square_are_measured_in_nm() -> None:
    labels = np.ones((1, 9, 9), np.uint64)
    labels[:, :, 4:] = 2
    labels[:, 8, :4] = 3
    found = near_boundaries(labels, voxel_size=(40, 10, 4), distance=11)[0]
    assert found[0].tolist() == [False, *[True] * 6, False, False], "3 and 4 touch, 2 pixels of 4"
    assert found[5:, 0].tolist() == [False, True, True, True]


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_definition(seed) -> None:
    """With background in both; 0 of the truth is a label."""
    rng = np.random.default_rng(seed)
    truth = ndimage.zoom(rng.integers(0, 4, (3, 4, 4)), (1, 5, 5), order=0).astype(np.uint64)
    segmentation = ndimage.zoom(rng.integers(0, 5, (3, 5, 5)), (1, 4, 4), order=0).astype(np.uint64)
    left_out = near(truth, 4, 5)
    table = Contingency.of(segmentation, np.where(left_out, np.uint64(NOT_COMPARED), truth))
    found = scoring(Evaluate(metric=Cremi(boundary=5)))(table)
    assert numbers(found) == pytest.approx(score(segmentation, truth, left_out))
    assert found.objective == found.score


def test_perfect_and_pooled() -> None:
    truth = np.repeat(np.arange(4, dtype=np.uint64), 6).reshape(1, 4, 6)
    cremi = scoring(Evaluate(metric="cremi"))
    perfect = cremi(Contingency.of(truth + 1, truth))
    assert numbers(perfect) == pytest.approx((0, 0, 0, 0), abs=1e-12)
    merged = cremi(Contingency.of(np.ones_like(truth), truth))
    pooled = perfect.pool([merged, merged])
    assert pooled.samples == 3
    assert pooled.score == pytest.approx(2 * merged.score / 3), "the mean, as cremi.org has it"


def test_blocks_are_as_the_whole(config) -> None:
    """Boundaries reach over faces of blocks, not over the border of the volume."""
    config = with_evaluate(config, metric=Cremi(boundary=12), use_mask=False, block=(5, 7, 10))
    found = evaluate(config).volumes["c"]
    truth = truth_of(2)
    left_out = near(truth, VOXEL_SIZE[2], 12)
    assert 0 < left_out.mean() < 1
    assert found.roi == ROI
    for threshold in (0.2, 0.6):
        segmentation = segments_of(config, "c", array_name(threshold))
        expected = score(segmentation, truth, left_out)
        assert numbers(found.sweep[threshold]) == pytest.approx(expected)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"connected=True makes new labels .* 'cremi'"):
        Evaluate(metric="cremi", connected=True)
    with pytest.raises(ValueError, match="which the metric 'cremi' takes for"):
        Evaluate(metric="cremi", background="ignore")
    with pytest.raises(ValueError, match="nothing to score"):
        scoring(Evaluate(metric="cremi"))(
            Contingency.of(
                np.ones((1, 2, 2), np.uint64), np.full((1, 2, 2), NOT_COMPARED, np.uint64)
            )
        )
