"""What joining two regions does to descriptors: by the definition, in blocks, and in the chain."""

import itertools
import json
import shutil

import numpy as np
import pytest
from funlib.geometry import Roi
from scipy import ndimage

from lsd.blockwise.on_disk.inspect import status
from lsd.blockwise.running.run import BlocksFailed
from lsd.evaluation.partition import compare
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.doubt import DOUBT, Look, changes_of, doubts, margin, together
from lsd.segmentation.kernels.prediction import Learned, Prediction
from lsd.segmentation.over_blocks.doubts import DoubtsFunction
from lsd.segmentation.results import open_results, other_than_asked
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name
from lsd.spec import (
    NEAREST,
    Affinities,
    Config,
    Dataset,
    Descriptors,
    Doubting,
    Fragments,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
)
from lsd.spec.paths import prediction, segmentation
from lsd.targets.descriptors import descriptors
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

SIZE = (20.0, 10.0, 10.0)
TARGET = Descriptors(sigma=25.0)
LEARNED = Learned(TARGET, 3)
NEAR = 30.0


def neurons(shape=(8, 24, 36)):
    """Two neurons that lie along x, one above the other."""
    truth = np.ones(shape, np.uint64)
    truth[:, shape[1] // 2 :] = 2
    return truth


def regions_of(truth):
    """Each neuron in two regions, of ids with gaps."""
    regions = 10 * truth
    regions[:, :, truth.shape[2] // 2 :] += 5
    return regions


def described(labels, target=TARGET):
    """Neurons go on beyond the border, in whole cells."""
    options = {"sigma": target.sigma, "downsample": target.downsample}
    inside = tuple(slice(24, 24 + n) for n in labels.shape)
    return descriptors(np.pad(labels, 24, mode="reflect"), voxel_size=SIZE, **options)[:, *inside]


def look_at(truth, regions, inside=None, around=None, target=TARGET):
    """What a network that is right would predict."""
    predicted = described(truth, target)
    whole = tuple(slice(0, n) for n in truth.shape)
    inside, around = inside or whole, around or whole
    moved = tuple(
        slice(i.start - a.start, i.stop - a.start) for i, a in zip(inside, around, strict=True)
    )
    learned = Learned(target, 3)
    return Look(predicted[(slice(None), *inside)], regions[around], moved, learned, SIZE)


def plain_doubts(truth, regions, target):
    """By the definition: slow."""
    predicted = described(truth, target).astype(float)

    def apart_from(labels):
        return np.abs(described(labels, target) - predicted).mean(axis=0)

    apart, found = apart_from(regions), {}
    for u, v in itertools.combinations(np.unique(regions).tolist(), 2):
        contact = np.zeros(regions.shape, bool)
        for axis in range(3):
            for step in (-1, 1):
                beside = np.roll(regions, step, axis)
                edge = [slice(None)] * 3
                edge[axis] = 0 if step == 1 else -1
                touches = ((regions == u) & (beside == v)) | ((regions == v) & (beside == u))
                touches[tuple(edge)] = False
                contact |= touches
        if not contact.any():
            continue
        places = np.argwhere(contact) * SIZE
        both = (regions == u) | (regions == v)
        joined = apart_from(both.astype(np.uint64))
        for at in np.argwhere(both):
            if np.linalg.norm(places - at * SIZE, axis=1).min() <= NEAR:
                total, count = found.get((u, v), (0.0, 0))
                found[u, v] = (total + joined[tuple(at)] - apart[tuple(at)], count + 1)
    return found


@pytest.mark.parametrize(
    ("shape", "target"),
    [((4, 12, 16), TARGET), ((3, 8, 74), Descriptors(sigma=60.0, downsample=3))],
)
def test_doubts_are_those_of_the_definition(shape, target) -> None:
    """Also where statistics are of every third voxel, and a look begins between two of them."""
    truth = neurons(shape)
    regions = regions_of(truth)
    rows = doubts(look_at(truth, regions, target=target), near=NEAR)
    wanted = plain_doubts(truth, regions, target)
    assert [(int(r["u"]), int(r["v"])) for r in rows] == sorted(wanted)
    for row in rows:
        total, count = wanted[int(row["u"]), int(row["v"])]
        assert row["voxels"] == count
        assert row["sum"] == pytest.approx(total, abs=1e-4)


def test_of_regions_that_do_not_touch_nothing_is_said() -> None:
    truth = neurons((4, 12, 16))
    apart = truth.copy()
    apart[:, 5:7] = 0
    for regions in (apart, np.ones_like(truth), np.zeros_like(truth)):
        assert len(doubts(look_at(truth, regions), near=NEAR)) == 0


def test_where_all_was_joined_before_nothing_is_asked() -> None:
    settings = SETTINGS.derive(decoder=Doubting(regions=0.9, near=NEAR))
    found = decoder_of(settings).decode(heads_of(neurons()), settings)
    assert len(found.edges) > 0
    assert len(np.unique(found.segmentation(0.95))) == 1


def test_a_neuron_is_better_whole_and_two_are_better_apart() -> None:
    truth = neurons()
    rows = doubts(look_at(truth, regions_of(truth)), near=NEAR)
    change = {(int(r["u"]), int(r["v"])): r["sum"] / r["voxels"] for r in rows}
    assert set(change) == {(10, 15), (20, 25), (10, 20), (15, 25)}
    assert max(change[10, 15], change[20, 25]) < -0.01
    assert min(change[10, 20], change[15, 25]) > 0.01


@pytest.mark.parametrize(
    ("target", "near"), [(TARGET, NEAR), (Descriptors(sigma=25.0, downsample=3), 120.0)]
)
def test_blocks_add_up_to_the_whole(target, near) -> None:
    """Also where statistics are of every third voxel, and a contact may be farther than these."""
    truth = neurons()
    regions = regions_of(truth)
    whole = doubts(look_at(truth, regions, target=target), near=near)
    far = margin(Learned(target, 3), SIZE, near=near)
    parts = []
    for corner in itertools.product(*(range(0, n, 9) for n in truth.shape)):
        inside = tuple(slice(c, min(c + 9, n)) for c, n in zip(corner, truth.shape, strict=True))
        around = tuple(
            slice(max(0, part.start - m), min(part.stop + m, n))
            for part, m, n in zip(inside, far, truth.shape, strict=True)
        )
        look = look_at(truth, regions, inside, around, target=target)
        parts.append(doubts(look, near=near))
    added = together(np.concatenate(parts))
    assert np.array_equal(added[["u", "v", "voxels"]], whole[["u", "v", "voxels"]])
    assert added["sum"] == pytest.approx(whole["sum"], abs=1e-3)
    again = together(np.concatenate(parts[::-1]))
    assert np.array_equal(again, added), "to the bit, whatever the order"


def test_changes_are_found_by_the_names_of_regions() -> None:
    rows = np.array([(10, 15, -1.0, 4), (10, 20, 3.0, 2)], DOUBT)
    names = np.array([0, 10, 15, 20], np.uint64)
    pairs = np.array([[1, 2], [1, 3], [2, 3]])
    assert changes_of(pairs, rows, names).tolist() == [-0.25, 1.5, 0.0]
    assert changes_of(pairs, rows[:0], names).tolist() == [0, 0, 0]


def affinities_with_a_hole(truth):
    """A faint cut across each neuron, and a hole in the boundary between both."""
    inside = ndimage.minimum_filter(truth, 3) == ndimage.maximum_filter(truth, 3)
    affs = np.repeat(np.where(inside, 0.95, 0.05)[np.newaxis], 3, axis=0)
    middle = truth.shape[2] // 2
    affs[:, :, :, middle - 1 : middle + 1] *= 0.3
    wall = truth.shape[1] // 2
    affs[:, :, wall - 1 : wall + 1, 4:14] = 0.6
    return np.rint(255 * affs).astype(np.uint8)


def heads_of(truth):
    lsds = np.rint(255 * descriptors(truth, voxel_size=SIZE, sigma=25)).astype(np.uint8)
    return {
        "affs": Prediction(affinities_with_a_hole(truth), NEAREST, voxel_size=SIZE),
        "lsds": Prediction(lsds, voxel_size=SIZE, learned=LEARNED),
    }


SETTINGS = Segment(
    fragments=Fragments(min_seed_distance=3, boundaries="affinity"),
    thresholds=(0.6, 0.8, 0.95),
)


def best_sum(settings, truth):
    found = decoder_of(settings).decode(heads_of(truth), settings)
    return min(compare(found.segmentation(n / 50), truth).voi_sum for n in range(51))


def test_doubts_mend_what_affinities_got_wrong() -> None:
    truth = neurons()
    plain = best_sum(SETTINGS, truth)
    asked = best_sum(SETTINGS.derive(decoder=Doubting(weight=8.0, regions=0.3, near=NEAR)), truth)
    assert asked < plain - 0.3


def test_without_weight_scores_are_those_of_the_watershed() -> None:
    truth = neurons()
    watershed = decoder_of(SETTINGS).decode(heads_of(truth), SETTINGS)
    settings = SETTINGS.derive(decoder=Doubting(weight=0.0, regions=0.3, near=NEAR))
    doubting = decoder_of(settings).decode(heads_of(truth), settings)
    assert np.array_equal(watershed.edges, doubting.edges)
    assert doubting.scores == pytest.approx(watershed.scores, abs=1e-6)


def test_below_regions_nothing_is_asked() -> None:
    truth = neurons()
    watershed = decoder_of(SETTINGS).decode(heads_of(truth), SETTINGS)
    settings = SETTINGS.derive(decoder=Doubting(weight=8.0, regions=0.3, near=NEAR))
    doubting = decoder_of(settings).decode(heads_of(truth), settings)
    for threshold in (0.1, 0.2, 0.29):
        same = watershed.segmentation(threshold) == doubting.segmentation(threshold)
        assert same.all()
    assert (watershed.segmentation(0.8) != doubting.segmentation(0.8)).any()


@pytest.fixture
def config(tmp_path):
    truth = neurons((8, 24, 36))
    roi = Roi((2, 0, 5), truth.shape)

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
        segment=SETTINGS.derive(decoder=Doubting(weight=8.0, regions=0.3, near=NEAR)),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    for name, head in heads_of(truth).items():
        write(prediction(config, "v"), name, head.values, channels=len(head.values))
    return config


def written(config, threshold):
    array = open_array(segmentation(config, "v"), array_name(threshold))
    return array.read(array.roi)


def test_a_run_segments_as_arrays_do(config) -> None:
    truth = neurons()
    segment(config)
    settings = config.segment
    found = decoder_of(settings).decode(heads_of(truth), settings)
    for threshold in settings.thresholds:
        assert compare(written(config, threshold), found.segmentation(threshold)).voi_sum == 0
    assert open_results(config, "v").fragments is not None
    step = segmentation(config, "v") / "blocks" / "edges" / "step.json"
    settings_of_step = json.loads(step.read_text())
    assert settings_of_step["depends_on"]["inputs"]["weight"] == 8.0


def test_blocks_mend_it_too_and_other_settings_are_noticed(config) -> None:
    truth = neurons()
    blocks = config.derive(segment={"block": (8, 16, 16), "context": (4, 8, 8)})
    segment(blocks)
    sums = [compare(written(blocks, t), truth).voi_sum for t in blocks.segment.thresholds]
    assert min(sums) < 0.2
    other = blocks.derive(segment={"decoder": {"weight": 1.0}})
    with pytest.raises(ValueError, match=r"segment.decoder.weight: 8.0 there, 1.0 asked for"):
        open_results(other, "v")
    with pytest.raises(ValueError, match=r"segment.decoder.near: 30.0 there, 60.0 asked for"):
        open_results(blocks.derive(segment={"decoder": {"near": 60.0}}), "v")
    watershed = blocks.derive(segment={"decoder": "watershed"})
    with pytest.raises(ValueError, match=r"segment.agglomeration: with doubts there, whole asked"):
        open_results(watershed, "v")
    segment(watershed)
    with pytest.raises(ValueError, match=r"segment.decoder: another there, doubting asked for"):
        open_results(blocks, "v")
    segment(blocks)
    assert open_results(blocks, "v")


def test_doubts_that_were_left_half_done_are_of_no_other_decoder(config, monkeypatch) -> None:
    blocks = config.derive(segment={"block": (8, 16, 16), "context": (4, 8, 8)})
    monkeypatch.setattr(DoubtsFunction, "compute", None)
    with pytest.raises(BlocksFailed):
        segment(blocks)
    watershed = blocks.derive(segment={"decoder": "watershed"})
    segment(watershed)
    container = segmentation(watershed, "v")
    assert all(step.done == step.blocks for step in status(container))
    cautious = watershed.derive(segment={"caution": 0.5})
    told = other_than_asked(cautious, "v", container)
    assert told == ["segment.caution: 0.0 there, 0.5 asked for"]


def test_segments_are_read_when_the_prediction_is_gone(config) -> None:
    segment(config)
    shutil.rmtree(prediction(config, "v"))
    threshold = config.segment.thresholds[-1]
    segments = open_results(config, "v").at(threshold)
    assert np.array_equal(segments.read(segments.array.roi), written(config, threshold))


def test_thresholds_at_which_nothing_is_asked_are_told(config) -> None:
    told = []
    segment(config.derive(segment={"thresholds": (0.2, 0.25, 0.6)}), progress=told.append)
    [line] = [line for line in told if "not asked" in line]
    assert "segment.decoder.regions=0.3" in line
    assert "at 0.2, 0.25 segments are those of the watershed" in line
    with pytest.raises(ValueError, match=r"none of segment.thresholds \(0.2, 0.3\) is higher"):
        segment(config.derive(segment={"thresholds": (0.2, 0.3)}))


def test_mistakes_are_told_in_words(config) -> None:
    quantile = config.derive(segment={"scoring": "hist_quant_75"})
    with pytest.raises(ValueError, match="regions grow over the whole volume by means"):
        segment(quantile)
    with pytest.raises(ValueError, match="decoder 'doubting' reads head 'lsd'; the var") as error:
        segment(config.derive(segment={"decoder": {"head": "lsd"}}))
    assert '; take segment.decoder=\'{"kind":"doubting","head":"lsds"' in str(error.value)
    decoder = decoder_of(config.segment)
    nobody_knows = decoder.misfit({"lsds": Prediction(np.zeros((10, 2, 2, 2))).channels})
    assert "which an array does not say" in nobody_knows
