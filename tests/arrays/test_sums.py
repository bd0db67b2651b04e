"""Sums of groups against a loop, also of numbers that floats would round."""

import numpy as np
import pytest

from lsd.arrays.sums import sums


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_against_a_loop(dtype) -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 7, 100)
    values = rng.integers(2**53, 2**54, 100).astype(dtype)
    expected = [sum(values[groups == group].tolist()) for group in range(9)]
    found = sums(groups, values, 9)
    assert (found.tolist(), found.dtype) == (expected, dtype)


def test_of_nothing() -> None:
    none = np.zeros(0, np.int64)
    assert sums(none, none, 0).tolist() == []
    assert sums(none, none, 2).tolist() == [0, 0]
