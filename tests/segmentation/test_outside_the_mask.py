"""What affinities hold where the mask is not set, or where there is no fragment, changes
nothing."""

import warnings

import numpy as np
import pytest
from scipy import ndimage

from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.decode import decode
from lsd.segmentation.fragments import fragments
from lsd.spec import NEAREST, Fragments, Mutex, Segment

FAR = (*NEAREST, (-3, 0, 0), (0, -4, 0), (0, 0, -4))
SHAPE = (9, 20, 22)
WAYS = {
    "nearest": Segment(fragments=Fragments(min_seed_distance=3)),
    "affinity": Segment(fragments=Fragments(min_seed_distance=3, boundaries="affinity")),
    "in_xy": Segment(fragments=Fragments(min_seed_distance=3, in_xy=True, boundaries="affinity")),
    "foreground": Segment(fragments=Fragments(min_seed_distance=3, foreground_only=True)),
    "options": Segment(
        fragments=Fragments(
            min_seed_distance=3, filter_fragments=0.3, epsilon_agglomerate=0.3, min_size=5
        )
    ),
    "quantile": Segment(fragments=Fragments(min_seed_distance=3), scoring="hist_quant_75"),
    "mutex": Segment(decoder="mutex", mutex=Mutex(bias=(0.2, -0.1))),
}


def _affs(seed=0):
    noise = ndimage.gaussian_filter(
        np.random.default_rng(seed).random((len(FAR), *SHAPE)), (0, 1.2, 1.2, 1.2)
    )
    low, high = np.percentile(noise, [5, 90])
    return np.clip((noise - low) / (high - low), 0, 1).astype(np.float32)


def _masks():
    hole, margin = np.ones(SHAPE, bool), np.zeros(SHAPE, bool)
    hole[2:7, 5:14, 6:15], margin[1:-1, 3:-2, 2:-4] = False, True
    return {"hole": hole, "margin": margin, "voxels": np.random.default_rng(5).random(SHAPE) < 0.8}


@pytest.mark.parametrize("mask", _masks().values(), ids=_masks())
@pytest.mark.parametrize("way", WAYS)
def test_what_is_stored_outside_the_mask_is_no_matter(way, mask) -> None:
    affs = _affs()
    expected = decode(affs, FAR, WAYS[way], mask=mask)
    assert expected.fragments.max() > 3
    assert not expected.fragments[~mask].any()
    for outside in (0.0, 1.0, np.random.default_rng(9).random(affs.shape, np.float32)):
        found = decode(np.where(mask, affs, np.float32(outside)), FAR, WAYS[way], mask=mask)
        np.testing.assert_array_equal(found.fragments, expected.fragments)
        np.testing.assert_array_equal(found.edges, expected.edges)
        np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("scoring", ["mean", "mean_all", "hist_quant_25", "hist_quant_75_max"])
def test_contacts_with_nothing_are_no_contacts(scoring) -> None:
    """Every affinity with an end where there is no fragment may be anything."""
    affs = _affs(1)
    labels = fragments(affs[:3], min_seed_distance=3, foreground_only=True)
    assert 0 < np.mean(labels == 0) < 0.9
    other = affs.copy()
    for channel, offset in enumerate(FAR):
        ends = np.roll(labels, [-k for k in offset], axis=(0, 1, 2))
        other[channel][(labels == 0) | (ends == 0)] = np.random.default_rng(2).random()
    expected, found = (
        agglomerate(a, labels, neighborhood=FAR, scoring=scoring) for a in (affs, other)
    )
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("boundaries", ["nearest", "affinity"])
def test_blank_sections_are_no_matter_and_empty_ones_keep_ids_apart(boundaries) -> None:
    affs = _affs(2)[:3]
    options = {"min_seed_distance": 3, "boundaries": boundaries, "blank_sections": (3, 4)}
    expected = fragments(affs, **options)
    other = affs.copy()
    other[:, 3:5] = np.random.default_rng(3).random(other[:, 3:5].shape)
    np.testing.assert_array_equal(fragments(other, **options), expected)
    apart = fragments(affs, in_xy=True, **options)
    seen = [set(np.unique(section)) - {0} for section in apart]
    assert not seen[3]
    assert sum(map(len, seen)) == len(set().union(*seen)), "no id in two sections"


def test_blank_sections_may_lie_before_the_origin_of_the_world() -> None:
    settings = Segment(fragments=Fragments(min_seed_distance=3, blank_sections=(-3, 2, 40)))
    affs = _affs(2)[:3]
    found = decode(affs, NEAREST, settings, first_section=-4).fragments
    assert not found[[1, 6]].any()
    expected = fragments(affs, min_seed_distance=3, blank_sections=(1, 6))
    np.testing.assert_array_equal(found, expected)


def test_nothing_is_divided_by_zero() -> None:
    affs = np.ones((3, 4, 6, 6), np.float32)
    with np.errstate(all="raise"):
        assert fragments(affs, filter_fragments=0.5).all()
        assert not fragments(affs, filter_fragments=0.5, mask=np.zeros(affs.shape[1:])).any()


def test_channels_beyond_the_nearest_are_left_without_a_word() -> None:
    affs, options = _affs(4), {"min_seed_distance": 3, "epsilon_agglomerate": 0.4}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(fragments(affs, **options), fragments(affs[:3], **options))
