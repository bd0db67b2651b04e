"""Evaluation on disk against scores of whole arrays; where the threshold comes from."""

import json
import shutil

import cc3d
import numpy as np
import pytest
from funlib.geometry import Roi
from segmented_volumes import (
    NAMES,
    ROI,
    VOXEL_SIZE,
    expected_score,
    only,
    segmented,
    segments_of,
    truth_of,
    with_evaluate,
)

from lsd.evaluation.partition import compare
from lsd.evaluation.run import evaluate
from lsd.evaluation.score import pool
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name, picked
from lsd.spec import (
    Affinities,
    Head,
    Stage,
)  # fmt: skip
from lsd.spec.paths import evaluation_file, prediction, segmentation, validation_file
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array


def test_scores_are_those_of_the_arrays(config) -> None:
    config = with_evaluate(config, block=(5, 22, 10))
    told = []
    found = evaluate(config, progress=told.append)
    assert list(found.volumes) == list(NAMES)
    assert [line.split(":")[0] for line in told] == list(NAMES), "the table says the threshold"
    for name, scores in found.volumes.items():
        assert scores.roi == ROI
        assert scores.sweep == {
            t: expected_score(config, name, t) for t in config.segment.thresholds
        }
        assert scores.scored == scores.sweep[found.threshold]
        assert scores.fragments == compare(
            segments_of(config, name, "fragments")[:, 4:], truth_of(NAMES.index(name))[:, 4:]
        )


def test_between_voxels_all_is_as_on_them_and_lies_over_the_truth(config, tmp_path) -> None:
    """Offsets that are no whole voxels, with a mask: the same scores, and segments at the place of
    the truth, in nm."""
    moved = segmented(tmp_path / "moved", (2, 0, -3.5))
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
    labels = truth_of(2)
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


def test_a_threshold_that_is_scored_and_not_written_is_told(config) -> None:
    other = config.derive(segment=config.segment.derive(thresholds=(0.45,)))
    told = []
    assert evaluate(other, progress=told.append).threshold == 0.45
    missing = "holds no segmentation at threshold 0.45 yet: run `lsd segment` again to write it"
    assert [line for line in told if "0.45" in line] == [
        f"{name}: scored; {segmentation(config, name)} {missing}" for name in NAMES
    ]
    segment(other)
    told.clear()
    evaluate(other, progress=told.append)
    assert not any("0.45" in line for line in told)


def test_validation_picks_and_test_does_not(config) -> None:
    found = evaluate(config)
    sums = {
        t: pool([expected_score(config, n, t) for n in "ab"]).voi_sum
        for t in config.segment.thresholds
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
    assert picked(with_evaluate(config, tolerance=0.3)) is None


def test_threshold_of_the_training_run(config) -> None:
    alone = only(config, "c")
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
    segment(only(other, "c"))
    assert found.volumes["c"].scored == expected_score(config, "c", 0.35)


@pytest.mark.parametrize("background", ["label", "ignore", "singletons"])
def test_region_and_background(config, background) -> None:
    options = config.segment.fragments.derive(foreground_only=True)
    config = config.derive(segment=config.segment.derive(fragments=options))
    segment(config)
    found = evaluate(with_evaluate(config, region=((5, 9), (None, 20)), background=background))
    assert found.volumes["c"].roi == Roi((5, 0, 5), (4, 20, 24))
    where = (slice(2, 6), slice(0, 20), slice(None))
    assert found.volumes["c"].sweep[0.4] == expected_score(
        config, "c", 0.4, where, background=background
    )


def test_truth_in_pieces(config) -> None:
    found = evaluate(with_evaluate(config, connected=True, use_mask=False, ignore=(0, 3)))
    truth = truth_of(2)
    pieces = cc3d.connected_components(np.where(truth == 3, 0, truth), connectivity=26)
    expected = compare(segments_of(config, "c", array_name(0.4)), pieces)
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
        f"{path} holds no segmentation at threshold 0.35 yet: run `lsd segment` again to write it"
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
    expected = compare(segments_of(config, "c", "segmentation/mutex")[:, 4:], truth_of(2)[:, 4:])
    assert found.volumes["c"].scored == expected
    assert found.volumes["c"].sweep == {}
    assert json.loads(evaluation_file(config).read_text())["volumes"]["c"]["fragments"] is None


@pytest.mark.parametrize("region", [(), ((2, None),)])
def test_a_volume_that_is_tested_and_validated_is_warned_of(config, caplog, region) -> None:
    first = config.dataset.volumes()[NAMES[0]]
    both = {
        "train": (),
        "validate": first.derive(name="seen", region=region),
        "test": first,
    }
    # nothing of it is segmented under the other name
    with pytest.raises(ValueError, match="'seen'"):
        evaluate(config.derive(dataset=both, predict={"volumes": ("validate", "test")}))
    said = f"volume {NAMES[0]!r} of test is 'seen' of validate: checkpoint and threshold are picked"
    assert (said in caplog.text) == (region == first.region)


def test_a_volume_that_was_trained_on_is_warned_of(config, caplog) -> None:
    first = config.dataset.volumes()[NAMES[0]]
    both = {"train": first.derive(name="learned"), "validate": (), "test": first}
    # nothing of it is segmented
    with pytest.raises(ValueError, match="there is no segmentation"):
        evaluate(config.derive(dataset=both, predict={"volumes": "test"}, name="nothing_yet"))
    assert f"volume {NAMES[0]!r} of test holds voxels of 'learned', which is trained on" in (
        caplog.text
    )
