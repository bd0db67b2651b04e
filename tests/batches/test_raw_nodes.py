import numpy as np
import pytest

from lsd import spec
from lsd.batches.augmentations.contrast import change_contrast
from lsd.batches.augmentations.defects import spoil, stain
from lsd.batches.augmentations.intensity import change_intensity
from lsd.batches.augmentations.noise import add_noise
from lsd.batches.unit import unit


@pytest.fixture
def raw():
    return np.random.default_rng(0).random((6, 30, 40), dtype=np.float32)


def f32(*values):
    return np.array(values, np.float32)


def test_intensity_of_the_whole(raw):
    expected = np.clip((raw - raw.mean()) * 1.5 + raw.mean() + 0.1, 0, 1)
    np.testing.assert_allclose(change_intensity(raw, f32(1.5), f32(0.1)), expected, atol=1e-6)


def test_intensity_of_each_section(raw):
    scale, shift = (
        np.linspace(0.5, 1.5, 6, dtype=np.float32),
        np.linspace(-0.2, 0.2, 6, dtype=np.float32),
    )
    mean = raw.mean(axis=(1, 2), keepdims=True)
    expected = np.clip((raw - mean) * scale[:, None, None] + mean + shift[:, None, None], 0, 1)
    np.testing.assert_allclose(change_intensity(raw, scale, shift), expected, atol=1e-6)


def test_intensity_leaves_its_input_and_takes_views(raw):
    before = raw.copy()
    view = raw.transpose(0, 2, 1)[:, ::-1]
    np.testing.assert_allclose(change_intensity(view, f32(1), f32(0)), view, atol=1e-7)
    change_intensity(raw, f32(2), f32(0))
    np.testing.assert_array_equal(raw, before)


def test_the_mean_of_millions_of_voxels_is_exact():
    raw = np.full((1, 4000, 5000), 0.3, np.float32)
    np.testing.assert_allclose(change_intensity(raw, f32(0.5), f32(0))[0, 0, :3], 0.3, atol=1e-6)


def test_noise_has_the_deviation_that_was_asked_for():
    grey = np.full((20, 40, 40), 0.5, np.float32)
    noisy = add_noise(grey, 0.05, np.random.default_rng(0))
    assert noisy.dtype == np.float32
    assert noisy.std() == pytest.approx(0.05, rel=0.03)
    assert (grey == 0.5).all()
    assert add_noise(grey, 3.0, np.random.default_rng(0)).min() == 0
    assert add_noise(grey, 3.0, np.random.default_rng(0)).max() == 1


def only(**chances):
    return spec.Defects(**{"missing": 0, "low_contrast": 0, "stained": 0, **chances})


def test_sections_go_missing(raw):
    assert not spoil(raw, only(missing=1), np.random.default_rng(0)).any()
    some = spoil(np.ones((1000, 2, 2), np.float32), only(missing=0.2), np.random.default_rng(0))
    assert 150 < (some == 0).all(axis=(1, 2)).sum() < 250
    assert np.isin(some, [0, 1]).all()


def test_the_only_section_of_a_2d_network_is_never_missing(raw):
    np.testing.assert_array_equal(
        spoil(raw[:1], only(missing=1), np.random.default_rng(0)), raw[:1]
    )


def test_sections_lose_contrast(raw):
    faint = spoil(raw, only(low_contrast=1).derive(contrast_scale=0.25), np.random.default_rng(0))
    np.testing.assert_allclose(faint.mean(axis=(1, 2)), raw.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(faint.std(axis=(1, 2)), raw.std(axis=(1, 2)) / 4, rtol=1e-4)


def test_stains_darken_part_of_a_section(raw):
    stained = spoil(raw, only(stained=1), np.random.default_rng(0))
    assert (stained <= raw).all()
    for before, after in zip(raw, stained, strict=True):
        assert 0.3 < (before == after).mean() < 1
    assert stain((1, 5), np.random.default_rng(0)).shape == (1, 5)


def test_no_defect_without_a_chance(raw):
    np.testing.assert_array_equal(spoil(raw, only(), np.random.default_rng(0)), raw)


def test_unit():
    np.testing.assert_array_equal(
        unit(np.array([[[0, 51, 255]]], np.uint8)), f32(0, 0.2, 1)[None, None]
    )
    half = np.full((2, 3, 4), 0.5, np.float32)
    assert unit(half) is half
    assert unit(half.T).flags["C_CONTIGUOUS"]


def averaged(raw, width):
    """Mean over cubes of `width`, voxel by voxel; beyond a border raw is mirrored, the border
    itself repeated."""
    padded = np.pad(raw.astype(np.float64), width // 2, mode="symmetric")
    cubes = np.lib.stride_tricks.sliding_window_view(padded, (width,) * raw.ndim)
    return cubes.mean(axis=tuple(range(raw.ndim, 2 * raw.ndim)))


def test_details_of_each_width_are_scaled(raw):
    fine = averaged(raw, 3)
    coarse = averaged(fine, 5)
    expected = np.clip(1.5 * (raw - fine) + 0.5 * (fine - coarse) + coarse, 0, 1)
    np.testing.assert_allclose(change_contrast(raw, (1.5, 0.5), (3, 5)), expected, atol=1e-6)


def test_details_of_sections_apart(raw):
    fine = np.stack([averaged(section, 5) for section in raw])
    np.testing.assert_allclose(change_contrast(raw, (0,), (5,), in_xy=True), fine, atol=1e-6)
    alone = change_contrast(raw[2:3], (1.6,), (5,), in_xy=True)
    np.testing.assert_array_equal(change_contrast(raw, (1.6,), (5,), in_xy=True)[2:3], alone)


def test_gains_of_one_change_nothing(raw):
    before = raw.copy()
    np.testing.assert_allclose(change_contrast(raw, (1, 1, 1, 1), (3, 5, 9, 17)), raw, atol=1e-6)
    np.testing.assert_array_equal(raw, before)
    assert change_contrast(raw, (9,), (3,)).max() <= 1


@pytest.mark.parametrize(
    ("wrong", "says"), [({"widths": (3, 4)}, "for instance 5"), ({"gain": (0, 1)}, "above 0")]
)
def test_contrast_that_means_nothing_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        spec.Contrast(**wrong)
