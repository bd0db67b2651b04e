"""Validation against the same chain put together by hand, and its loss against brute force."""

import json
import math
import shutil
from types import SimpleNamespace

import cc3d
import numpy as np
import pytest
import torch
from funlib.geometry import Roi
from tiny_run import config

from lsd.arrays.lookup import components, relabel
from lsd.arrays.skeletons import Skeletons, labels_at
from lsd.evaluation.mincut import min_cut_metric
from lsd.evaluation.partition import compare
from lsd.evaluation.skeletons import expected_run_length
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.fragments import fragments
from lsd.segmentation.mutex import mutex
from lsd.segmentation.threshold import validated
from lsd.spec import Evaluate, Segment
from lsd.spec.paths import validation_file
from lsd.targets.target import compute
from lsd.training.checkpointing import record_best
from lsd.training.loop import train
from lsd.training.loss_score import LossScore, learned_in
from lsd.training.validation import Validation, Validator, predict_region
from lsd.volumes.array import open_array
from lsd.volumes.skeletons import write_skeletons


def _trained(folder, variant, **fields):
    run = config(folder, variant, iterations=3, validate_every=1, **fields)
    return run, from_checkpoint(train(run.derive(dataset=run.dataset.derive(validate=()))))


def _arrays(folder):
    arrays = [open_array(folder / "tiny.zarr", name) for name in ("raw", "labels")]
    return [array.read(array.roi) for array in arrays]


def test_score_is_that_of_the_chain_put_together_by_hand(tmp_path) -> None:
    run, restored = _trained(tmp_path, "mtlsd")
    found = Validator(run, run.variant.stages[0])(restored.cascade)
    raw, labels = _arrays(tmp_path)
    roi = Roi((28, 0, 0), (12, 24, 24))
    predictor = Predictor(restored.cascade, run.network)
    affs = predict_array(predictor, (raw / 127.5 - 1).astype(np.float32), roi=roi)["affs"]
    affs = np.rint(affs * 255).astype(np.uint8)
    parts = fragments(affs, min_seed_distance=4)
    edges, scores = agglomerate(affs, parts)
    ids = np.unique(parts)
    for threshold, partition in found.sweep.items():
        segmentation = relabel(parts, ids, components(ids, edges, scores, threshold))
        assert partition == compare(segmentation, labels[roi.to_slices()])
    assert found.score == min(partition.voi_sum for partition in found.sweep.values())
    assert found.scores == found.sweep[found.threshold]
    assert restored.cascade.training is False


def test_a_region_is_predicted_as_in_the_whole_volume(tmp_path) -> None:
    run, restored = _trained(tmp_path, "aff")
    predictor = Predictor(restored.cascade, run.network)
    volume = Validator(run, run.variant.stages[0]).open()[0]
    whole = predict_region(predictor, volume, Roi((0, 0, 0), (40, 40, 40)))["affs"]
    part = predict_region(predictor, volume, Roi((29, 3, 5), (11, 20, 17)))["affs"]
    np.testing.assert_allclose(part, whole[:, 29:40, 3:23, 5:22], atol=1e-6)


@pytest.mark.parametrize("dims", ["2d", "3d"])
def test_a_stage_without_affinities_is_scored_by_its_loss(tmp_path, dims) -> None:
    run, restored = _trained(tmp_path, "lsd", dims=dims)
    found = Validator(run, run.variant.stages[0])(restored.cascade)
    raw, labels = _arrays(tmp_path)
    roi = Roi((28, 0, 0), (12, 24, 24))
    predicted = predict_array(
        Predictor(restored.cascade, run.network), (raw / 127.5 - 1).astype(np.float32), roi=roi
    )["lsds"]
    target, far = run.variant.heads()["lsds"].target, 12
    # neurons go on beyond the border, as in the batches of training
    mirrored = np.pad(labels[roi.to_slices()], far, mode="reflect")
    if dims == "3d":
        wanted, _ = compute(target, mirrored, voxel_size=(10, 10, 10))
    else:
        wanted = np.stack(
            [compute(target, section, voxel_size=(10, 10))[0] for section in mirrored], axis=1
        )
    wanted = wanted[:, far:-far, far:-far, far:-far]
    assert found.score == pytest.approx(np.mean((predicted - wanted) ** 2), rel=1e-4)
    assert found.threshold is None
    assert found.record() == {"score": found.score, "losses": {"lsds": found.score}}


def test_objects_of_another_array_are_scored_as_those_of_labels(tmp_path) -> None:
    """They go on beyond the border, too; scores of before are not compared with these."""
    run = config(tmp_path, "lsd", validate_every=1)
    volumes = (run.dataset.validate[0].derive(arrays={"again": "labels"}),)
    run = run.derive(dataset=run.dataset.derive(validate=volumes))
    stage = run.variant.stages[0]
    validator, target = Validator(run, stage), run.variant.heads()["lsds"].target
    [volume], [roi] = validator.open(), validator.rois
    wanted = {"labels": target, "array": target.derive(array="again")}
    found = learned_in(volume, roi, wanted, dims=3).targets
    for of_labels, of_array in zip(found["labels"], found["array"], strict=True):
        np.testing.assert_array_equal(of_array, of_labels)
    head = stage.heads["lsds"].derive(target=wanted["array"])
    of_array = Validator(run, stage.derive(heads={"lsds": head})).yardstick
    assert (validator.yardstick["version"], of_array["version"]) == (2, 3)


def _by_hand(run, restored, folder, roi) -> tuple[np.ndarray, np.ndarray]:
    """Affinities of a region as they would lie on disk, and its labels."""
    raw, labels = _arrays(folder)
    affs = predict_array(
        Predictor(restored.cascade, run.network), (raw / 127.5 - 1).astype(np.float32), roi=roi
    )["affs"]
    return np.rint(affs * 255).astype(np.uint8), labels[roi.to_slices()]


WHOLE = Roi((28, 0, 0), (12, 24, 24))
OTHER = {
    "mutex": ({"segment": Segment(decoder="mutex")}, WHOLE),
    "quantile": ({"segment": Segment(scoring="hist_quant_50", thresholds=(0.3, 0.6))}, WHOLE),
    "far affinities": ({"segment": Segment(scoring="mean_all", thresholds=(0.4,))}, WHOLE),
    "pieces, singletons": (
        {"evaluate": Evaluate(connected=True, background="singletons", use_mask=False)},
        WHOLE,
    ),
    "ignored": ({"evaluate": Evaluate(ignore=(3, 7))}, WHOLE),
    "region": ({"evaluate": Evaluate(region=((30, 40), (2, 20)))}, Roi((30, 2, 0), (10, 18, 24))),
    "tolerance": ({"evaluate": Evaluate(tolerance=0.5)}, WHOLE),
}


@pytest.mark.parametrize("case", OTHER)
def test_other_settings(tmp_path, case) -> None:
    """As array functions give it, one after another, with nothing of training between them."""
    changes, roi = OTHER[case]
    run, restored = _trained(tmp_path, "lr")
    run = run.derive(**changes)
    found = Validator(run, run.variant.stages[0])(restored.cascade)
    affs, labels = _by_hand(run, restored, tmp_path, roi)
    settings, evaluated = run.segment, run.evaluate
    offsets = run.variant.heads()["affs"].target.neighborhood
    if evaluated.connected:
        labels = cc3d.connected_components(labels, connectivity=26)
    options = {"ignore": evaluated.ignore, "background": evaluated.background}
    if settings.decoder.kind == "mutex":
        expected = compare(mutex(affs, offsets, **settings.mutex.model_dump()), labels, **options)
        assert (found.scores, found.threshold, found.sweep) == (expected, None, {})
        return
    parts = fragments(affs[:3], **settings.fragments.model_dump())
    edges, scores = agglomerate(affs, parts, neighborhood=offsets, **settings.scores)
    ids = np.unique(parts)
    expected = {
        threshold: compare(
            relabel(parts, ids, components(ids, edges, scores, threshold)), labels, **options
        )
        for threshold in settings.thresholds
    }
    assert found.sweep == expected
    lowest = min(partition.voi_sum for partition in expected.values())
    good = [
        t
        for t, partition in expected.items()
        if partition.voi_sum <= (1 + evaluated.tolerance) * lowest
    ]
    assert found.threshold == min(good)
    assert found.score == expected[min(good)].voi_sum
    curves = found.curves()
    assert curves["validation/score"] == found.score
    assert curves["validation/threshold"] == found.threshold
    for threshold, partition in expected.items():
        assert curves[f"validation/voi_split/{threshold:g}"] == partition.voi_split
        assert curves[f"validation/voi_merge/{threshold:g}"] == partition.voi_merge


def test_scores_of_several_volumes_are_those_of_one_made_of_them(tmp_path) -> None:
    run, restored = _trained(tmp_path, "aff")
    volume = run.dataset.validate[0]
    halves = tuple(
        volume.derive(name=f"part{y}", region=((28, 40), (y, y + 12), (0, 24))) for y in (0, 12)
    )
    run = run.derive(dataset=run.dataset.derive(validate=halves))
    found = Validator(run, run.variant.stages[0])(restored.cascade)
    sums = dict.fromkeys(run.segment.thresholds, 0.0)
    for y in (0, 12):
        affs, labels = _by_hand(run, restored, tmp_path, Roi((28, y, 0), (12, 12, 24)))
        parts = fragments(affs, min_seed_distance=4)
        edges, scores = agglomerate(affs, parts)
        for threshold in sums:
            ids = np.unique(parts)
            segmentation = relabel(parts, ids, components(ids, edges, scores, threshold))
            sums[threshold] += compare(segmentation, labels).voi_sum / 2
    assert found.score == pytest.approx(min(sums.values()))


def _lines(labels):
    """A skeleton along each label: its voxels by section, one of each."""
    voxels = np.argwhere(labels > 0)
    owner = labels[tuple(voxels.T)]
    _, first = np.unique(np.stack([owner, voxels[:, 0]], axis=1), axis=0, return_index=True)
    voxels, owner = voxels[first], owner[first]
    edges = np.flatnonzero(owner[1:] == owner[:-1])
    ids = np.arange(len(owner))
    return Skeletons(ids, owner, (voxels + 0.5) * 10.0, np.stack([edges, edges + 1], axis=1))


def _along(run, folder, **fields):
    """The run whose validation volume has these skeletons."""
    write_skeletons(_lines(_arrays(folder)[1]), folder / "lines.npz")
    traced = run.dataset.validate[0].derive(skeletons=str(folder / "lines.npz"), **fields)
    return run.derive(dataset=run.dataset.derive(validate=(traced,)))


@pytest.mark.parametrize("metric", ["nerl", "mcm"])
def test_validation_along_skeletons(tmp_path, metric) -> None:
    """Of a volume without labels, whose skeletons reach beyond what is predicted."""
    run, restored = _trained(tmp_path, "mtlsd")
    run = run.derive(evaluate=Evaluate(metric=metric))
    raw, labels = _arrays(tmp_path)
    run = _along(run, tmp_path, labels=None)
    validator = Validator(run, run.variant.stages[0])
    found = validator(restored.cascade)
    roi = Roi((28, 0, 0), (12, 24, 24))
    assert [Roi(*box) for box in validator.job.predicted] == [roi]
    predictor = Predictor(restored.cascade, run.network)
    affs = predict_array(predictor, (raw / 127.5 - 1).astype(np.float32), roi=roi)["affs"]
    affs = np.rint(affs * 255).astype(np.uint8)
    parts = fragments(affs, min_seed_distance=4)
    edges, scores = agglomerate(affs, parts)
    ids = np.unique(parts)
    lines = _lines(labels).cropped((280, 0, 0), (400, 240, 240))
    at = {"voxel_size": (10, 10, 10), "offset": (280, 0, 0)}
    for threshold, score in found.sweep.items():
        if metric == "mcm":
            nodes = labels_at(parts, lines.positions, **at)
            expected = min_cut_metric(lines, nodes, edges, scores, threshold)
            assert score.as_dict() == expected.as_dict()
        else:
            segments = relabel(parts, ids, components(ids, edges, scores, threshold))
            nodes = labels_at(segments, lines.positions, **at)
            assert score.nerl == pytest.approx(expected_run_length(lines, nodes).nerl)
    assert found.score == min(score.objective for score in found.sweep.values())
    moved = Skeletons(lines.node_ids, lines.skeleton_ids, lines.positions + 1, lines.edges)
    write_skeletons(moved, tmp_path / "lines.npz")
    assert Validator(run, run.variant.stages[0]).yardstick != validator.yardstick


def test_a_metric_along_skeletons_wants_some(tmp_path) -> None:
    run = config(tmp_path, validate_every=1).derive(evaluate=Evaluate(metric="nerl"))
    with pytest.raises(ValueError, match="has no skeletons; name them, or set"):
        Validator(run, run.variant.stages[0])


def test_the_threshold_that_was_found_along_skeletons_is_used(tmp_path) -> None:
    """And not for other skeletons of the same volume."""
    run = config(tmp_path, validate_every=5).derive(evaluate=Evaluate(metric="nerl"))
    run = _along(run, tmp_path)
    train(run, progress=False)
    found = json.loads(validation_file(run).read_text())
    assert validated(run) == found["threshold"]
    shutil.copy(tmp_path / "lines.npz", tmp_path / "others.npz")
    traced = run.dataset.validate[0].derive(skeletons=str(tmp_path / "others.npz"))
    other = run.derive(dataset=run.dataset.derive(validate=(traced,)))
    assert validated(other) is None


def test_edits_want_a_region_graph(tmp_path) -> None:
    """Before training, and not where the first validation would come."""
    run = config(tmp_path, "lr", validate_every=1).derive(evaluate=Evaluate(metric="mcm"))
    run = _along(run, tmp_path)
    assert Validator(run, run.variant.stages[0])
    run = run.derive(segment=run.segment.derive(decoder="mutex"))
    with pytest.raises(ValueError, match=r"'mcm' cuts the region graph .* 'mutex' leaves none"):
        Validator(run, run.variant.stages[0])


def test_volumes_without_truth_are_refused_and_none_are_no_validation(tmp_path) -> None:
    run = config(tmp_path, validate_every=1)
    bare = run.dataset.validate[0].derive(labels=None)
    wrong = run.derive(dataset=run.dataset.derive(validate=(bare,)))
    with pytest.raises(ValueError, match="has no labels"):
        Validator(wrong, run.variant.stages[0])
    assert not Validator(config(tmp_path), run.variant.stages[0])
    assert Validator(run, run.variant.stages[0])


def test_training_goes_on_where_validation_began(tmp_path) -> None:
    """Validation leaves mode, weights and gradients as they were."""
    run, restored = _trained(tmp_path, "aff")
    cascade = restored.cascade.train()
    before = {key: value.clone() for key, value in cascade.state_dict().items()}
    Validator(run, run.variant.stages[0])(cascade)
    assert cascade.training
    assert all(torch.equal(value, before[key]) for key, value in cascade.state_dict().items())
    assert not any(parameter.is_inference() for parameter in cascade.parameters())


def test_a_score_that_is_undefined_is_null(tmp_path) -> None:
    def strict(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    run = config(tmp_path)
    for score, written in ((math.inf, None), (0.25, 0.25)):
        best = {"yardstick": {}, "iteration": 3, "score": score, "threshold": 0.5}
        record_best(SimpleNamespace(config=run, best=best))
        record = json.loads(validation_file(run).read_text(), parse_constant=strict)
        assert record == {**best, "score": written}


def test_a_score_that_is_no_number_is_the_worst_and_not_the_best_for_ever() -> None:
    scores = [
        Validation(LossScore({"lsds": loss}, {"lsds": 1.0})).score for loss in (math.nan, 9.0)
    ]
    assert scores == [math.inf, 9.0]
