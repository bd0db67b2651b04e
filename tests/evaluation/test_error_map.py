"""Where predicted descriptors and those of a segmentation disagree: of arrays, and of runs on
disk."""

import itertools
import shutil

import numpy as np
import pytest
from funlib.geometry import Roi
from scipy import ndimage

from lsd.evaluation.error_map.run import error_maps
from lsd.evaluation.error_map.standing import standing_of_map
from lsd.evaluation.error_map.suspects import box_sides, read_suspects, suspects
from lsd.prediction.usage_file import read_usage
from lsd.segmentation.disagreement import as_steps, disagreement
from lsd.segmentation.made_from import SAME
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name
from lsd.spec import (
    NEAREST,
    Affinities,
    Config,
    Dataset,
    Descriptors,
    Embeddings,
    ErrorMap,
    Head,
    Interior,
    Mask,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
    Workers,
)
from lsd.spec.paths import error_map, prediction, segmentation
from lsd.spec.paths import suspects as suspects_file
from lsd.targets.descriptors import descriptors
from lsd.targets.target import target_kind
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

SIZE = (10.0, 10.0, 10.0)
TARGET = Descriptors(sigma=30.0)


def halves(shape=(12, 20, 40)):
    """Two neurons side by side, and a segmentation that cuts the first one and joins its end to the
    second."""
    truth = np.ones(shape, np.uint64)
    truth[:, 10:] = 2
    segments = truth.copy()
    segments[:, :10, 28:] = 2
    return truth, segments


def seen(labels):
    """Their descriptors, neurons going on beyond the border."""
    inside = tuple(slice(10, 10 + n) for n in labels.shape)
    return descriptors(np.pad(labels, 10, mode="reflect"), voxel_size=SIZE, sigma=30)[:, *inside]


def test_it_is_the_mean_difference_over_the_channels() -> None:
    truth, segments = halves()
    segments[:, :, :3] = 0
    predicted, own = seen(truth), seen(segments)
    found = disagreement(predicted, segments, TARGET, voxel_size=SIZE)
    expected = np.abs(predicted.astype(float) - own).mean(axis=0)
    expected[segments == 0] = 0
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-6)
    assert disagreement(predicted, truth, TARGET, voxel_size=10).max() == 0


@pytest.mark.parametrize("downsample", [1, 2])
def test_neurons_that_go_on_beyond_the_border_agree_up_to_it(downsample) -> None:
    """Of a volume from which a part is cut across its neurons: as if there was no border."""
    target = Descriptors(sigma=30.0, downsample=downsample)
    whole = np.repeat(np.repeat([[[1], [2], [0], [3]]], 6, axis=1), 60, axis=2)
    whole = np.repeat(whole, 30, axis=0).astype(np.uint64)
    predicted = descriptors(whole, voxel_size=SIZE, sigma=30, downsample=downsample)
    cut = (slice(12, 18), slice(None), slice(20, 40))
    found = disagreement(predicted[:, *cut], whole[cut], target, voxel_size=SIZE)
    # along y it is cut nowhere: neurons end there
    assert found[:, 10:14].max() < 1e-6
    cut_off = descriptors(whole[cut], voxel_size=SIZE, sigma=30, downsample=downsample)
    assert np.abs(cut_off - predicted[:, *cut])[:, :, 10:12].max() > 0.1


def test_it_is_a_fraction_of_the_range_of_the_target() -> None:
    """Of affinities, too, of which a network of planes sees each section by itself."""
    truth, segments = halves((3, 20, 40))
    target = Affinities(neighborhood=((0, -1, 0), (0, 0, -1)))
    found = disagreement(
        np.ones((2, *truth.shape), np.float32), segments, target, voxel_size=1, dims=2
    )
    # both channels: the cut along x, and along y at the joined end's other side
    assert found[:, 4, 28].tolist() == [0.5] * 3
    assert found[:, 10, 4].tolist() == [0.5] * 3
    assert found[:, 10, 30].tolist() == [0.0] * 3


def test_what_cannot_be_compared_is_refused() -> None:
    truth, _ = halves()
    with pytest.raises(ValueError, match=r"predicted has shape \(3, .*wanted: \(10, 12, 20, 40\)"):
        disagreement(np.zeros((3, *truth.shape)), truth, TARGET, voxel_size=SIZE)
    with pytest.raises(ValueError, match="'mask' is computed from the array 'mito', of which a"):
        disagreement(np.zeros((1, *truth.shape)), truth, Mask(array="mito"), voxel_size=SIZE)


def plain_suspects(steps, segments, sides, begin, count):
    """By the definition: slow."""
    sums, voxels = {}, {}
    for at in itertools.product(*map(range, steps.shape)):
        box = tuple((n + b) // s for n, b, s in zip(at, begin, sides, strict=True))
        if segments[at]:
            key = (int(segments[at]), *box)
            sums[key] = sums.get(key, 0) + int(steps[at])
            voxels.setdefault(key, []).append(at)
    found = []
    for key, total in sums.items():
        around = [
            (key[0], *(n + s for n, s in zip(key[1:], step, strict=True)))
            for step in itertools.product((-1, 0, 1), repeat=len(sides))
            if any(step)
        ]
        higher = [
            k for k in around if (sums.get(k, -1), [-n for n in k]) > (total, [-n for n in key])
        ]
        if total and not higher:
            at = max(voxels[key], key=lambda v: (int(steps[v]), [-n for n in v]))
            place = tuple(n + b for n, b in zip(at, begin, strict=True))
            found.append((-total, place, key[0], len(voxels[key])))
    return sorted(found)[:count]


@pytest.mark.parametrize(
    ("shape", "sides", "begin"),
    [((9, 14, 13), (2, 4, 3), (-3, 5, 10)), ((30, 33), (4, 5), (7, -2))],
)
def test_suspects_are_those_of_the_definition_whatever_the_blocks(shape, sides, begin) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 4, [-(-n // 5) for n in shape])
    segments = np.kron(coarse, np.ones((5,) * len(shape), int))
    segments = segments[tuple(slice(0, n) for n in shape)].astype(np.uint64)
    steps = (rng.integers(0, 5, shape) * rng.integers(0, 2, shape)).astype(np.uint8)
    whole = tuple(slice(0, n) for n in shape)
    rows = suspects(steps, segments, sides=sides, begin=begin, own=whole, count=1000)
    axes = "zyx"[-len(shape) :]
    found = [
        (
            -int(row["sum"]),
            tuple(int(row[a]) for a in axes),
            int(row["segment"]),
            int(row["voxels"]),
        )
        for row in rows
    ]
    assert found == plain_suspects(steps, segments, sides, begin, 1000)
    assert len(found) > 8
    parts = []
    for corner in itertools.product(*(range(0, n, 6) for n in shape)):
        around = tuple(
            slice(max(0, c - 2 * s), min(c + 6 + 2 * s, n))
            for c, s, n in zip(corner, sides, shape, strict=True)
        )
        own = tuple(
            slice(c - a.start, min(c + 6, n) - a.start)
            for c, a, n in zip(corner, around, shape, strict=True)
        )
        moved = tuple(b + a.start for b, a in zip(begin, around, strict=True))
        parts.append(
            suspects(steps[around], segments[around], sides=sides, begin=moved, own=own, count=1000)
        )
    assert np.array_equal(np.sort(np.concatenate(parts)), np.sort(rows))


def test_boxes_are_about_as_large_as_asked() -> None:
    assert box_sides(80, (40, 8, 8)) == (2, 10, 10)
    assert box_sides(80, (200, 30)) == (1, 3)


@pytest.fixture
def run(tmp_path):
    """A predicted and segmented volume, whose segmentation is wrong where its affinities are."""
    truth, segments = halves((12, 20, 40))
    roi = Roi((3, 0, 5), truth.shape)

    def write(path, name, data, channels=None):
        options = {"voxel_size": SIZE, "channels": channels}
        create_array(path, name, roi=roi, dtype=data.dtype, **options).write(data, roi)

    write(tmp_path / "v.zarr", "raw", np.zeros(truth.shape, np.uint8))
    config = Config(
        name="run",
        dataset=Dataset(test=(Volume(path="v.zarr", name="v", raw="raw"),)),
        variant=Variant(
            stages=(Stage(heads={"lsds": Head(target=TARGET), "affs": Head(target=Affinities())}),)
        ),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        predict={"volumes": "test"},
        segment=Segment(thresholds=(0.5,)),
        error_map=ErrorMap(cell=40.0),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    inside = ndimage.minimum_filter(segments, 3) == ndimage.maximum_filter(segments, 3)
    affs = np.repeat(230 * inside[np.newaxis].astype(np.uint8), 3, axis=0)
    write(prediction(config, "v"), "affs", affs, channels=3)
    lsds = 255 * seen(truth)
    noise = np.random.default_rng(0).normal(0, 8, lsds.shape)
    lsds = np.clip(np.rint(lsds + noise), 0, 255).astype(np.uint8)
    write(prediction(config, "v"), "lsds", lsds, channels=10)
    return config


def expected(config, threshold):
    path = segmentation(config, "v")
    segments = open_array(path, array_name(threshold))
    lsds = open_array(prediction(config, "v"), "lsds")
    predicted = lsds.read(lsds.roi) / np.float32(255)
    segments = segments.read(segments.roi)
    return as_steps(disagreement(predicted, segments, TARGET, voxel_size=SIZE)), segments


def mapped(config):
    [table] = error_maps(config)
    assert table == suspects_file(config, "v")
    array = open_array(error_map(config, "v"), "disagreement")
    return array.read(array.roi).astype(int), read_suspects(table)


def test_blocks_map_what_arrays_do(run) -> None:
    segment(run)
    wanted, segments = expected(run, 0.5)
    assert len(np.unique(segments)) == 2, "as it was made up"
    by_blocks = {}
    for block in ((192, 192, 192), (7, 9, 16)):
        config = run.derive(error_map={"block": block})
        found, listed = mapped(config)
        assert np.abs(found - wanted).max() <= 1, "rounding"
        by_blocks[block] = listed
    worst = listed[0]
    begin = open_array(error_map(run, "v"), "disagreement").roi.begin
    at = tuple(int(nm // 10) - b for nm, b in zip(worst.place, begin, strict=True))
    # where the first neuron was cut, and given to the other
    assert at[1] < 14
    assert 20 <= at[2] < 36
    assert segments[at] == worst.segment
    whole, blocks = by_blocks.values()
    assert [s.place for s in whole[:3]] == [s.place for s in blocks[:3]]


@pytest.mark.parametrize(
    "target",
    [
        Descriptors(sigma=30.0, downsample=3),
        Embeddings(neighborhood=(*NEAREST, (0, -3, 0), (0, 4, -5))),
    ],
    ids=["of every third", "embeddings"],
)
def test_the_map_is_the_same_whatever_the_blocks(run, target) -> None:
    """Where samples are some voxels apart, and of pairs of voxels."""
    heads = {**run.variant.heads(), "asked": Head(target=target)}
    config = run.derive(variant={"stages": (Stage(heads=heads),)}, error_map={"head": "asked"})
    like = open_array(prediction(config, "v"), "lsds")
    count = target_kind(target).channels(3)
    values = np.random.default_rng(0).integers(0, 256, (count, *like.roi.shape), np.uint8)
    path, options = prediction(config, "v"), {"voxel_size": SIZE, "channels": count}
    create_array(path, "asked", roi=like.roi, dtype=np.uint8, **options).write(values, like.roi)
    segment(config)
    whole, _ = mapped(config)
    segments = open_array(segmentation(config, "v"), array_name(0.5)).read(like.roi)
    expected = disagreement(values / np.float32(255), segments, target, voxel_size=SIZE)
    assert np.abs(whole - as_steps(expected).astype(int)).max() <= 1, "rounding"
    assert whole.any()
    blocks, _ = mapped(config.derive(error_map={"block": (7, 8, 16)}))
    np.testing.assert_array_equal(blocks, whole)


def test_it_goes_on_where_it_was_and_notices_another_segmentation(run) -> None:
    segment(run)
    config = run.derive(error_map={"block": (7, 9, 16)})
    told = []
    error_maps(config, progress=told.append)
    again = []
    error_maps(config, progress=again.append)
    assert all("all done before" in line for line in again[:-1])
    other = config.derive(
        segment={"thresholds": (0.5, 1.0)}, error_map={"threshold": 1.0, "cell": 20.0}
    )
    segment(other)
    found, listed = mapped(other)
    wanted, segments = expected(other, 1.0)
    assert len(np.unique(segments)) == 1
    assert np.abs(found - wanted).max() <= 1
    [table] = error_maps(other.derive(error_map={"suspects": 1}))
    assert read_suspects(table) == listed[:1]
    assert len(listed) > 1


@pytest.mark.slow
def test_workers_map_the_same(run) -> None:
    segment(run)
    alone = mapped(run.derive(error_map={"block": (7, 9, 16)}))
    error_maps_by_two = run.derive(
        name="two", error_map={"block": (7, 9, 16), "workers": Workers(count=2)}
    )
    for path in (prediction, segmentation):
        shutil.copytree(path(run, "v"), path(error_maps_by_two, "v"))
    shared = mapped(error_maps_by_two)
    assert np.array_equal(alone[0], shared[0])
    assert alone[1] == shared[1]


def test_the_image_says_what_was_compared_and_the_run_what_it_took(run) -> None:
    segment(run)
    mapped(run)
    attributes = open_array(error_map(run, "v"), "disagreement").source.handle.attrs
    assert (attributes["head"], attributes["threshold"]) == ("lsds", 0.5)
    assert [noted["step"] for noted in read_usage(run)] == ["segment", "error_map"]


def test_mistakes_are_told_in_words(run) -> None:
    segment(run)
    with pytest.raises(ValueError, match=r"has no head 'lsd'; it has: lsds, affs"):
        error_maps(run.derive(error_map={"head": "lsd"}))
    several = run.derive(segment={"thresholds": (0.4, 0.5)})
    with pytest.raises(ValueError, match=r"error_map.threshold is not set, none is picked"):
        error_maps(several)
    final = run.derive(segment={"decoder": Interior()})
    with pytest.raises(ValueError, match=r"no thresholds; leave error_map.threshold out, got 0.5"):
        error_maps(final.derive(error_map={"threshold": 0.5}))


def test_a_map_is_told_from_one_of_another_segmentation(run) -> None:
    assert not standing_of_map(run, "v").is_known, "there is none"
    segment(run)
    mapped(run)
    assert standing_of_map(run, "v") == SAME
    other = run.derive(segment={"fragments": {"min_seed_distance": 7}})
    segment(other)
    standing = standing_of_map(other, "v")
    assert standing == (True, "the segmentation was made anew since", "`lsd error_map`")
    mapped(other)
    assert standing_of_map(other, "v") == SAME
