"""Points, boxes, sizes and confidences of objects against brute force, voxel by voxel."""

import numpy as np
import pytest
from scipy import ndimage

from lsd.objects.distribution import distribution
from lsd.objects.locate import locate, located_of
from lsd.objects.measures import measures, together
from lsd.objects.points import deepest
from lsd.objects.tables import read_located, write_located

SIZE = (40.0, 5.24, 4.0)


def blobs(shape=(7, 24, 26), seed=0):
    """Objects that touch, with ids that are one as floats, and how sure they are."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.random((2, *shape)), (0, *[1.3] * len(shape)))
    labels = ndimage.label(noise[0] > np.percentile(noise[0], 72))[0].astype(np.uint64)
    halves = (noise[1] > np.median(noise[1])) & (labels > 0)
    labels = np.where(labels > 0, 2 * labels + halves + np.uint64(2**63), 0).astype(np.uint64)
    return labels, rng.random(shape).astype(np.float32)


def border_distance(labels, place, size):
    """From a voxel to the nearest of another label; inf where there is none."""
    others = np.argwhere(labels != labels[tuple(place)])
    if not len(others):
        return np.inf
    return np.sqrt((((others - place) * size) ** 2).sum(axis=1)).min()


def check(located, labels, confidence, size, offset=0.0):
    """Every row by its definition."""
    size = np.array(size)
    assert located.id.tolist() == np.unique(labels[labels > 0]).tolist()
    for row, number in enumerate(located.id):
        voxels = np.argwhere(labels == number)
        assert located.voxels[row] == len(voxels)
        np.testing.assert_allclose(located.volume[row], len(voxels) * size.prod() / 1e9)
        np.testing.assert_allclose(located.begin[row], voxels.min(axis=0) * size + offset)
        np.testing.assert_allclose(located.end[row], (voxels.max(axis=0) + 1) * size + offset)
        sure = confidence[labels == number].astype(float).mean()
        np.testing.assert_allclose(located.confidence[row], sure, atol=1e-6)
        point = (located.point[row] - offset) / size - 0.5
        chosen = np.rint(point).astype(int)
        np.testing.assert_allclose(point, chosen, atol=1e-6)
        assert labels[tuple(chosen)] == number
        depths = [border_distance(labels, voxel, size) for voxel in voxels]
        own = border_distance(labels, chosen, size)
        # distances that are one step of a 32nd of a voxel apart are the same
        assert own >= max(depths) - size.min() / 32
        apart = np.linalg.norm((voxels - voxels.mean(axis=0)) * size, axis=1)
        own_apart = np.linalg.norm((chosen - voxels.mean(axis=0)) * size)
        as_deep = np.array(depths) > own + size.min() / 32
        assert not as_deep.any()
        equal = np.isclose(depths, own, rtol=1e-12)
        assert own_apart <= apart[equal].min() + 1e-6


@pytest.mark.parametrize("seed", range(2))
def test_each_object_by_definition(seed):
    labels, confidence = blobs(seed=seed)
    located = locate(labels, confidence, voxel_size=SIZE, offset=(-1000, 30, 7.5))
    assert len(located) > 8
    check(located, labels, confidence, SIZE, np.array([-1000, 30, 7.5]))


def test_planes():
    labels, confidence = blobs((30, 35))
    located = locate(labels, confidence, voxel_size=SIZE[1:])
    assert located.dims == 2
    np.testing.assert_allclose(located.volume, located.voxels * (5.24 * 4) / 1e6)
    for row, number in enumerate(located.id):
        place = tuple(np.floor(located.point[row] / SIZE[1:]).astype(int))
        assert labels[place] == number


def test_a_point_lies_in_its_object_where_the_centroid_does_not():
    ring = np.zeros((1, 21, 21), int)
    y, x = np.mgrid[-10:11, -10:11]
    ring[0][(np.hypot(y, x) <= 10) & (np.hypot(y, x) >= 6)] = 1
    located = locate(ring, voxel_size=(4, 4, 4))
    place = tuple(np.floor(located.point[0] / 4).astype(int))
    assert ring[place] == 1
    assert np.allclose((located.begin[0] + located.end[0]) / 2, (2, 42, 42))
    assert ring[0, 10, 10] == 0
    # in the middle of the ring, not at its edge
    assert 7 <= np.hypot(place[1] - 10, place[2] - 10) <= 9


def test_an_object_that_fills_the_array_has_the_point_at_its_centroid():
    located = locate(np.ones((3, 5, 7), int), voxel_size=(4, 4, 4))
    assert located.point.tolist() == [[6, 10, 14]]
    assert located.confidence.tolist() == [1]


def test_sizes_are_chosen():
    labels, confidence = blobs()
    every = locate(labels, confidence, voxel_size=SIZE)
    few = locate(labels, confidence, voxel_size=SIZE, min_size=20, max_size=100)
    wanted = (every.voxels >= 20) & (every.voxels <= 100)
    assert 0 < wanted.sum() < len(every)
    assert few.id.tolist() == every.id[wanted].tolist()


def test_nothing_is_no_row():
    located = locate(np.zeros((3, 4, 5), int), voxel_size=SIZE)
    assert len(located) == 0
    assert located.point.shape == (0, 3)


@pytest.mark.parametrize("shape", [(5, 6), (4, 5, 6)])
def test_a_table_of_nothing_has_the_columns_of_one_of_something(tmp_path, shape):
    labels = np.zeros(shape, int)
    heads = []
    for number in (0, 1):
        labels[..., 1:3] = number
        write_located(locate(labels, voxel_size=4), tmp_path / "cells.csv")
        heads.append((tmp_path / "cells.csv").read_text().splitlines()[0])
    assert heads[0] == heads[1]
    read = read_located(tmp_path / "cells.csv").chosen(slice(0, 0))
    found = distribution(read, begin=(0,) * len(shape), end=shape)
    assert (found.power, found.density) == (str(len(shape)), 0)


@pytest.mark.parametrize("block", [(7, 24, 26), (3, 5, 4), (1, 24, 2)])
def test_parts_give_what_the_whole_gives(block):
    labels, confidence = blobs()
    rng, depth = np.random.default_rng(1), 24.0
    around = [int(depth / nm) + 2 for nm in SIZE]
    places = [range(0, n, size) for n, size in zip(labels.shape, block, strict=True)]
    begins = [(z, y, x) for z in places[0] for y in places[1] for x in places[2]]
    rng.shuffle(begins)
    parts = [
        tuple(slice(b, min(b + n, m)) for b, n, m in zip(begin, block, labels.shape, strict=True))
        for begin in begins
    ]
    rows = np.concatenate(
        [
            measures(labels[part], confidence[part], begin=begin)
            for part, begin in zip(parts, begins, strict=True)
        ]
    )
    objects = together(rows)
    np.testing.assert_array_equal(objects, measures(labels, confidence, begin=(0, 0, 0)))
    chosen = []
    for part, begin in zip(parts, begins, strict=True):
        wide = tuple(
            slice(max(p.start - k, 0), min(p.stop + k, n))
            for p, k, n in zip(part, around, labels.shape, strict=True)
        )
        inside = tuple(
            slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, wide, strict=True)
        )
        chosen.append(
            deepest(labels[wide], objects, inside=inside, begin=begin, voxel_size=SIZE, depth=depth)
        )
    located = located_of(rows, np.concatenate(chosen), voxel_size=SIZE, offset=(0, 0, 0))
    whole = tuple(slice(0, n) for n in labels.shape)
    once = deepest(labels, objects, inside=whole, begin=(0, 0, 0), voxel_size=SIZE, depth=depth)
    expected = located_of(objects, once, voxel_size=SIZE, offset=(0, 0, 0))
    for name in ("id", "point", "begin", "end", "voxels", "volume", "confidence"):
        np.testing.assert_array_equal(getattr(located, name), getattr(expected, name))


def test_sections_of_their_own_have_borders_of_their_own():
    labels = np.zeros((2, 9, 9), np.uint64)
    labels[0, :, :], labels[1, 1:4, 1:4] = 1, 2
    rows = measures(labels, np.ones(labels.shape, np.float32), begin=(0, 0, 0))
    whole = tuple(slice(0, n) for n in labels.shape)
    chosen = deepest(labels, rows, inside=whole, begin=(0, 0, 0), voxel_size=(1, 4, 4), in_xy=True)
    assert [chosen[f"place_{axis}"].tolist() for axis in "zyx"] == [[0, 1], [4, 2], [4, 2]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segmentation": np.zeros((2, 2), float)}, "ids must be whole numbers"),
        ({"confidence": np.zeros((2, 3))}, r"confidence has shape \(2, 3\), the segmentation"),
        (
            {"confidence": np.full((2, 2, 2), 255, np.uint8)},
            "confidence lies in 255..255",
        ),
        (
            {"confidence": np.full((2, 2, 2), np.nan)},
            r"in nan..nan; give it in 0..1",
        ),
        ({"voxel_size": (4, 4)}, "one positive number an axis, in nm, 3 for the segmentation"),
    ],
)
def test_wrong_arguments_are_refused(changes, words):
    arguments = {"segmentation": np.zeros((2, 2, 2), int), "voxel_size": (4, 4, 4)} | changes
    with pytest.raises(ValueError, match=words):
        locate(**arguments)
