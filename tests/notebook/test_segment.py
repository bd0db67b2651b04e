"""lsd.segment: segments from affinities in one call."""

import numpy as np
import pytest

import lsd
from lsd.segmentation.decode import decode
from lsd.spec import Segment

NEAR = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
FAR = (*NEAR, (-3, 0, 0), (0, -9, 0), (0, 0, -9))
RNG = np.random.default_rng(3)
# blocks of 6 x 12 x 14 voxels, and a voxel of background between them
PLACES = np.ogrid[:18, :36, :42]
INSIDE = (PLACES[0] % 6 > 0) & (PLACES[1] % 12 > 0) & (PLACES[2] % 14 > 0)
LABELS = INSIDE * (
    1
    + (np.arange(18)[:, None, None] // 6) * 9
    + (np.arange(36)[None, :, None] // 12) * 3
    + np.arange(42) // 14
)
TRUTH, _ = lsd.affinities(LABELS, NEAR)
NOISY = np.clip(TRUTH * 0.8 + RNG.uniform(0, 0.2, TRUTH.shape), 0, 1).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8])
def test_affinities_of_the_truth_give_it_back(dtype) -> None:
    """Floats as they are, uint8 as they lie on disk."""
    affs = (NOISY * (255 if dtype == np.uint8 else 1)).astype(dtype)
    before = affs.copy()
    found = lsd.segment(affs, threshold=0.5)
    assert (found.dtype, found.shape) == (np.uint64, LABELS.shape)
    assert lsd.compare(found, LABELS).voi_sum == 0
    np.testing.assert_array_equal(affs, before)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("scoring", ["mean", "hist_quant_75"])
def test_as_the_command_segments(threshold, scoring) -> None:
    settings = Segment(scoring=scoring, fragments={"min_seed_distance": 4})
    expected = decode(NOISY, NEAR, settings).segmentation(threshold)
    found = lsd.segment(
        NOISY, threshold=threshold, scoring=scoring, fragments={"min_seed_distance": 4}
    )
    np.testing.assert_array_equal(found, expected)


def test_all_that_touches_is_one_at_the_highest_threshold() -> None:
    assert len(np.unique(lsd.segment(NOISY, threshold=1))) == 1


def test_a_mask_is_left_empty() -> None:
    mask = np.ones(LABELS.shape, bool)
    mask[:, :10] = False
    found = lsd.segment(NOISY, mask=mask)
    assert not found[~mask].any()
    assert found[mask].all()


@pytest.mark.parametrize("volume", [NOISY[1:], NOISY[1:, 4]], ids=["3D", "2D"])
def test_two_channels_are_of_the_plane(volume) -> None:
    """Sections of a 3D volume have no segment in common."""
    found = lsd.segment(volume, threshold=0.5)
    assert found.shape == volume.shape[1:]
    if found.ndim == 3:
        ids = [set(np.unique(section)) - {0} for section in found]
        assert not set.intersection(*ids)


def test_long_range_affinities_by_the_mutex_watershed() -> None:
    pytest.importorskip("mwatershed")
    affs, _ = lsd.affinities(LABELS, FAR)
    found = lsd.segment(affs, neighborhood=FAR, decoder="mutex")
    assert lsd.compare(found, LABELS).voi_sum == 0


@pytest.mark.parametrize(
    ("affs", "given", "says"),
    [
        (NOISY, {"threshold": 1.5}, "threshold is a number, 0 to 1, got 1.5"),
        (np.concatenate([NOISY, NOISY]), {}, "name the offset of each channel"),
        (NOISY[0], {}, r"affs have shape \(18, 36, 42\)"),
        (NOISY, {"neighborhood": FAR}, "offset"),
        (NOISY, {"neighborhood": (-1, 0, 0)}, r"a list of offsets .*got \(-1, 0, 0\)"),
        (NOISY, {"threshold": "0.5"}, "threshold is a number, 0 to 1, got '0.5'"),
        (NOISY, {"treshold": 0.5}, "no argument 'treshold'; did you mean 'threshold'"),
        (NOISY, {"scorring": "mean"}, "no argument 'scorring'; did you mean 'scoring'"),
        (NOISY, {"mask": np.ones((3, 3, 3))}, r"mask has shape \(3, 3, 3\)"),
        ((NOISY * 255).astype(np.int64), {}, r"int64; .*use \.astype\(np\.uint8\)"),
        ({"lsds": NOISY}, {}, "reads the head 'affs'; those given are: lsds"),
        (NOISY, {"imports": 3}, "imports is a name or a list of names, got 3"),
        (NOISY, {"imports": "not_there"}, "there is no module 'not_there'"),
        (NOISY * 3, {}, "0"),
        (NOISY, {"scoring": "median"}, "scoring 'median' is unknown"),
        (NOISY, {"workers": 3}, "segment has no argument 'workers'"),
        (NOISY, {"decoder": "invented"}, "invented"),
        (NOISY, {"fragments": {"min_seed_distanc": 3}}, "did you mean 'min_seed_distance'"),
    ],
)
def test_what_is_wrong_is_said(affs, given, says) -> None:
    with pytest.raises(ValueError, match=says) as error:
        lsd.segment(affs, **given)
    assert "\n" not in str(error.value)
