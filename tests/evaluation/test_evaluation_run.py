"""Evaluation on disk against scores of whole arrays; where the threshold comes from."""

import json
import shutil

import cc3d
import numpy as np
import pytest
from funlib.geometry import Roi
from scipy import ndimage

from lsd.blockwise.on_disk.step import step_folder
from lsd.evaluation.partition import compare, pool
from lsd.evaluation.run import evaluate
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name, picked
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Fragments,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
    Workers,
)  # fmt: skip
from lsd.spec.paths import evaluation_file, prediction, segmentation, validation_file
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

ROI = Roi((3, 0, 5), (14, 22, 24))
VOXEL_SIZE = (8.0, 8.0, 8.0)
NAMES = ("a", "b", "c")


def _truth(seed):
    rng = np.random.default_rng(seed)
    seeds = np.zeros(ROI.shape, int)
    for i in range(14):
        seeds[tuple(rng.integers(0, s) for s in ROI.shape)] = i % 6 + 1
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    labels = seeds[tuple(nearest)].astype(np.uint64)
    labels[:, :, 20:] *= rng.random((*ROI.shape[:2], 4)) < 0.8
    return labels


def _affs(labels, seed):
    affs = np.ones((3, *ROI.shape))
    for axis in range(3):
        affs[axis] = labels == np.roll(labels, 1, axis)
    blurred = ndimage.gaussian_filter(
        ndimage.minimum_filter(affs, (1, 2, 2, 2)), (0, 0.7, 0.7, 0.7)
    )
    noisy = blurred + np.random.default_rng(seed).normal(0, 0.1, affs.shape)
    return (255 * np.clip(noisy, 0, 1)).astype(np.uint8)


def _write(path, name, data, channels=None, remainder=None):
    options = {"voxel_size": VOXEL_SIZE, "channels": channels, "remainder": remainder}
    create_array(path, name, roi=ROI, dtype=data.dtype, **options).write(data, ROI)


@pytest.fixture
def config(tmp_path):
    return _segmented(tmp_path)


def _segmented(tmp_path, remainder=None):
    for seed, name in enumerate(NAMES):
        labels = _truth(seed)
        mask = np.ones(ROI.shape, np.uint8)
        mask[:, :4] = 0
        for what, data in (("raw", mask), ("labels", labels), ("mask", mask)):
            _write(tmp_path / f"{name}.zarr", what, data, remainder=remainder)
    volumes = {
        n: Volume(path=f"{n}.zarr", name=n, raw="raw", labels="labels", labels_mask="mask")
        for n in NAMES
    }
    config = Config(
        name="run",
        dataset=Dataset(validate=(volumes["a"], volumes["b"]), test=(volumes["c"],)),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=Segment(
            thresholds=(0.2, 0.4, 0.6, 0.8),
            fragments=Fragments(min_seed_distance=3),
            scoring="mean",
        ),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    for seed, name in enumerate(NAMES):
        _write(
            prediction(config, name),
            "affs",
            _affs(_truth(seed), seed),
            channels=3,
            remainder=remainder,
        )
    segment(config)
    return config


def _set(config, **evaluate):
    return config.derive(evaluate=config.evaluate.derive(**evaluate))


def _segments(config, name, what):
    return open_array(segmentation(config, name), what).read(ROI)


def _expected(config, name, threshold, where=(slice(None),) * 3, **options):
    truth, segments = _truth(NAMES.index(name)), _segments(config, name, array_name(threshold))
    mask = np.ones(ROI.shape, bool)
    mask[:, :4] = False
    return compare(segments[where], truth[where], mask=mask[where], **options)


def test_scores_are_those_of_the_arrays(config) -> None:
    config = _set(config, block=(5, 22, 10))
    told = []
    found = evaluate(config, progress=told.append)
    assert list(found.volumes) == list(NAMES)
    assert [line.split(":")[0] for line in told] == list(NAMES), "the table says the threshold"
    for name, scores in found.volumes.items():
        assert scores.roi == ROI
        assert scores.sweep == {t: _expected(config, name, t) for t in config.segment.thresholds}
        assert scores.scored == scores.sweep[found.threshold]
        assert scores.fragments == compare(
            _segments(config, name, "fragments")[:, 4:], _truth(NAMES.index(name))[:, 4:]
        )


def test_between_voxels_all_is_as_on_them_and_lies_over_the_truth(config, tmp_path) -> None:
    """Offsets that are no whole voxels, with a mask: the same scores, and segments at the place of
    the truth, in nm."""
    moved = _segmented(tmp_path / "moved", (2, 0, -3.5))
    assert {n: s.sweep for n, s in evaluate(moved).volumes.items()} == {
        n: s.sweep for n, s in evaluate(config).volumes.items()
    }
    masked = {"segment": moved.segment.derive(use_mask=True), "name": "masked"}
    masked = moved.derive(**masked)
    for name in NAMES:
        shutil.copytree(prediction(moved, name), prediction(masked, name))
    segment(masked)
    for run in (moved, masked):
        for array in ("fragments", array_name(0.4)):
            found = open_array(segmentation(run, "c"), array)
            assert (found.roi, found.remainder) == (ROI, (2, 0, -3.5))
            assert found.read(ROI).any()
    other = moved.dataset.test[0].derive(
        offset=dict.fromkeys(("raw", "labels", "labels_mask"), (24, 0, 40))
    )
    elsewhere = moved.derive(dataset=moved.dataset.derive(test=(other,)))
    with pytest.raises(
        ValueError,
        match=(
            r"volume 'c': against raw, .*fragments: it is shifted by \(0\.25, 0, -0\.438\) voxels"
        ),
    ):
        evaluate(elsewhere)


def test_ids_of_the_truth_are_exact_up_to_the_last(config, tmp_path) -> None:
    """Through the whole chain: 2**64 - 1 and its neighbours, which are one float and negative as
    int64."""
    before = evaluate(config).volumes["c"]
    labels = _truth(2)
    labels[labels > 0] += np.uint64(2**64 - 1) - labels.max()
    stored = create_array(
        tmp_path / "c.zarr",
        "labels",
        roi=ROI,
        voxel_size=VOXEL_SIZE,
        dtype=np.uint64,
        overwrite=True,
    )
    stored.write(labels, ROI)
    after = evaluate(config).volumes["c"]
    assert int(after.table.objects.max()) == 2**64 - 1
    assert after.sweep == before.sweep


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"scoring": "hist_quant_75"}, "segment.scoring: mean there, hist_quant_75 asked for"),
        ({"caution": 0.2}, "segment.caution: 0.0 there, 0.2 asked for"),
        (
            {"block": (7, 22, 24)},
            r"segment.block: \[14, 22, 24\] there, \[7, 22, 24\] asked for; run segment.py again",
        ),
        ({"use_mask": True}, "segment.use_mask: False there, True asked for; run segment.py again"),
        ({"context": (4, 4, 4)}, r"segment.context: \[32, 32, 32\] there, \[4, 4, 4\] asked for"),
        ({"agglomeration": "blocks"}, "segment.agglomeration: whole there, blocks asked for;"),
        (
            {"fragments": Fragments(min_seed_distance=4)},
            "segment.fragments.min_seed_distance: 3 there, 4 asked for",
        ),
    ],
)
def test_what_was_segmented_otherwise_is_not_scored(config, changed, says) -> None:
    other = config.derive(segment=config.segment.derive(**changed))
    with pytest.raises(ValueError, match=says):
        evaluate(other)
    segment(other)
    assert evaluate(other).threshold is not None


def test_a_threshold_that_is_scored_and_not_written_is_told(config) -> None:
    other = config.derive(segment=config.segment.derive(thresholds=(0.45,)))
    told = []
    assert evaluate(other, progress=told.append).threshold == 0.45
    missing = "holds no segmentation at threshold 0.45 yet: run segment.py again to write it"
    assert [line for line in told if "0.45" in line] == [
        f"{name}: scored; {segmentation(config, name)} {missing}" for name in NAMES
    ]
    segment(other)
    told.clear()
    evaluate(other, progress=told.append)
    assert not any("0.45" in line for line in told)


def test_another_mask_is_counted_anew(config, tmp_path) -> None:
    before = evaluate(config).volumes["c"]
    mask = create_array(
        tmp_path / "c.zarr", "mask", roi=ROI, voxel_size=VOXEL_SIZE, dtype=np.uint8, overwrite=True
    )
    mask.write(np.ones(ROI.shape, np.uint8), ROI)
    after = evaluate(config).volumes["c"]
    assert before.fragments == compare(_segments(config, "c", "fragments")[:, 4:], _truth(2)[:, 4:])
    assert after.fragments == compare(_segments(config, "c", "fragments"), _truth(2))


def test_another_mask_or_other_offsets_are_another_segmentation(config, tmp_path) -> None:
    masked = config.derive(segment=config.segment.derive(use_mask=True))
    segment(masked)
    evaluate(masked)
    with pytest.raises(
        ValueError, match=r"segment.use_mask: True there, False asked for; run segment.py again"
    ):
        evaluate(config)
    create_array(
        tmp_path / "b.zarr", "mask", roi=ROI, voxel_size=VOXEL_SIZE, dtype=np.uint8, overwrite=True
    ).write(np.ones(ROI.shape, np.uint8), ROI)
    with pytest.raises(
        ValueError, match=r"b\.zarr is not what .*b\.zarr:mask was changed since; run segment"
    ):
        evaluate(masked)
    segment(masked)
    evaluate(masked)
    heads = {"affs": Head(target=Affinities(neighborhood=((0, 0, -1), (0, -1, 0), (-1, 0, 0))))}
    with pytest.raises(
        ValueError,
        match=r"offsets of affinities: \[\[-1, 0, 0\], .* there, \[\[0, 0, -1\], .* asked for",
    ):
        evaluate(masked.derive(variant=Variant(stages=(Stage(heads=heads),))))


def test_where_regions_grow_in_blocks_what_they_see_counts(config) -> None:
    inside = {"agglomeration": "blocks", "block": (7, 22, 24)}
    made = config.derive(segment=config.segment.derive(**inside))
    segment(made)
    evaluate(made)
    other = made.derive(segment=made.segment.derive(edge_context=(0, 9, 9)))
    with pytest.raises(
        ValueError,
        match=r"segment.edge_context: \[64, 64, 64\] there, \[1, 9, 9\] asked for; run segment.py",
    ):
        evaluate(other)
    with pytest.raises(
        ValueError, match=r"segment.agglomeration: blocks there, whole asked for, by auto"
    ):
        evaluate(config)


def test_scores_of_another_prediction_are_not_told_as_those_of_this_one(config) -> None:
    before = evaluate(config)
    path = prediction(config, "c")
    shutil.rmtree(path)
    assert evaluate(config).part("test") == before.part("test"), (
        "a prediction may be deleted once it is segmented"
    )
    _write(path, "affs", _affs(_truth(2), 9), channels=3)
    with pytest.raises(
        ValueError,
        match=r"c\.zarr .*affs of the prediction was changed since; run segment\.py again",
    ):
        evaluate(config)
    segment(config)
    assert evaluate(config).part("test") != before.part("test")


def test_validation_picks_and_test_does_not(config) -> None:
    found = evaluate(config)
    sums = {
        t: pool([_expected(config, n, t) for n in "ab"]).voi_sum for t in config.segment.thresholds
    }
    assert found.threshold == min(sums, key=sums.get)
    assert found.chosen_on == "validation volumes: a, b"
    assert found.part("validate").voi_sum == pytest.approx(sums[found.threshold])
    assert found.part("test") == found.volumes["c"].scored
    assert found.part("train") is None
    written = json.loads(evaluation_file(config).read_text())
    assert written["threshold"] == found.threshold
    assert written["parts"]["test"] == found.part("test").as_dict()
    assert (
        written["volumes"]["c"]["sweep"]["0.4"]["voi_sum"] == found.volumes["c"].sweep[0.4].voi_sum
    )
    assert written["evaluate"]["background"] == "label"
    assert written["segment"]["scoring"] == "mean"
    assert written["picked_on"] == {
        name: config.dataset.volumes()[name].model_dump(mode="json") for name in "ab"
    }
    assert picked(config) == found.threshold
    assert picked(_set(config, tolerance=0.3)) is None


def _only(config, *names):
    return config.derive(predict=config.predict.derive(volumes=names))


def test_threshold_of_the_training_run(config) -> None:
    alone = _only(config, "c")
    found = evaluate(alone)
    assert found.threshold is None
    assert "no validation volume" in found.chosen_on
    assert found.volumes["c"].scored is None
    assert found.part("test") is None
    assert len(found.volumes["c"].sweep) == 4
    validation_file(config).write_text('{"threshold": 0.35}')
    found = evaluate(alone)
    assert (found.threshold, found.chosen_on) == (0.35, "validation during training")
    assert list(found.volumes["c"].sweep) == [0.2, 0.4, 0.6, 0.8]
    other = config.derive(segment=config.segment.derive(thresholds=(0.35,)))
    segment(_only(other, "c"))
    assert found.volumes["c"].scored == _expected(config, "c", 0.35)


@pytest.mark.parametrize("background", ["label", "ignore", "singletons"])
def test_region_and_background(config, background) -> None:
    options = config.segment.fragments.derive(foreground_only=True)
    config = config.derive(segment=config.segment.derive(fragments=options))
    segment(config)
    found = evaluate(_set(config, region=((5, 9), (None, 20)), background=background))
    assert found.volumes["c"].roi == Roi((5, 0, 5), (4, 20, 24))
    where = (slice(2, 6), slice(0, 20), slice(None))
    assert found.volumes["c"].sweep[0.4] == _expected(
        config, "c", 0.4, where, background=background
    )


def test_truth_in_pieces(config) -> None:
    found = evaluate(_set(config, connected=True, use_mask=False, ignore=(0, 3)))
    truth = _truth(2)
    pieces = cc3d.connected_components(np.where(truth == 3, 0, truth), connectivity=26)
    expected = compare(_segments(config, "c", array_name(0.4)), pieces)
    assert expected.objects > 5, "more than there are labels"
    assert found.volumes["c"].sweep[0.4] == expected


def test_of_volumes_without_truth_it_is_said_where_they_are(config) -> None:
    bare = config.dataset.test[0].derive(labels=None, labels_mask=None)
    dataset = config.dataset.derive(test=(bare,))
    # a threshold that nothing was written for
    config = config.derive(dataset=dataset, segment=config.segment.derive(thresholds=(0.35,)))
    told = []
    assert list(evaluate(config, progress=told.append).volumes) == ["a", "b"]
    path = segmentation(config, "c")
    missing = (
        f"{path} holds no segmentation at threshold 0.35 yet: run segment.py again to write it"
    )
    assert told[-1] == f"c: no truth, not scored; {missing}"
    segment(config)
    evaluate(config, progress=told.append)
    assert told[-1] == f"c: no truth, not scored; its segmentation at threshold 0.35 is in {path}"


def test_mutex_has_no_threshold(config) -> None:
    pytest.importorskip("mwatershed")
    far = Head(target=Affinities(neighborhood=((-1, 0, 0), (0, -1, 0), (0, 0, -2))))
    config = config.derive(
        segment={"decoder": "mutex"}, variant={"stages": Stage(heads={"affs": far})}
    )
    with pytest.raises(ValueError, match="mutex"):
        evaluate(config)
    segment(config)
    found = evaluate(config)
    assert found.threshold is None
    expected = compare(_segments(config, "c", "segmentation/mutex")[:, 4:], _truth(2)[:, 4:])
    assert found.volumes["c"].scored == expected
    assert found.volumes["c"].sweep == {}
    assert json.loads(evaluation_file(config).read_text())["volumes"]["c"]["fragments"] is None


def test_errors(config, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"volume 'a': evaluate\.region"):
        evaluate(_set(config, region=((0, 99),)))
    with pytest.raises(ValueError, match=r"volume 'a': nothing to score"):
        evaluate(_set(config, ignore=tuple(range(10))))
    edges = step_folder(segmentation(config, "b"), "edges")
    table = sorted((segmentation(config, "b") / "tables").glob("0.*.npy"))[0]
    table.write_bytes(table.read_bytes()[:200])
    with pytest.raises(ValueError, match=rf"tables/{table.name}"):
        evaluate(config)
    shutil.rmtree(table.parent)
    evaluate(config)
    kept = (edges / "step.json").read_bytes()
    (edges / "step.json").write_bytes(
        (step_folder(segmentation(config, "a"), "edges") / "step.json").read_bytes()
    )
    with pytest.raises(ValueError, match=r"b\.zarr/blocks/edges does not belong to"):
        evaluate(config)
    (edges / "step.json").write_bytes(kept)
    [rows] = edges.glob("*.rows")
    rows.write_bytes(rows.read_bytes()[:10])
    with pytest.raises(ValueError, match=rf"{rows.name} is too short"):
        evaluate(config)
    rows.unlink()
    with pytest.raises(ValueError, match=rf"{rows.name} cannot be read"):
        evaluate(config)
    shutil.rmtree(edges)
    with pytest.raises(ValueError, match=r"blocks/edges is missing"):
        evaluate(config)
    with pytest.raises(ValueError, match=r"run segment\.py first"):
        evaluate(config.derive(name="other"))
    without = Dataset(test=(config.dataset.test[0].derive(labels=None),))
    with pytest.raises(ValueError, match="has labels to be scored"):
        evaluate(config.derive(dataset=without))


def test_earlier_scores_are_kept_and_named(config) -> None:
    folder, told = evaluation_file(config).parent, []
    evaluate(config, progress=told.append)
    first = evaluation_file(config).read_bytes()
    for name in ("sweep", "a"):
        (folder / f"evaluation_{name}.png").write_bytes(b"first")
    same = _set(config, block=(5, 22, 10), workers=Workers(count=1))
    evaluate(same, progress=told.append)
    assert not [line for line in told if "kept" in line], "the same scores"
    assert (
        json.loads(evaluation_file(config).read_bytes())["volumes"] == json.loads(first)["volumes"]
    )
    cases = [
        (_set(config, background="ignore"), "evaluate.background: label there, ignore asked for"),
        (_thresholds(config, (0.4,)), "evaluate.background: ignore there, label asked for; "
         "thresholds: 0.2, 0.4, 0.6, 0.8 there, 0.4 asked for"),
        (_thresholds(_only(config, "a"), (0.4,)), "volumes: a, b, c there, a asked for"),
    ]  # fmt: skip
    for number, (changed, says) in enumerate(cases, start=1):
        told.clear()
        before = evaluation_file(config).read_bytes()
        evaluate(changed, progress=told.append)
        kept = folder / f"evaluation-{number}.json"
        [line] = [line for line in told if "kept" in line]
        assert line.startswith(f"the earlier evaluation is kept as {kept}")
        assert line.endswith(f": {says}")
        assert kept.read_bytes() == before
        assert ("its figures beside it" in line) == (number == 1)
    for name in ("sweep", "a"):
        assert (folder / f"evaluation-1_{name}.png").read_bytes() == b"first"
    assert not list(folder.glob("evaluation_*.png")), "those of other scores"


def test_other_scores_with_the_same_settings_replace_none(config) -> None:
    before = evaluate(config)
    path = prediction(config, "c")
    shutil.rmtree(path)
    _write(path, "affs", _affs(_truth(2), 9), channels=3)
    segment(config)
    told = []
    evaluate(config, progress=told.append)
    assert told[-1].endswith("evaluation-1.json: the same settings gave other scores")
    kept = json.loads((evaluation_file(config).parent / "evaluation-1.json").read_bytes())
    assert kept["parts"]["test"] == before.part("test").as_dict()


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"volumes": 3, "segment": []}'])
def test_what_is_no_evaluation_is_kept_too(config, content) -> None:
    evaluation_file(config).write_bytes(content)
    told = []
    evaluate(config, progress=told.append)
    assert "evaluation-1.json" in told[-1]
    assert (evaluation_file(config).parent / "evaluation-1.json").read_bytes() == content


def _thresholds(config, thresholds):
    return config.derive(segment=config.segment.derive(thresholds=thresholds))
