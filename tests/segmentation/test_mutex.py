"""Mutex watershed on affinities made from labels."""

import sys

import numpy as np
import pytest

from lsd.arrays.pairs import count_pairs
from lsd.segmentation.mutex import mutex

OFFSETS = ((-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0), (0, -3, 0), (0, 0, -3), (-2, -2, 0))


def _labels():
    labels = np.ones((8, 12, 12), np.uint64)
    labels[:, 6:] = 2
    labels[:3, 6:, 6:] = 3
    labels[5:, :2] = 0
    return labels


def _affs(labels, offsets):
    affs = np.zeros((len(offsets), *labels.shape), np.float32)
    for channel, offset in enumerate(offsets):
        for p in np.ndindex(*labels.shape):
            q = tuple(np.add(p, offset))
            if all(0 <= i < s for i, s in zip(q, labels.shape, strict=True)):
                affs[(channel, *p)] = labels[p] == labels[q] != 0
    return affs


def _same_partition(a, b) -> bool:
    return len(count_pairs(a, b).first) == len(np.unique(a)) == len(np.unique(b))


@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 3, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_perfect_affinities_give_the_labels_back(stride, dtype) -> None:
    pytest.importorskip("mwatershed")
    labels = _labels()
    affs = _affs(labels, OFFSETS)
    affs = (affs * 255).astype(np.uint8) if dtype == np.uint8 else affs
    kept = affs.copy()
    found = mutex(affs, OFFSETS, stride=stride)
    assert found.dtype == np.uint64
    assert np.unique(found).tolist() == [0, 1, 2, 3]
    assert _same_partition(found, labels)
    assert np.array_equal(affs, kept)
    assert np.array_equal(found, mutex(affs, OFFSETS, stride=stride))


def test_bias_decides_between_joining_and_parting() -> None:
    pytest.importorskip("mwatershed")
    affs = np.full((3, 4, 4, 4), 0.6, np.float32)
    assert mutex(affs, OFFSETS[:3], bias=(0.0, 0.0)).max() == 1
    assert not mutex(affs, OFFSETS[:3], bias=(-0.2, 0.0)).any()


def test_mask_and_small_segments() -> None:
    pytest.importorskip("mwatershed")
    labels = _labels()
    mask = np.ones(labels.shape, bool)
    mask[:, :, 5] = False
    found = mutex(_affs(labels, OFFSETS[:3]), OFFSETS[:3], mask=mask, min_size=150)
    assert not found[~mask].any()
    assert len(np.unique(found[:, :6, :5])) == 2
    assert found[0, 0, 0] != found[0, 0, 7]
    assert not found[labels == 3].any()


def test_sections_of_a_2d_network() -> None:
    pytest.importorskip("mwatershed")
    labels = _labels()
    affs = _affs(labels, OFFSETS[1:3])
    found = mutex(affs, ((-1, 0), (0, -1)))
    for z in range(len(labels)):
        assert _same_partition(found[z], labels[z])
    assert not set(np.unique(found[0])) & set(np.unique(found[1])) - {0}
    np.testing.assert_array_equal(mutex(affs[:, 0], ((-1, 0), (0, -1))), found[0])


def test_errors(monkeypatch) -> None:
    with pytest.raises(ValueError, match="do not fit the 2 offsets"):
        mutex(np.zeros((3, 2, 2, 2)), OFFSETS[:2])
    with pytest.raises(ValueError, match="mask has shape"):
        mutex(np.zeros((2, 2, 2, 2)), OFFSETS[:2], mask=np.ones((2, 2)))
    for bias in ((float("nan"), 0.0), (0.1,), (0.0, float("inf"))):
        with pytest.raises(ValueError, match="bias is two finite numbers"):
            mutex(np.zeros((2, 2, 2, 2)), OFFSETS[:2], bias=bias)
    monkeypatch.setitem(sys.modules, "mwatershed", None)
    with pytest.raises(ImportError, match=r"lsd-framework\[mutex\]"):
        mutex(np.zeros((2, 2, 2, 2)), OFFSETS[:2])
