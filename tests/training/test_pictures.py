import numpy as np
import pytest

from lsd.training.pictures import head_picture, labels_picture, most_known, raw_picture


@pytest.mark.parametrize("shape", [(1, 5, 6, 7), (1, 6, 7)])
def test_grey_is_the_middle_section_in_unit_range(shape) -> None:
    raw = np.random.default_rng(0).uniform(-1.2, 1, shape).astype(np.float32)
    picture = raw_picture(raw)
    assert picture.shape == (3, 6, 7)
    section = raw[0, 2] if raw.ndim == 4 else raw[0]
    np.testing.assert_allclose(picture[1], np.clip((section + 1) / 2, 0, 1), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_channels_makes_three(count) -> None:
    head = np.random.default_rng(0).random((count, 5, 6, 7), dtype=np.float32)
    picture = head_picture(head)
    assert picture.shape == (3, 6, 7)
    np.testing.assert_array_equal(picture[0], head[0, 2])
    if count == 1:
        np.testing.assert_array_equal(picture[0], picture[1])


def test_colours_are_those_of_the_label() -> None:
    labels = np.array([[[0, 1, 2], [2**64 - 1, 2**40, 1]]], np.uint64)
    picture = labels_picture(labels)
    assert picture.shape == (3, 2, 3)
    assert not picture[:, 0, 0].any()
    np.testing.assert_array_equal(picture[:, 0, 1], picture[:, 1, 2])
    different = {tuple(picture[:, y, x]) for y in range(2) for x in range(3)}
    assert len(different) == 5


@pytest.mark.parametrize(("depth", "known", "expected"), [(8, 6, 2), (7, 1, -2), (7, 3, 0)])
def test_the_section_of_which_most_is_known_is_shown(depth, known, expected) -> None:
    """Of raw, which is larger, the same section is shown as of labels."""
    weights = np.zeros((2, 3, depth, 5, 5), np.float32)
    weights[1, :, known] = 0.7
    weights[0, 0, known - 1, :2] = 90
    assert most_known([weights, weights > 0]) == (1, expected)
    output = np.broadcast_to(np.arange(depth, dtype=np.uint64)[:, None, None], (depth, 5, 5))
    raw = np.pad(output.astype(np.float32) / 50, ((4, 4), (2, 2), (2, 2)))[None]
    np.testing.assert_array_equal(
        labels_picture(output, above=expected), labels_picture(np.full((1, 5, 5), known, np.uint64))
    )
    np.testing.assert_allclose(raw_picture(raw, above=expected)[0, 2:-2, 2:-2], known / 100 + 0.5)
    np.testing.assert_allclose(
        head_picture(output[None].astype(np.float32) / 50, above=expected)[0], known / 50
    )


def test_dense_batches_show_the_middle_of_the_first_sample() -> None:
    assert most_known([np.ones((3, 2, 9, 4, 4), np.float32)]) == (0, 0)
    flat = np.ones((3, 2, 4, 4), np.float32)
    flat[0, :, 1] = 0
    assert most_known([flat]) == (1, 0)
