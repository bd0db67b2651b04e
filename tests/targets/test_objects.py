"""Runs, tiles and windows against scipy and against the volume they stand for."""

import numpy as np
import pytest
from scipy import ndimage

from lsd.targets import objects, tiles, windows


def some_labels(shape=(9, 20, 90), number=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, number, [-(-n // 4) for n in shape])
    labels = labels.repeat(4, 0).repeat(4, 1).repeat(4, 2)[tuple(slice(n) for n in shape)]
    return np.ascontiguousarray(np.array([0, 7, 2**53, 2**53 + 1, 2**64 - 1], np.uint64)[labels])


def test_runs_make_up_the_labels():
    labels = some_labels()
    found = objects.find_objects(labels)
    again = np.zeros_like(labels)
    for number, label in enumerate(found.ids):
        for z, y, begin, end in found.runs[found.first[number] : found.first[number + 1]]:
            assert not again[z, y, begin:end].any()
            again[z, y, begin:end] = label
    np.testing.assert_array_equal(again, labels)
    np.testing.assert_array_equal(found.ids, np.unique(labels)[1:])


@pytest.mark.parametrize("factor", [1, 3])
def test_boxes(factor):
    labels = some_labels(number=3)
    found = objects.find_objects(labels)
    dense = np.searchsorted(found.ids, labels) + 1
    expected = ndimage.find_objects(np.where(labels > 0, dense, 0))
    for box, slices in zip(found.boxes((factor,) * 3), expected, strict=True):
        assert box.tolist() == [
            n for s in slices for n in (s.start // factor, (s.stop - 1) // factor + 1)
        ]


def test_nothing_is_no_object():
    found = objects.find_objects(np.zeros((3, 4, 5), np.uint8))
    assert len(found.ids) == len(found.runs) == len(tiles.cut(found, (1, 1, 1))) == 0


def test_tiles_cover_each_box_once():
    labels = some_labels((5, 100, 130), 2)
    found = objects.find_objects(labels)
    covered = np.zeros((len(found.ids), *labels.shape), int)
    cut = tiles.cut(found, (1, 1, 1))
    for first, _, z0, z1, y0, y1, x0, x1 in cut:
        covered[np.searchsorted(found.first, first), z0:z1, y0:y1, x0:x1] += 1
        assert y1 - y0 <= tiles.HIGHEST
        assert x1 - x0 <= tiles.WIDEST
    for number, (z0, z1, y0, y1, x0, x1) in enumerate(found.boxes()):
        assert (covered[number, z0:z1, y0:y1, x0:x1] == 1).all()
        assert covered[number].sum() == (z1 - z0) * (y1 - y0) * (x1 - x0)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_tile_is_worked_on_once(threads):
    rows = np.arange(8 * 37).reshape(37, 8)
    seen = []
    tiles.each(lambda part: seen.extend(part[:, 0].tolist()), rows, threads=threads)
    assert sorted(seen) == rows[:, 0].tolist()


def test_an_error_in_a_thread_is_not_lost():
    with pytest.raises(ZeroDivisionError):
        tiles.each(lambda part: 1 // 0, np.ones((4, 8), np.int64), threads=2)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 3.3, 10.0])
def test_the_gaussian_is_scipys(sigma):
    point = np.zeros(101)
    point[50] = 1
    reach = windows.radius(sigma)
    expected = ndimage.gaussian_filter1d(point, sigma, truncate=3)
    np.testing.assert_allclose(
        windows.gaussian(sigma), expected[50 - reach : 51 + reach], atol=1e-15
    )
    assert not expected[: 50 - reach].any()


def test_the_ball_is_symmetric():
    ball = windows.ball((2.0, 3.5, 1.0))
    assert ball.shape == (5, 7, 3)
    for axis in range(3):
        np.testing.assert_array_equal(ball, np.flip(ball, axis))
    assert ball[0, 3, 1]
    assert ball[2, 3, 0]
    assert not ball[0, 2, 1]
    # 80 nm at 4.6 nm and at 8 nm, whatever the rounding
    assert windows.radius(80 / 8 * (1 - 1e-12), "sphere") == 10
