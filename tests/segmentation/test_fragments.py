"""Fragments against the usual recipe, hand-made affinities, and every option."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from lsd.arrays.pairs import count_pairs
from lsd.segmentation.fragments import fragments
from lsd.spec import Fragments

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def _affs(shape=(24, 30, 28), seed=0):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.random((3, *shape)), (0, 1.5, 1.5, 1.5))
    low, high = np.percentile(noise, [5, 90])
    return np.clip((noise - low) / (high - low), 0, 1).astype(np.float32)


def _usual(affs, size):
    """What others do: scipy's distances and maxima, mahotas' flooding."""
    mahotas = pytest.importorskip("mahotas")
    distance = ndimage.distance_transform_edt(affs.mean(axis=0) > 0.5)
    markers, _ = ndimage.label(ndimage.maximum_filter(distance, size) == distance)
    return mahotas.cwatershed(distance.max() - distance, markers)


def _same_partition(a, b) -> bool:
    pairs = len(count_pairs(a, b).first)
    return pairs == len(np.unique(a)) == len(np.unique(b))


def _contiguous(labels) -> bool:
    return np.array_equal(np.unique(labels[labels > 0]), np.arange(1, labels.max() + 1))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [5, 10])
def test_partition_of_the_usual_recipe(seed, size) -> None:
    affs = _affs(seed=seed)
    ours = fragments(affs, min_seed_distance=size)
    assert ours.dtype == np.uint64
    assert _contiguous(ours)
    assert ours.min() == 1
    assert _same_partition(ours, _usual(affs, size))


@pytest.mark.faults
def test_partition_of_the_usual_recipe_on_real_data() -> None:
    zarr = pytest.importorskip("zarr")
    path = DATA / "gala_fib.zarr"
    if not path.exists():
        pytest.skip("gala_fib.zarr is not here")
    inside = 1 - zarr.open(str(path), "r")["volumes/predictions/boundary_probability"][:]
    affs = np.stack([inside] * 3)
    assert _same_partition(fragments(affs), _usual(affs, 10))


def test_sections_on_their_own() -> None:
    affs = _affs()
    ours = fragments(affs, in_xy=True, min_seed_distance=5)
    assert _contiguous(ours)
    for z in range(len(ours)):
        assert _same_partition(ours[z], _usual(affs[1:, z], 5))
        assert np.array_equal(
            fragments(affs[1:, z], min_seed_distance=5), ours[z] - ours[z].min() + 1
        )
    assert not set(np.unique(ours[0])) & set(np.unique(ours[1]))
    np.testing.assert_array_equal(fragments(affs[1:], in_xy=True, min_seed_distance=5), ours)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float64])
def test_dtypes_and_untouched_inputs(dtype) -> None:
    coarse = np.round(_affs() * 255)
    affs = coarse.astype(np.uint8) if dtype == np.uint8 else (coarse / 255).astype(dtype)
    mask = np.random.default_rng(0).random(affs.shape[1:]) > 0.1
    before = affs.copy(), mask.copy()
    ours = fragments(affs, mask=mask, epsilon_agglomerate=0.3, filter_fragments=0.2)
    assert np.array_equal(affs, before[0])
    assert np.array_equal(mask, before[1])
    if dtype != np.float16:
        expected = fragments(
            (coarse / 255).astype(np.float32),
            mask=mask,
            epsilon_agglomerate=0.3,
            filter_fragments=0.2,
        )
        assert _same_partition(ours, expected)
    assert np.array_equal(
        ours, fragments(affs, mask=mask, epsilon_agglomerate=0.3, filter_fragments=0.2)
    )


def test_memory_order_changes_nothing() -> None:
    affs = _affs()
    np.testing.assert_array_equal(fragments(np.asfortranarray(affs)), fragments(affs))
    np.testing.assert_array_equal(fragments(np.concatenate([affs, 1 - affs])), fragments(affs))


def test_mask_counts_before_and_after() -> None:
    affs = np.ones((3, 10, 20, 20), np.float32)
    mask = np.ones((10, 20, 20))
    mask[:, :, 9:11] = 0
    ours = fragments(affs, mask=mask)
    assert not ours[mask == 0].any()
    assert len(np.unique(ours[:, :, :9])) == 1
    assert ours[0, 0, 0] != ours[0, 0, -1]


@pytest.mark.parametrize("seed", [0, 1])
def test_boundaries_by_affinity_equal_mahotas(seed) -> None:
    mahotas = pytest.importorskip("mahotas")
    inside = np.zeros((11, 11), bool)
    inside[1:3, 1:3] = inside[1:3, 7:9] = inside[7:9, 4:6] = True
    levels = np.full(inside.shape, 250, np.uint8)
    levels[~inside] = np.random.default_rng(seed).permutation(127)[
        : np.count_nonzero(~inside)
    ]  # no two are equally high
    starts, _ = ndimage.label(inside)
    ours = fragments(np.stack([levels] * 2), boundaries="affinity")
    assert _same_partition(ours, mahotas.cwatershed(255 - levels.astype(int), starts))
    assert not _same_partition(ours, fragments(np.stack([levels] * 2)))


def test_dark_sheets_stay_whole_by_affinity() -> None:
    truth = np.zeros((12, 40, 40), int)
    truth[:, :17], truth[:, 17:24], truth[:, 24:] = 1, 2, 3
    affs = np.full((3, *truth.shape), 0.9, np.float32)
    affs[:, :, 17:24] = 0.4  # a network sure of nothing inside the sheet,
    affs[:, 4:8, 19:22, 10:20] = 0.9  # but for a piece,
    affs[:, :, [16, 17, 23, 24]] = 0.05  # and of the membranes around it
    nearest, affinity = (
        fragments(affs, boundaries=boundaries) for boundaries in ("nearest", "affinity")
    )
    sheet = truth == 2
    sheet[:, [17, 23]] = False
    assert len(np.unique(nearest[sheet])) == 3
    assert len(np.unique(affinity[sheet])) == 1
    assert len(np.unique(affinity)) == 3


def test_sections_on_their_own_by_affinity() -> None:
    affs = _affs()
    ours = fragments(affs, in_xy=True, min_seed_distance=5, boundaries="affinity")
    assert _contiguous(ours)
    for z in range(len(ours)):
        alone = fragments(affs[1:, z], min_seed_distance=5, boundaries="affinity")
        assert np.array_equal(alone, ours[z] - ours[z].min() + 1)


def test_foreground_only() -> None:
    affs = _affs()
    inside = affs.mean(axis=0) > 0.5
    ours, flooded = fragments(affs, foreground_only=True), fragments(affs)
    assert not ours[~inside].any()
    assert ours[inside].all()
    assert _same_partition(ours[inside], flooded[inside])


def test_filter_drops_by_mean_affinity() -> None:
    affs = _affs()
    everything = fragments(affs, min_seed_distance=5)
    means = np.append(
        0, ndimage.mean(affs.mean(axis=0), everything, np.arange(1, everything.max() + 1))
    )
    threshold = float(np.median(means[1:]))
    kept = fragments(affs, min_seed_distance=5, filter_fragments=threshold)
    np.testing.assert_array_equal(kept > 0, means[everything] >= threshold)


def test_small_ones_are_dropped() -> None:
    affs = _affs()
    everything = fragments(affs, min_seed_distance=5)
    limit = int(np.median(np.bincount(everything.ravel().astype(int))[1:]))
    kept = fragments(affs, min_seed_distance=5, min_size=limit)
    np.testing.assert_array_equal(
        kept > 0, np.bincount(everything.ravel().astype(int))[everything] >= limit
    )
    assert _contiguous(kept)


def test_epsilon_joins_what_is_open() -> None:
    affs = _affs()
    apart, joined = (
        fragments(affs, min_seed_distance=5),
        fragments(affs, min_seed_distance=5, epsilon_agglomerate=0.5),
    )
    assert 1 <= joined.max() < apart.max()
    assert len(count_pairs(apart, joined).first) == apart.max(), "every fragment lies in one"
    assert fragments(affs, epsilon_agglomerate=1.0).max() == 1


def test_blank_sections_separate() -> None:
    affs = np.ones((3, 9, 16, 16), np.float32)
    ours = fragments(affs, blank_sections=(4,))
    assert not ours[4].any()
    assert set(np.unique(ours[:4])) == {1}
    assert set(np.unique(ours[5:])) == {2}


@pytest.mark.parametrize("in_xy", [False, True])
@pytest.mark.parametrize("shape", [(3, 6, 7, 8), (3, 1, 1, 1), (3, 1, 20, 20), (2, 9, 9)])
def test_nothing_inside_and_nothing_but_inside(shape, in_xy) -> None:
    assert not fragments(np.zeros(shape, np.uint8), in_xy=in_xy).any()
    full = fragments(np.full(shape, 255, np.uint8), in_xy=in_xy)
    assert full.shape == shape[1:]
    assert full.all()
    assert full.max() == (shape[1] if in_xy and len(shape) == 4 else 1)
    assert not fragments(np.ones(shape), in_xy=in_xy, mask=np.zeros(shape[1:])).any()


def test_options_of_the_spec_are_arguments() -> None:
    assert fragments(_affs(), **Fragments().model_dump()).max() == fragments(_affs()).max()


@pytest.mark.parametrize(
    ("affs", "options", "words"),
    [
        (np.ones((3, 4, 4, 4), np.int32), {}, "int32"),
        (np.full((3, 4, 4, 4), 7.0), {}, "sigmoid"),
        (np.full((3, 4, 4, 4), np.nan), {}, "nan"),
        (np.ones((3, 4, 4, 4)), {"mask": np.ones((4, 4))}, "mask has shape"),
        (np.ones((3, 4, 4, 4)), {"blank_sections": (4,)}, "blank_sections"),
        (np.ones((2, 4, 4, 4)), {}, "in_xy=True"),
        (np.ones((3, 4, 4, 4)), {"filter_fragments": 25}, "filter_fragments is 0..1"),
        (np.ones((3, 4, 4, 4)), {"filter_fragments": np.nan}, "filter_fragments is a number"),
        (np.ones((3, 4, 4, 4)), {"epsilon_agglomerate": -1}, "epsilon_agglomerate is 0..1"),
        (np.ones((4, 4)), {}, "wanted"),
    ],
)
def test_errors(affs, options, words) -> None:
    with pytest.raises(ValueError, match=words):
        fragments(affs, **options)


MASKS = {
    "a margin": np.s_[:, :3],
    "a hole": np.s_[3:5, 5:9, 5:9],
    "single voxels": np.s_[::3, ::4, ::5],
    "a section": np.s_[4],
}
RECIPES = (
    {},
    {"in_xy": True},
    {"boundaries": "affinity"},
    {"foreground_only": True},
    {"filter_fragments": 0.5},
    {"epsilon_agglomerate": 0.5},
)


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@pytest.mark.parametrize("where", MASKS)
def test_affinities_with_an_end_outside_the_mask_are_no_matter(where, recipe) -> None:
    rng = np.random.default_rng(5)
    affs = ndimage.uniform_filter(rng.random((3, 8, 14, 14), np.float32), (0, 3, 3, 3))
    affs = (affs - affs.min()) / np.ptp(affs)
    mask = np.ones(affs.shape[1:], bool)
    mask[MASKS[where]] = False
    outside = np.stack([~mask | ~np.roll(mask, 1, axis) for axis in range(3)])
    for axis in range(3):  # what leaves the array does not lead to the other side of it
        border = (axis, *(0 if i == axis else slice(None) for i in range(3)))
        outside[border] = ~mask[border[1:]]
    found = []
    for there in (np.float32(0), np.float32(1), rng.random(np.count_nonzero(outside), np.float32)):
        affs[outside] = there
        found.append(fragments(affs, mask=mask, min_seed_distance=3, **recipe))
    assert len(np.unique(found[0])) > 3
    assert not found[0][~mask].any()
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_a_mask_leaves_the_mean_of_the_other_affinities() -> None:
    affs = np.full((3, 4, 4, 4), 0.9, np.float32)
    mask = np.ones((4, 4, 4), bool)
    mask[:, :2] = False
    affs[1, :, 2] = 0  # what a network says of the border of tissue: it ends there
    affs[2, :, 2] = 0.6
    ours = fragments(affs, mask=mask, threshold=0.7, foreground_only=True)
    np.testing.assert_array_equal(
        ours > 0, mask, err_msg="(0.9 + 0.6) / 2 is above 0.7, (0.9 + 0 + 0.6) / 3 is not"
    )
