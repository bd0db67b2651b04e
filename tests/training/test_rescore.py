"""Scores of different yardsticks are never compared: on a resume with another one, the best so far
is scored again."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from funlib.geometry import Roi
from tiny_run import SHAPE, VOXEL_SIZE, config

from lsd.network.checkpoints import checkpoint, files
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.spec import Config, Evaluate, Fragments, Predict, Segment, paths
from lsd.training.loop import train
from lsd.training.validation import Validator
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

EVERY = {"validate_every": 1, "checkpoint_every": 1, "keep": 9, "learning_rate": 0.05, "ema": 0.5}
BASE = Segment(fragments=Fragments(min_seed_distance=4), thresholds=(0.2, 0.5, 0.8))


def _longer(run: Config, iterations: int, **changes) -> Config:
    return run.derive(**{"train": run.train.derive(iterations=iterations)} | changes)


def _record(run: Config) -> dict:
    return json.loads(paths.validation_file(run).read_text())


def _best(run: Config, iterations: range | list[int], stage: int = 0) -> tuple[int, float]:
    """The first of the lowest scores that these checkpoints have with the run's own validation: by
    hand, one by one."""
    folder = paths.checkpoints(run, run.variant.stages[stage].name)
    validator = Validator(run, run.variant.stages[stage])
    scores = {
        i: validator(from_checkpoint(folder / files.file_name(i)).cascade).score for i in iterations
    }
    best = min(scores, key=lambda i: (scores[i], i))
    return best, scores[best]


CHANGES = {
    "scoring": {"segment": BASE.derive(scoring="hist_quant_75")},
    "thresholds": {"segment": BASE.derive(thresholds=(0.9,))},
    "fragments": {"segment": BASE.derive(fragments=Fragments(min_seed_distance=2))},
    "background": {"evaluate": Evaluate(background="singletons")},
    "region": {"evaluate": Evaluate(region=((30, 40), (2, 20)))},
    "tolerance": {"evaluate": Evaluate(tolerance=0.5)},
    "blocks of prediction": {"predict": Predict(device="cpu", threads=1, shape=(26, 26, 26))},
}


@pytest.mark.parametrize("changed", CHANGES)
def test_the_best_is_that_of_one_yardstick(tmp_path, caplog, changed) -> None:
    run = config(tmp_path, iterations=3, **EVERY)
    train(run, progress=False)
    before = _record(run)
    other = _longer(run, 5, **CHANGES[changed])
    caplog.clear()
    path = train(other, progress=False)
    # what was the best before, and what came after
    iteration, score = _best(other, [before["iteration"], 4, 5])
    assert _record(other)["iteration"] == checkpoint.load(path)["iteration"] == iteration
    assert _record(other)["score"] == pytest.approx(score, rel=1e-6)
    assert (
        _record(other)["yardstick"]
        == Validator(other, other.variant.stages[0]).yardstick
        != before["yardstick"]
    )
    [said] = [message for message in caplog.messages if "cannot be compared" in message]
    field = {"blocks of prediction": "predict.shape", "thresholds": "thresholds"}.get(
        changed, changed
    )
    assert field in said
    assert "there" in said


def test_an_old_score_that_no_new_one_reaches_does_not_stay(tmp_path) -> None:
    """Singletons cost bits, so what was found with a plain background would be the best for
    ever."""
    run = config(tmp_path, iterations=2, **EVERY)
    train(run, progress=False)
    everything = Segment(
        fragments=Fragments(min_seed_distance=4, foreground_only=True, threshold=0.6),
        thresholds=(0.2,),
    )
    other = _longer(run, 4, evaluate=Evaluate(background="singletons"), segment=everything)
    before = _record(run)
    train(other, progress=False)
    assert _record(other)["score"] > before["score"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"segment": BASE.derive(block=(64, 64, 64), context=(1, 1, 1))},
        {"evaluate": Evaluate(block=(64, 64, 64))},
        {"predict": Predict(device="cpu", threads=1, augment="flips", dtype="float32")},
    ],
)
def test_what_changes_no_score_is_not_scored_again(tmp_path, caplog, changes) -> None:
    run = config(tmp_path, iterations=2, **EVERY)
    train(run, progress=False)
    caplog.clear()
    train(_longer(run, 3, **changes), progress=False)
    assert not [
        message
        for message in caplog.messages
        if "cannot be compared" in message or "scored again" in message
    ]


def test_corrected_labels_are_another_yardstick(tmp_path, caplog) -> None:
    run = config(tmp_path, iterations=2, **EVERY)
    train(run, progress=False)
    roi = Roi((0, 0, 0), SHAPE)
    labels = open_array(tmp_path / "tiny.zarr", "labels").read(roi)
    labels[28:, :12] = 77
    create_array(
        tmp_path / "tiny.zarr",
        "labels",
        roi=roi,
        voxel_size=VOXEL_SIZE,
        dtype=np.uint64,
        overwrite=True,
    ).write(labels, roi)
    before = _record(run)
    # they lie in one chunk with those that are trained on
    other = _longer(run, 3).derive(train={"changed_data": "accept"})
    path = train(other, progress=False)
    assert any(
        "cannot be compared" in message and "labels" in message for message in caplog.messages
    )
    iteration, score = _best(other, [before["iteration"], 3])
    assert checkpoint.load(path)["iteration"] == iteration
    assert _record(other)["score"] == pytest.approx(score, rel=1e-6)


def test_a_stage_scored_by_its_loss_has_a_yardstick_too(tmp_path) -> None:
    run = config(tmp_path, "lsd", iterations=2, **EVERY)
    train(run, progress=False)
    before = _record(run)
    other = _longer(run, 3, evaluate=Evaluate(region=((30, 38),)))
    train(other, progress=False)
    iteration, score = _best(other, [before["iteration"], 3])
    assert _record(other)["iteration"] == iteration
    assert _record(other)["score"] == pytest.approx(score, rel=1e-6)


@pytest.mark.parametrize("harm", ["damaged", "gone", "gone with its other name"])
def test_where_the_best_is_gone_the_comparison_begins_anew(tmp_path, caplog, harm) -> None:
    run = config(tmp_path, iterations=3, **EVERY)
    best = train(run, progress=False)
    train(_longer(run, 4, train=run.train.derive(validate_every=0, iterations=4)), progress=False)
    before = _record(run)["iteration"]
    best.unlink()
    if harm == "damaged":
        best.write_bytes(b"")
    elif harm == "gone with its other name":
        best.with_name(files.file_name(before)).unlink()
    caplog.clear()
    caplog.set_level("INFO")
    other = _longer(run, 5, evaluate=Evaluate(background="singletons"))
    assert train(other, progress=False) == best
    candidates = [before, 5] if harm == "gone" else [5]
    assert (
        checkpoint.load(best)["iteration"]
        == _record(other)["iteration"]
        == _best(other, candidates)[0]
    )
    said = {"damaged": "there is no best checkpoint to score again", "gone": "scored again"}
    assert said.get(harm, f"{best} is gone: the next validation begins anew") in caplog.text


@pytest.mark.parametrize("score_of_before", [-1.0, 1e9])
def test_a_version_that_noted_no_yardstick(tmp_path, score_of_before) -> None:
    """Whatever its score says."""
    run = config(tmp_path, iterations=2, **EVERY)
    newest = train(run, progress=False).with_name("iteration_00000002.pt")
    content = checkpoint.load(newest)
    best = {key: value for key, value in content["best"].items() if key != "yardstick"}
    newest.unlink()
    checkpoint.save(newest, {**content, "best": best | {"score": score_of_before}})
    other = _longer(run, 3)
    path = train(other, progress=False)
    iteration, score = _best(other, [best["iteration"], 3])
    assert checkpoint.load(path)["iteration"] == iteration
    assert _record(other)["score"] == pytest.approx(score, rel=1e-6)


def test_scoring_again_changes_nothing_of_training(tmp_path) -> None:
    straight = config(tmp_path, name="straight", iterations=4, **EVERY)
    train(straight, progress=False)
    broken = config(tmp_path, name="broken", iterations=2, **EVERY)
    train(broken, progress=False)
    train(_longer(broken, 4, evaluate=Evaluate(background="singletons")), progress=False)
    one, other = (_content(run) for run in (straight, broken))
    assert torch.equal(one["random"]["torch"], other["random"]["torch"])
    for part in ("model", "ema"):
        assert all(torch.equal(one[part][key], other[part][key]) for key in one[part])


def _content(run: Config) -> dict:
    newest = files.newest_file(Path(paths.checkpoints(run, "main")))
    assert newest is not None
    return checkpoint.load(newest)
