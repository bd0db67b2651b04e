import numpy as np
import pytest

from lsd.training.pictures import channels, colours, grey


@pytest.mark.parametrize("shape", [(1, 5, 6, 7), (1, 6, 7)])
def test_grey_is_the_middle_section_in_unit_range(shape) -> None:
    raw = np.random.default_rng(0).uniform(-1.2, 1, shape).astype(np.float32)
    picture = grey(raw)
    assert picture.shape == (3, 6, 7)
    section = raw[0, 2] if raw.ndim == 4 else raw[0]
    np.testing.assert_allclose(picture[1], np.clip((section + 1) / 2, 0, 1), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_channels_makes_three(count) -> None:
    head = np.random.default_rng(0).random((count, 5, 6, 7), dtype=np.float32)
    picture = channels(head)
    assert picture.shape == (3, 6, 7)
    np.testing.assert_array_equal(picture[0], head[0, 2])
    if count == 1:
        np.testing.assert_array_equal(picture[0], picture[1])


def test_colours_are_those_of_the_label() -> None:
    labels = np.array([[[0, 1, 2], [2**64 - 1, 2**40, 1]]], np.uint64)
    picture = colours(labels)
    assert picture.shape == (3, 2, 3)
    assert not picture[:, 0, 0].any()
    np.testing.assert_array_equal(picture[:, 0, 1], picture[:, 1, 2])
    different = {tuple(picture[:, y, x]) for y in range(2) for x in range(3)}
    assert len(different) == 5
