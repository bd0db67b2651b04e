"""Coarser levels against brute force, voxel by voxel."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsd.volumes.levels import coarser, factors


def brute(data, factor, how):
    """Each voxel from those that it covers, one after another."""
    ahead = data.ndim - len(factor)
    shape = (
        *data.shape[:ahead],
        *(-(-n // f) for n, f in zip(data.shape[ahead:], factor, strict=True)),
    )
    found = np.empty(shape, data.dtype)
    for place in np.ndindex(*shape):
        begin = place[ahead:]
        inside = tuple(slice(i * f, (i + 1) * f) for i, f in zip(begin, factor, strict=True))
        voxels = data[(*place[:ahead], *inside)].reshape(-1)
        if how == "majority":
            counts = Counter(voxels.tolist())
            found[place] = min(id for id, count in counts.items() if count == max(counts.values()))
        else:
            mean = sum(map(float, voxels)) / len(voxels)
            found[place] = mean if data.dtype.kind == "f" else round(mean)
    return found


SHAPES = st.lists(st.integers(1, 9), min_size=2, max_size=3).map(tuple)


@settings(deadline=None, max_examples=60)
@given(SHAPES, st.data())
def test_majorities(shape, data) -> None:
    factor = tuple(data.draw(st.sampled_from([1, 2, 4])) for _ in shape)
    seed, ids = data.draw(st.integers(0, 1000)), data.draw(st.sampled_from([1, 2, 3, 50]))
    labels = np.random.default_rng(seed).integers(0, ids, shape, dtype=np.uint64, endpoint=True)
    # ids that are one as floats
    labels[labels > 0] += np.uint64(2**63)
    np.testing.assert_array_equal(
        coarser(labels, factor, "majority"), brute(labels, factor, "majority"), strict=True
    )


@settings(deadline=None, max_examples=60)
@given(SHAPES, st.data())
def test_means(shape, data) -> None:
    factor = tuple(data.draw(st.sampled_from([1, 2, 4])) for _ in shape)
    channels = data.draw(st.sampled_from([(), (1,), (3,)]))
    dtype = data.draw(st.sampled_from(["u1", "u2", "i2"]))
    values = (
        np.random.default_rng(data.draw(st.integers(0, 1000)))
        .integers(0, 255, (*channels, *shape))
        .astype(dtype)
    )
    np.testing.assert_array_equal(
        coarser(values, factor, "mean"), brute(values, factor, "mean"), strict=True
    )
    floats = (values / 255).astype(np.float32)
    np.testing.assert_allclose(
        coarser(floats, factor, "mean"), brute(floats, factor, "mean"), rtol=1e-6
    )
    assert coarser(floats, factor, "mean").dtype == np.float32


def test_of_as_many_voxels_the_smallest_id_and_0_counts() -> None:
    labels = np.array([[7, 3, 0, 0], [3, 7, 5, 5], [0, 0, 9, 2]], np.uint64)
    np.testing.assert_array_equal(coarser(labels, (2, 2), "majority"), [[3, 0], [0, 2]])


@pytest.mark.parametrize(
    ("voxel_size", "shape", "expected"),
    [
        ((8, 8, 8), (100, 100, 100), [(2, 2, 2), (4, 4, 4), (8, 8, 8)]),
        ((40, 4, 4), (100, 900, 900), [(1, 2, 2), (1, 4, 4), (1, 8, 8), (2, 16, 16)][:3]),
        ((30, 6, 6), (100, 900, 900), [(1, 2, 2), (1, 4, 4), (2, 8, 8)]),
        ((5.24, 4, 4), (100, 900, 900), [(2, 2, 2), (4, 4, 4), (8, 8, 8)]),
        ((4, 8, 8), (100, 900, 900), [(2, 1, 1), (4, 2, 2), (8, 4, 4)]),
        # an axis of one voxel stays, and does not hold up the others
        ((4, 8, 8), (1, 9, 5), [(1, 2, 2), (1, 4, 4), (1, 8, 8)]),
        ((8, 8), (2, 3), [(2, 2), (2, 4)]),
        ((8, 8), (1, 1), []),
    ],
)
def test_finer_axes_are_halved_first(voxel_size, shape, expected) -> None:
    assert factors(voxel_size, shape, 4) == expected
    assert factors(voxel_size, shape, 1) == []


def test_sections_that_are_images_stay_apart() -> None:
    in_plane = [(1, 2, 2), (1, 4, 4), (1, 8, 8)]
    for z in (1, 8, 40):
        assert factors((z, 8, 8), (100, 900, 900), 4, by_image=True) == in_plane
    assert factors((8, 8, 8), (100, 3, 2), 9, by_image=True) == [(1, 2, 2), (1, 4, 2)]
    assert factors((8, 8, 8), (100, 1, 1), 9, by_image=True) == []
