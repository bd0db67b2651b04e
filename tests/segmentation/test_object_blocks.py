"""Objects over blocks are those of the whole, ids and all: whatever the blocks, in other processes,
interrupted, and where other thresholds are asked for later."""

import numpy as np
import pytest
from objects_run import another_run, decoded, known, make_config, read, smooth

from lsd.blockwise.on_disk.inspect import verify_blocks
from lsd.segmentation.objects import objects
from lsd.segmentation.run import segment
from lsd.spec import Foreground, Head, Segment

HEADS = {"mask": Head(target=Foreground())}
SHAPE, FLAT = (12, 40, 44), (40, 44)
THRESHOLDS = (0.35, 0.5, 0.9)
BLOCKS = {"3d": [(6, 16, 32), (12, 40, 12), (5, 9, 7)], "2d": [(1, 16, 32), (1, 9, 7)]}
# workers are processes that import much
BY_WORKERS = pytest.param(2, marks=pytest.mark.slow)


def components(**settings) -> Segment:
    fields = {"thresholds": THRESHOLDS, **settings}
    return Segment(decoder={"kind": "components", "head": "mask"}, **fields)


def config_of(folder, shape=SHAPE, **settings):
    arrays = {"mask": smooth(1, 1, shape)}
    return make_config(folder, HEADS, arrays, segment=components(**settings))


OBJECTS = [
    {},
    {"fill_holes": True},
    {"connectivity": 26, "min_size": 20, "fill_holes": True},
    {"connectivity": 18, "min_size": 5},
    {"connectivity": 8, "min_size": 3, "fill_holes": True},
]


@pytest.mark.parametrize("use_mask", [False, True], ids=["", "mask"])
@pytest.mark.parametrize("options", OBJECTS, ids=str)
def test_blocks_are_the_whole(tmp_path, options, use_mask) -> None:
    config = config_of(tmp_path, objects=options, use_mask=use_mask)
    [container] = segment(config)
    whole = decoded(config)
    foreground = smooth(1, 1, SHAPE)[0] / np.float32(255)
    for threshold in THRESHOLDS:
        expected = objects(foreground >= threshold, mask=known(config), **options)
        assert expected.max() > (threshold > 0.5)
        np.testing.assert_array_equal(whole.segmentation(threshold), expected)
        np.testing.assert_array_equal(read(config, f"segmentation/{threshold}"), expected)
    np.testing.assert_array_equal(read(config, "foreground"), foreground)
    assert verify_blocks(container) == []
    for number, block in enumerate(BLOCKS["3d"]):
        blocks = another_run(config, f"blocks{number}", block=block, context=(0, 0, 0))
        segment(blocks)
        for threshold in THRESHOLDS:
            name = f"segmentation/{threshold}"
            np.testing.assert_array_equal(read(blocks, name), read(config, name))


@pytest.mark.parametrize("options", [{}, {"connectivity": 8, "fill_holes": True, "min_size": 4}])
def test_in_the_plane(tmp_path, options) -> None:
    config = config_of(tmp_path, FLAT, objects=options, use_mask=True)
    segment(config)
    for number, block in enumerate(BLOCKS["2d"]):
        blocks = another_run(config, f"blocks{number}", block=block)
        segment(blocks)
        for threshold in THRESHOLDS:
            name, inside = f"segmentation/{threshold}", smooth(1, 1, FLAT)[0] >= 255 * threshold
            np.testing.assert_array_equal(read(blocks, name), read(config, name))
            expected = objects(inside, mask=known(config), **options)
            np.testing.assert_array_equal(read(config, name), expected)
