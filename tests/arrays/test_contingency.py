"""Tables of blocks add up to the table of the whole; relabelling the table is relabelling the
array."""

import numpy as np
import pytest

from lsd.arrays.contingency import Contingency

BIG = 2**64 - 1


def _arrays(seed=0, shape=(9, 10, 11)):
    rng = np.random.default_rng(seed)
    ids = np.array([0, 1, 2**53, 2**53 + 1, BIG], np.uint64)
    return ids[rng.integers(0, 5, shape)], ids[rng.integers(0, 5, shape)]


def _equal(a: Contingency, b: Contingency) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("segments", "objects", "voxels")
    )


@pytest.mark.parametrize("cuts", [(3,), (1, 5, 8), ()])
def test_slabs_equal_the_whole(cuts) -> None:
    segmentation, truth = _arrays()
    mask = np.random.default_rng(1).random(truth.shape) < 0.7
    parts = zip(*(np.split(array, cuts) for array in (segmentation, truth, mask)), strict=True)
    total = sum((Contingency.of(s, t, mask=m) for s, t, m in parts), Contingency.empty())
    assert _equal(total, Contingency.of(segmentation, truth, mask=mask))
    assert total.voxels.sum() == mask.sum()


def test_order_of_blocks_does_not_matter() -> None:
    blocks = [Contingency.of(*_arrays(seed, (4, 4, 4))) for seed in range(4)]
    assert _equal(sum(blocks, Contingency.empty()), sum(blocks[::-1], Contingency.empty()))


def test_views_and_memory_orders() -> None:
    segmentation, truth = _arrays()
    expected = Contingency.of(segmentation[::2, :, 3:].copy(), truth[::2, :, 3:].copy())
    assert _equal(Contingency.of(segmentation[::2, :, 3:], truth[::2, :, 3:]), expected)
    assert _equal(
        Contingency.of(np.asfortranarray(segmentation), truth), Contingency.of(segmentation, truth)
    )


def test_relabelling() -> None:
    segmentation, truth = _arrays()
    nodes, segments = np.unique(segmentation), np.array([0, 7, 7, BIG, 9], np.uint64)
    relabelled = segments[np.searchsorted(nodes, segmentation)]
    assert _equal(
        Contingency.of(segmentation, truth).relabelled(nodes, segments),
        Contingency.of(relabelled, truth),
    )
