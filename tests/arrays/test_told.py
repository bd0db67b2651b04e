"""Warnings point at the line of the person who called, however deep they arise."""

import warnings

import numpy as np

from lsd.spec import Affinities
from lsd.targets.affinities import affinities
from lsd.targets.target import compute


def test_warnings_name_the_caller() -> None:
    labels = np.ones((2, 3, 4), np.uint8)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        affinities(labels, ((-2, 0, 0),))
        compute(Affinities(neighborhood=((-2, 0, 0),)), labels, voxel_size=(1, 1, 1))
    assert [warning.filename for warning in found] == [__file__] * 2
    assert found[0].lineno < found[1].lineno
