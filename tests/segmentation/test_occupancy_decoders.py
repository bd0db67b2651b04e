"""Consensus and instances of local occupancy vectors: true ones give the labels back, and blocks
are the whole."""

import numpy as np
import pytest
from objects_run import another_run, decoded, known, make_config, read, smooth
from scipy import ndimage

from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Prediction
from lsd.segmentation.objects import objects
from lsd.segmentation.run import segment
from lsd.spec import (
    Ball,
    Box,
    Head,
    Occupancy,
    Segment,
)
from lsd.targets.occupancy import consensus, occupancy

SHAPE, FLAT = (12, 40, 44), (40, 44)
# half of the voxels of the second are 3 times as thick
SIZES = {"3d": (4.0, 4.0, 4.0), "thick": (12.0, 4.0, 4.0), "2d": (4.0, 4.0)}
BLOCKS = [(6, 16, 32), (5, 9, 7)]


def round_objects(shape) -> np.ndarray:
    """Objects of a few voxels each that do not touch."""
    labels, count = ndimage.label(smooth(3, 1, shape)[0] > 165)
    sizes = np.bincount(labels.reshape(-1))
    kept = np.flatnonzero(sizes >= 12)
    assert 3 < len(kept) < count + 1
    return np.where(np.isin(labels, kept), labels, 0).astype(np.uint64)


def touching_objects(shape) -> np.ndarray:
    """The same, some of them cut in two that touch."""
    labels = round_objects(shape)
    cut = np.indices(shape)[-1] > shape[-1] // 2
    return np.where((labels > 0) & cut, labels + labels.max(), labels)


def kernel(dims: int, size) -> Ball:
    return Ball(radius=13, voxel_size=size)


@pytest.mark.parametrize("way", SIZES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("centre", [False, True])
def test_true_foreground_gives_the_objects_back(way, masked, centre) -> None:
    size = SIZES[way]
    shape = SHAPE[-len(size) :]
    labels, offsets = round_objects(shape), kernel(len(size), size).offsets_in(len(size))
    mask = np.ones(shape, bool)
    mask[..., :3] = not masked
    target, _ = occupancy(labels, offsets, mode="foreground", mask=mask)
    # what is not known may be anything
    target[:, ~mask] = 0.7
    settings = Segment(decoder={"kind": "consensus", "centre": centre})
    head = Prediction(target, occupancy=offsets)
    found = decoder_of(settings).decode({"occupancy": head}, settings, mask=mask)
    if centre or not masked:
        expected = objects((labels > 0) & mask)
        np.testing.assert_array_equal(found.segmentation(0.5), expected)
    maps = decoder_of(settings).maps({"occupancy": head})
    probability, variance = consensus(target, offsets)
    np.testing.assert_array_equal(maps["variance"], variance)
    middle = offsets.index((0,) * len(size))
    np.testing.assert_array_equal(maps["foreground"], target[middle] if centre else probability)


def test_consensus_mends_what_one_channel_misses() -> None:
    """Noise of each voxel and channel on its own: all together know better than the centre."""
    labels, offsets = round_objects(FLAT), Box(size=(5, 5)).offsets_in(2)
    target, _ = occupancy(labels, offsets, mode="foreground")
    wrong = np.random.default_rng(0).random(target.shape) < 0.3
    noisy = np.where(wrong, 1 - target, target)
    shares = {}
    for centre in (False, True):
        settings = Segment(decoder={"kind": "consensus", "centre": centre})
        head = Prediction(noisy, occupancy=offsets)
        inside = decoder_of(settings).decode({"occupancy": head}, settings).segmentation(0.5) > 0
        shares[centre] = (inside & (labels > 0)).sum() / (inside | (labels > 0)).sum()
    assert shares[True] < 0.5 < 0.85 < shares[False]


def test_weights_count() -> None:
    offsets = ((0, 0), (0, 1), (1, 0))
    values = np.random.default_rng(1).random((3, 6, 7)).astype(np.float32)
    weights = (2.0, 0.0, 1.0)
    settings = Segment(decoder={"kind": "consensus", "weights": weights})
    found = decoder_of(settings).maps({"occupancy": Prediction(values, occupancy=offsets)})
    expected = consensus(values, offsets, weights=weights)
    np.testing.assert_array_equal(found["foreground"], expected[0])
    np.testing.assert_array_equal(found["variance"], expected[1])


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kernel", [Box(size=(3, 5, 4)), Box(size=(1, 3, 3))], ids=str)
def test_consensus_over_blocks(tmp_path, dims, kernel) -> None:
    head = Head(target=Occupancy(mode="foreground", kernel=kernel))
    offsets, shape = kernel.offsets_in(dims), SHAPE[-dims:]
    stored = smooth(7, len(offsets), shape)
    asked = Segment(
        decoder={"kind": "consensus", "weights": tuple(range(1, len(offsets) + 1))},
        thresholds=(0.4, 0.5),
        objects={"min_size": 4, "fill_holes": True},
        use_mask=True,
    )
    config = make_config(tmp_path, {"occupancy": head}, {"occupancy": stored}, segment=asked)
    segment(config)
    whole, weights = decoded(config), asked.decoder.weights
    for name, expected in zip(
        ("foreground", "variance"), consensus(stored, offsets, weights=weights), strict=True
    ):
        np.testing.assert_array_equal(read(config, name), expected)
    for number, block in enumerate(BLOCKS):
        blocks = another_run(config, f"blocks{number}", block=block, context=(0, 0, 0))
        segment(blocks)
        for name in ("foreground", "variance"):
            np.testing.assert_array_equal(read(blocks, name), read(config, name))
        for threshold in asked.thresholds:
            found = read(blocks, f"segmentation/{threshold}")
            assert found.any()
            np.testing.assert_array_equal(found, whole.segmentation(threshold))
            expected = objects(
                read(config, "foreground") >= np.float32(threshold),
                mask=known(config),
                min_size=4,
                fill_holes=True,
            )
            np.testing.assert_array_equal(found, expected)
