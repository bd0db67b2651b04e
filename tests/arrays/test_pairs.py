"""Counts of pairs against a dictionary, touching pairs against a loop."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsd.arrays import pairs as module
from lsd.arrays.pairs import count_pairs, sum_pairs, touching

BIG = 2**64 - 1


def _counter(pairs):
    return Counter({(int(a), int(b)): int(n) for a, b, n in zip(*pairs, strict=True)})


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 2, 2**53, 2**53 + 1, BIG]), st.integers(0, 3)),
        min_size=1,
        max_size=60,
    )
)
def test_against_a_dictionary(values) -> None:
    a, b = np.array([v[0] for v in values], np.uint64), np.array([v[1] for v in values], np.uint8)
    found = count_pairs(a, b)
    assert _counter(found) == Counter(values)
    assert [*zip(found.first, found.second, strict=True)] == sorted(
        zip(found.first, found.second, strict=True)
    )


def test_many_pairs_make_the_table_grow(monkeypatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 1000)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2**63, (20, 30, 40), dtype=np.uint64), rng.integers(0, 5, (20, 30, 40))
    found = count_pairs(a, b)
    assert len(found.first) == a.size
    assert _counter(found) == Counter(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))


def test_mask_leaves_out() -> None:
    rng = np.random.default_rng(0)
    a, b, mask = (
        rng.integers(0, 3, (4, 5, 6)),
        rng.integers(0, 3, (4, 5, 6)),
        rng.random((4, 5, 6)) < 0.5,
    )
    assert _counter(count_pairs(a, b, mask=mask)) == Counter(
        zip(a[mask].tolist(), b[mask].tolist(), strict=True)
    )
    assert count_pairs(a, b, mask=np.zeros_like(mask)).counts.sum() == 0
    assert len(count_pairs(np.zeros((0, 3)), np.zeros((0, 3))).first) == 0


def test_sums() -> None:
    a = np.array([5, BIG, 5, 7], np.uint64)
    found = sum_pairs(a, a, np.array([1, 2, 3, 4]))
    assert _counter(found) == {(5, 5): 4, (7, 7): 4, (BIG, BIG): 2}


@pytest.mark.parametrize("in_xy", [False, True])
@pytest.mark.parametrize("shape", [(4, 5, 6), (1, 7, 7), (8, 9), (1, 1, 1)])
def test_touching_pairs(shape, in_xy) -> None:
    rng = np.random.default_rng(1)
    labels = np.array([0, 3, 4, BIG], np.uint64)[rng.integers(0, 4, shape)]
    expected = set()
    for p in np.ndindex(*shape):
        for axis in range(len(shape))[-2:] if in_xy else range(len(shape)):
            q = list(p)
            q[axis] += 1
            if (
                q[axis] < shape[axis]
                and labels[p] != labels[tuple(q)]
                and labels[p]
                and labels[tuple(q)]
            ):
                expected.add(tuple(sorted((int(labels[p]), int(labels[tuple(q)])))))
    found = [tuple(int(i) for i in row) for row in touching(labels, in_xy=in_xy)]
    assert found == sorted(expected)
