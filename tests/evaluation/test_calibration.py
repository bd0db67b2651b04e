"""Calibration of a head against definitions, and over blocks and volumes as over arrays."""

import json

import numpy as np
import pytest
from funlib.geometry import Roi
from plain_objects import flat
from segmented_volumes import NAMES, ROI, VOXEL_SIZE, only, truth_of, with_evaluate, write

from lsd.arrays.skeletons import Skeletons
from lsd.evaluation.calibration import BINS, THRESHOLDS, Calibration, added, calibration
from lsd.evaluation.heads import count_heads
from lsd.evaluation.run import evaluate
from lsd.report.table import heads_table
from lsd.segmentation.threshold import picked
from lsd.spec import (
    NEAREST,
    Affinities,
    Boundary,
    Descriptors,
    Embeddings,
    Foreground,
    Head,
    Mask,
    Nerl,
    Network,
    ResidualUNet,
    Stage,
)
from lsd.spec.paths import evaluation_file, prediction
from lsd.targets.affinities import affinities
from lsd.targets.boundary import boundary
from lsd.volumes.create import create_array
from lsd.volumes.skeletons import write_skeletons


def naive_ece(predicted, truth, bins=BINS):
    """Voxel by voxel: each belongs to the bin [k / bins, (k + 1) / bins), 1 to the last."""
    total = 0.0
    for k in range(bins):
        last = k == bins - 1
        inside = (predicted >= k / bins) & (
            (predicted <= 1) if last else (predicted < (k + 1) / bins)
        )
        if inside.any():
            total += inside.sum() * abs(predicted[inside].mean() - truth[inside].mean())
    return total / len(predicted)


def case(seed, size=4000):
    rng = np.random.default_rng(seed)
    predicted = rng.beta(0.4, 0.4, size)
    return predicted, rng.random(size) < predicted**2


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_it_is_as_defined(dtype) -> None:
    predicted, truth = case(0)
    stored = (predicted * 255).round().astype(np.uint8) if dtype == np.uint8 else predicted
    stored = stored.astype(dtype)
    values = stored / 255 if dtype == np.uint8 else stored
    found = calibration(stored, truth)
    assert found.ece() == pytest.approx(naive_ece(values.astype(float), truth), abs=1e-7)
    assert 0.05 < found.ece() < 0.5
    assert found.ece(7) == pytest.approx(naive_ece(values.astype(float), truth, 7), abs=1e-7)
    for threshold in (0.0, 0.3, 0.5, 1.0):
        mask, at = values >= threshold, found.at(threshold)
        assert at.iou == (mask & truth).sum() / (mask | truth).sum()
        assert at.dice == 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
        assert at.accuracy == (mask == truth).mean()


def test_ends_of_bins_belong_to_the_next_and_1_to_the_last() -> None:
    """Steps of uint8 hit all ends exactly: 17 / 255 is 1 / 15."""
    ends = np.arange(0, 256, 17).astype(np.uint8)
    voxels = [each["voxels"] for each in calibration(ends, np.zeros(16)).bins()]
    assert voxels == [1] * 14 + [2]
    as_floats = [each["voxels"] for each in calibration(ends / 255, np.zeros(16)).bins()]
    assert as_floats == voxels
    below = np.nextafter((ends[1:] / 255), 0)
    assert [each["voxels"] for each in calibration(below, np.zeros(15)).bins()] == [1] * 15


def test_by_hand() -> None:
    """.1 twice, one of them true; .8 four times, three of them true; 1 once, true."""
    predicted = np.array([0.1, 0.1, 0.8, 0.8, 0.8, 0.8, 1.0])
    truth = np.array([0, 1, 1, 1, 1, 0, 1])
    found = calibration(predicted, truth)
    assert found.ece() == pytest.approx((2 * 0.4 + 4 * 0.05 + 1 * 0) / 7)
    assert found.best_threshold() == 0.1, "5 of 7; 4 of 6 at .8"
    assert found.at(0.8).iou == 4 / 6
    half = np.full(100, 0.5)
    assert calibration(half, np.arange(100) % 2).ece() == 0
    assert calibration(half, np.ones(100)).ece() == 0.5
    assert calibration(half, np.ones(100), mask=np.arange(100) < 30).voxels == 30


def test_counts_add_up() -> None:
    predicted, truth = case(1)
    parts = [calibration(predicted[i::3], truth[i::3]) for i in range(3)]
    whole = calibration(predicted, truth)
    for total in (added(parts), added(parts[::-1])):
        assert flat(total.as_dict()) == pytest.approx(flat(whole.as_dict()))
        np.testing.assert_array_equal(total.values, whole.values)
        np.testing.assert_array_equal(total.ones, whole.ones)
    best = whole.best_threshold()
    assert whole.at(best).iou == max(whole.at(value).iou for value in whole.values)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_sum_compares_in_the_precision_of_its_values(dtype) -> None:
    parts = [calibration(np.full(3, 0.7, dtype), np.ones(3)) for _ in range(2)]
    assert added(parts).at(0.7).recall == parts[0].at(0.7).recall == 1


def test_nothing_is_undefined() -> None:
    empty = Calibration.empty()
    assert (empty.ece(), empty.best_threshold(), empty.at(0.5).iou) == (None, None, None)
    assert json.loads(json.dumps(empty.as_dict())) == empty.as_dict()
    assert calibration(np.array([0.5]), np.zeros(1)).best_threshold() is None
    assert set(empty.row().values()) == {None}


@pytest.mark.parametrize(
    ("predicted", "words"),
    [
        ([-0.1, 0.5], r"predicted lies in -0.1..0.5; .* of logits take the sigmoid"),
        ([0.5, 1.5], r"lies in 0.5..1.5"),
        ([0.5, np.nan], r"lies in 0.5..nan"),
        ([1, 0], "predicted is int64; allowed: floats"),
        ([0.5], r"predicted has shape \(1,\), truth \(2,\)"),
    ],
)
def test_refusals(predicted, words) -> None:
    with pytest.raises(ValueError, match=words):
        calibration(np.array(predicted), np.array([0, 1]))


def with_heads(config, **targets):
    """The run whose variant has these heads beside its affinities."""
    heads = {name: Head(target=target) for name, target in targets.items()}
    stage = Stage(heads={"affs": Head(target=Affinities()), **heads})
    return config.derive(variant={"stages": (stage,)})


def inside_mitochondria(name):
    rng = np.random.default_rng(NAMES.index(name) + 7)
    return (rng.random(ROI.shape) < 0.3).astype(np.uint64) * 5


def predicted_head(config, name, channels, dtype=np.uint8):
    rng = np.random.default_rng(NAMES.index(name))
    values = rng.random((channels, *ROI.shape))
    return (values * 255).astype(np.uint8) if dtype == np.uint8 else values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_heads_in_blocks_are_those_of_the_arrays(config, tmp_path, dtype) -> None:
    """Beside a mask of its own array, and a boundary, whose target needs what lies around a block;
    only where truth is known."""
    config = with_heads(config, mito=Mask(array="mito"), edges=Boundary(width=2))
    for name in NAMES:
        write(tmp_path / f"{name}.zarr", "mito", inside_mitochondria(name))
        for head in ("mito", "edges"):
            values = predicted_head(config, name, 1, dtype)
            write(prediction(config, name), head, values, channels=1)
    volumes = {
        part: tuple(
            v.derive(arrays={"mito": "mito"}, voxel_size={"mito": VOXEL_SIZE})
            for v in getattr(config.dataset, part)
        )
        for part in ("validate", "test")
    }
    config = config.derive(dataset=volumes)
    before = evaluate(config)
    content = json.loads(evaluation_file(config).read_text())
    assert "heads" not in content
    asked = with_evaluate(config, heads=("mito", "edges"), block=(5, 22, 10))
    found = evaluate(asked)
    assert picked(asked) == picked(config) == before.threshold
    expected = {}
    for name in NAMES:
        known, truth = np.ones(ROI.shape, bool), truth_of(NAMES.index(name))
        known[:, :4] = False
        # beyond the volume nothing is known, so near its faces not all of the target is
        padded = boundary(np.pad(truth, 2), width=2, mask=np.pad(known, 2))
        edges, sure = (each[0, 2:-2, 2:-2, 2:-2] for each in padded)
        target = {"mito": inside_mitochondria(name) > 0, "edges": edges}
        for head, where in (("mito", known), ("edges", sure)):
            predicted = predicted_head(config, name, 1, dtype)[0]
            expected[name, head] = calibration(predicted, target[head], mask=where)
            own = found.heads[name][head].all
            assert own.voxels == where.sum() < np.prod(ROI.shape)
            exact = 0 if dtype == np.uint8 else 1e-4
            assert own.ece() == pytest.approx(expected[name, head].ece(), abs=exact)
            assert own.at(0.6).iou == pytest.approx(expected[name, head].at(0.6).iou, abs=exact)
    both = expected["a", "mito"] + expected["b", "mito"]
    assert found.heads_of("validate")["mito"].all.ece() == pytest.approx(both.ece(), abs=1e-4)
    content = json.loads(evaluation_file(asked).read_text())["heads"]
    assert content["volumes"]["c"]["mito"] == found.heads["c"]["mito"].as_dict()
    assert list(content["parts"]) == ["validate", "test"]
    assert list(content["parts"]["test"]["mito"]["at"]) == [repr(t) for t in THRESHOLDS]
    lines = heads_table(found).splitlines()
    assert [line.split()[:3] for line in lines[2:-1]] == [
        [name, part, head]
        for name, part in (("a", "validate"), ("b", "validate"), ("c", "test"), ("all", "validate"))
        for head in ("mito", "edges")
    ]


def test_a_flat_network_learns_sections_by_themselves(config) -> None:
    """Whatever the blocks; in a section nothing is near that lies in the next one."""
    flat = ResidualUNet(widths=(4, 8), factors=((2, 2),), kernel=(3, 3), context=(4, 4))
    config = with_heads(config, edges=Boundary(width=2)).derive(
        network=Network(trunk=flat, train_shape=(16, 16))
    )
    write(prediction(config, "c"), "edges", predicted_head(config, "c", 1), channels=1)
    asked = with_evaluate(config, heads="edges", block=(5, 9, 10), use_mask=False)
    found = count_heads(asked, "c", config.dataset.test[0], ROI)["edges"].all
    expected = Calibration.empty()
    for predicted, section in zip(predicted_head(config, "c", 1)[0], truth_of(2), strict=True):
        # without a mask all of the volume is known, and nothing beyond
        known = np.pad(np.ones(section.shape, bool), 2)
        both = boundary(np.pad(section, 2), width=2, mask=known)
        near, sure = (each[0, 2:-2, 2:-2] for each in both)
        expected += calibration(predicted, near, mask=sure)
    assert found.as_dict() == expected.as_dict()


@pytest.mark.parametrize("block", [(256, 256, 256), (4, 9, 5)])
def test_affinities_of_embeddings_are_counted_over_faces_of_blocks(config, block) -> None:
    target = Embeddings(neighborhood=(*NEAREST, (0, -4, 3)))
    config = with_heads(config, emb=target)
    values = predicted_head(config, "c", 4)
    write(prediction(config, "c"), "emb", values, channels=4)
    asked = with_evaluate(config, heads="emb", block=block)
    found = count_heads(asked, "c", config.dataset.test[0], ROI)["emb"]
    known = np.ones(ROI.shape, bool)
    known[:, :4] = False
    both = zip(values, *affinities(truth_of(2), target.neighborhood, mask=known), strict=True)
    for own, (predicted, is_one, sure) in zip(found.channels, both, strict=True):
        expected = calibration(predicted, is_one, mask=sure)
        assert own.as_dict() == expected.as_dict()


def test_without_labels_nothing_is_background(config, tmp_path, caplog) -> None:
    """Of a volume with skeletons alone, what learns from labels is not counted."""
    config = with_heads(config, fg=Foreground(), mito=Mask(array="mito"))
    begin = np.multiply(ROI.begin, VOXEL_SIZE)
    nodes = begin + np.multiply([[1.5, 8.5, 3.5], [1.5, 9.5, 3.5]], VOXEL_SIZE)
    write_skeletons(Skeletons([1, 2], [1, 1], nodes, [[1, 2]]), tmp_path / "s.npz")
    for name in NAMES:
        write(tmp_path / f"{name}.zarr", "mito", inside_mitochondria(name))
        for head in ("fg", "mito"):
            write(prediction(config, name), head, predicted_head(config, name, 1), channels=1)

    def traced(volume, **fields):
        return volume.derive(
            arrays={"mito": "mito"},
            voxel_size={"mito": VOXEL_SIZE},
            skeletons=str(tmp_path / "s.npz"),
            **fields,
        )

    (first, _), (last,) = config.dataset.validate, config.dataset.test
    dataset = {"validate": (traced(first),), "test": (traced(last, labels=None),)}
    asked = with_evaluate(config.derive(dataset=dataset), heads=("fg", "mito"), metric=Nerl())
    found = evaluate(asked)
    assert [list(found.heads[name]) for name in ("a", "c")] == [["fg", "mito"], ["mito"]]
    assert "c: head 'fg' is not counted: it learns from labels" in caplog.text
    known = np.ones(ROI.shape, bool)
    known[:, :4] = False
    for name, head, truth in (
        ("a", "fg", truth_of(0) > 0),
        ("c", "mito", inside_mitochondria("c") > 0),
    ):
        expected = calibration(predicted_head(config, name, 1)[0], truth, mask=known)
        assert found.heads[name][head].all.as_dict() == expected.as_dict()
    assert [line.split()[:3] for line in heads_table(found).splitlines()[2:-1]] == [
        ["a", "validate", "fg"],
        ["a", "validate", "mito"],
        ["c", "test", "mito"],
    ]
    with pytest.raises(ValueError, match="names 'fg', which learns from labels, and there are no"):
        evaluate(only(asked, "c"))
    evaluate(only(with_evaluate(asked, heads="mito"), "c"))


def test_several_channels_are_told_apart(config) -> None:
    """Affinities are 0 or 1 too; each offset has its own counts."""
    found = evaluate(only(with_evaluate(config, heads="affs"), "c")).heads["c"]["affs"]
    content = found.as_dict()
    assert len(content["channels"]) == len(found.channels) == 3
    assert found.all.voxels == sum(channel.voxels for channel in found.channels)
    assert content["voxels"] == found.all.voxels
    assert found.all.at(0.5).accuracy > 0.6


def test_what_is_no_probability_is_refused(config, tmp_path) -> None:
    config = with_heads(config, lsds=Descriptors(), mito=Mask(array="mito"))
    for name in NAMES:
        write(prediction(config, name), "mito", predicted_head(config, name, 1), channels=1)
        write(prediction(config, name), "lsds", predicted_head(config, name, 10), channels=10)
    with pytest.raises(ValueError, match=r"evaluate.heads names 'lsds', which learns descriptors"):
        evaluate(with_evaluate(config, heads="lsds"))
    with pytest.raises(ValueError, match=r"no head 'mask'; it has: affs, lsds, mito"):
        evaluate(with_evaluate(config, heads="mask"))
    with pytest.raises(ValueError, match=r"volume 'a' has no array 'mito'; .*arrays=\{'mito'"):
        evaluate(with_evaluate(config, heads="mito"))
    elsewhere = Roi((3, 0, 105), ROI.shape)
    for name in NAMES:
        create_array(
            prediction(config, name),
            "mito",
            roi=elsewhere,
            voxel_size=VOXEL_SIZE,
            dtype=np.uint8,
            channels=1,
            overwrite=True,
        ).write(predicted_head(config, name, 1), elsewhere)
    with pytest.raises(ValueError, match="holds nothing of what is scored"):
        evaluate(with_evaluate(config, heads="mito"))


@pytest.mark.parametrize("surely", [np.float64(1), np.float16(1), np.uint8(255)])
def test_values_keep_their_precision_in_sums(surely) -> None:
    """0.2 and 2 / 15, an end of a bin, are a little more or less as float32."""
    alone = calibration(np.array([0.2, 2 / 15, 0.7], np.float32), np.ones(3))
    both = alone + calibration(np.array([surely]), np.zeros(1))
    assert [both.at(threshold).both for threshold in (0.7, 0.2, 0.1)] == [1, 2, 3]
    of_bins, of_both = ([one["voxels"] for one in each.bins()] for each in (alone, both))
    assert of_both == [*of_bins[:-1], of_bins[-1] + 1]
