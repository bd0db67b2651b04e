"""Objects over blocks are those of the whole, ids and all: whatever the blocks, in other processes,
interrupted, and where other thresholds are asked for later."""

import numpy as np
import pytest
from objects_run import ROI, SIZE, another_run, decoded, known, make_config, read, smooth

import lsd.segmentation.run
from lsd.arrays.skeletons import Skeletons
from lsd.blockwise.on_disk.inspect import status, verify_blocks
from lsd.evaluation.run import evaluate
from lsd.segmentation.objects import objects
from lsd.segmentation.over_blocks.pieces import NeighboursFunction
from lsd.segmentation.results import open_results
from lsd.segmentation.run import segment
from lsd.spec import Foreground, Head, Segment
from lsd.spec.paths import segmentation
from lsd.volumes.array import open_array
from lsd.volumes.levels import coarser
from lsd.volumes.skeletons import write_skeletons

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


def balls() -> np.ndarray:
    """Two pairs that touch, and one alone, as a head that falls off at their borders."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij")).astype(float)
    scaled = grid * np.array([3.0, 1, 1]).reshape(3, 1, 1, 1)
    inside = np.zeros(SHAPE, bool)
    for centre in ((18, 9, 9), (18, 9, 23), (18, 30, 12), (18, 20, 36), (18, 34, 36)):
        offset = scaled - np.array(centre, float).reshape(3, 1, 1, 1)
        inside |= (offset**2).sum(0) <= 8**2
    return (inside * 200).astype(np.uint8)[np.newaxis]


def test_split_over_blocks(tmp_path) -> None:
    """Where the context holds the parts and the neck between them, blocks are the whole."""
    asked = components(objects={"split": 20.0}, thresholds=(0.5,))
    config = make_config(tmp_path, HEADS, {"mask": balls()}, segment=asked)
    segment(config)
    whole = read(config, "segmentation/0.5")
    np.testing.assert_array_equal(whole, decoded(config).segmentation(0.5))
    assert (whole.max(), objects(balls()[0]).max()) == (5, 3)
    for number, block in enumerate(BLOCKS["3d"]):
        blocks = another_run(config, f"blocks{number}", block=block, context=(12, 30, 30))
        segment(blocks)
        np.testing.assert_array_equal(read(blocks, "segmentation/0.5"), whole)


BLOCK = {"block": (6, 16, 32)}


@pytest.mark.parametrize("workers", [0, BY_WORKERS])
def test_interrupted_and_gone_on_with(tmp_path, monkeypatch, workers) -> None:
    config = config_of(tmp_path, objects=OBJECTS[2], use_mask=True)
    segment(config)
    blocks = another_run(config, "blocks", **BLOCK, workers={"count": workers})
    with monkeypatch.context() as patched:
        patched.setattr(NeighboursFunction, "compute", stopped(NeighboursFunction.compute, 5))
        with pytest.raises(KeyboardInterrupt):
            segment(blocks.derive(segment={"workers": {"count": 0}}))
    partial = segmentation(blocks, "em").with_name("em.zarr.partial")
    done = {line.name: (line.done, line.blocks) for line in status(partial)}
    assert done == {"foreground": (12, 12), "pieces": (12, 12), "neighbours": (5, 12)}
    segment(blocks)
    for threshold in THRESHOLDS:
        name = f"segmentation/{threshold}"
        np.testing.assert_array_equal(read(blocks, name), read(config, name))


def stopped(compute, after: int):
    """A function that is interrupted after so many calls."""
    calls = []

    def call(self, block, source):
        calls.append(block)
        if len(calls) > after:
            raise KeyboardInterrupt
        return compute(self, block, source)

    return call


def test_other_thresholds_and_other_settings(tmp_path) -> None:
    config = config_of(tmp_path, **BLOCK)
    told: list[str] = []
    [container] = segment(config, progress=told.append)
    assert sum("objects at threshold" in line for line in told) == len(THRESHOLDS)
    chunks = written(container)
    more = config.derive(segment={"thresholds": (0.5, 0.7)})
    segment(more)
    # what was there stays, and what is asked for later stands beside it
    assert chunks.items() <= written(container).items()
    assert (container / "segmentation" / "0.7").exists()
    inside = smooth(1, 1, SHAPE)[0] >= 255 * 0.7
    np.testing.assert_array_equal(read(config, "segmentation/0.7"), objects(inside))
    # nothing is made again
    before = written(container)
    segment(config)
    assert written(container) == before
    assert verify_blocks(container) == []
    results = open_results(more, "em")
    assert results.at(0.9).array.name.endswith("segmentation/0.9")
    with pytest.raises(ValueError, match=r"no segmentation at threshold 0\.8, but at: 0\.35, 0\.5"):
        results.at(0.8)
    other = config.derive(segment={"objects": {"min_size": 9}})
    with pytest.raises(ValueError, match=r"segment\.objects\.min_size: 0 there, 9 asked for"):
        open_results(other, "em")
    told.clear()
    segment(other, progress=told.append)
    assert any("removed, for they were made otherwise" in line for line in told), told
    # the foreground is the same
    assert written(container, "foreground") == {
        name: when for name, when in before.items() if name.startswith("foreground/")
    }
    assert not (container / "segmentation" / "0.7").exists()
    np.testing.assert_array_equal(
        read(other, "segmentation/0.5"),
        objects(smooth(1, 1, SHAPE)[0] >= 127.5, min_size=9),
    )


def test_levels_come_when_they_are_asked_for(tmp_path, caplog) -> None:
    """Of objects that are there, too; one that a person edited meanwhile is told."""
    config = config_of(tmp_path, **BLOCK)
    [container] = segment(config)
    segment(config.derive(segment={"thresholds": (0.5, 0.7), "levels": 2}))
    for threshold in (*THRESHOLDS, 0.7):
        # those of the first list that were not asked for along with 0.5 come with it
        name = f"segmentation/{threshold}"
        expected = coarser(read(config, name), (1, 2, 2), "majority")
        np.testing.assert_array_equal(read(config, f"{name}/1"), expected)
    expected = coarser(read(config, "foreground"), (1, 2, 2), "mean")
    np.testing.assert_array_equal(read(config, "foreground/1"), expected)
    array = open_array(container, "segmentation/0.5", writable=True)
    array.write(np.zeros(array.roi.shape, np.uint64), array.roi)
    segment(config)
    assert "segmentation/0.5 was changed since segmentation wrote it" in caplog.text


def test_objects_along_skeletons_are_there_at_all_thresholds(tmp_path, monkeypatch) -> None:
    """Though one was picked: what evaluation looks at could not be joined of anything."""
    config = config_of(tmp_path)
    node = np.multiply(np.array(ROI.begin) + 0.5, SIZE)
    write_skeletons(Skeletons([1], [1], [node], []), tmp_path / "one.npz")
    [volume] = config.dataset.validate
    traced = volume.derive(labels=None, labels_mask=None, skeletons="one.npz")
    config = config.derive(dataset={"validate": (), "test": (traced,)})
    config = config.derive(predict={"volumes": ("test",)}, evaluate={"metric": "nerl"})
    monkeypatch.setattr(lsd.segmentation.run, "picked", lambda _: 0.5)
    segment(config)
    scores = evaluate(config)
    assert {*scores.skeletons["em"].sweep} == {*THRESHOLDS}


def written(container, array: str = "") -> dict[str, int]:
    """When each chunk was written."""
    return {
        str(path.relative_to(container)): path.stat().st_mtime_ns
        for path in (container / array).rglob("*")
        if path.is_file() and path.name.isdecimal()
    }
