"""Runs and checkpoints of the version before go on, predict, or are refused in words.

before.tar.xz holds a run of three iterations (checkpoints 2, the best, and 3) that commit 24305ab
made with this file's config.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tiny_run import config, curve, write_volume

from lsd.evaluation.run import evaluate
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import validated
from lsd.spec import Config, Evaluate, Network, Schedule, UNet, paths
from lsd.training.loop import train
from lsd.training.validation import Validator
from lsd.volumes.array import open_array
from lsd.volumes.volume import OpenVolume

ARCHIVE = Path(__file__).with_name("before.tar.xz")
# iterations 4 and 5, as that version went on; and as neurons go on beyond the border by now
LOSSES = (0.315287321805954, 0.2903909683227539)
MIRRORED = (0.3160771131515503, 0.296565979719162)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Config:
    """The config of that run, whose folder is there."""
    monkeypatch.chdir(tmp_path)
    write_volume(tmp_path / "tiny.zarr")
    (tmp_path / "runs").mkdir()
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "runs", filter="data")
    made = config(
        Path(),
        "mtlsd",
        name="before",
        ema=0.9,
        iterations=3,
        validate_every=2,
        checkpoint_every=2,
        schedule=Schedule(warmup=2),
    )
    trunk = UNet(features=1, multiplier=2, factors=((2, 2, 2),), kernels=((3, 3, 3),))
    return made.derive(
        network=Network(trunk=trunk, train_shape=(18, 18, 18), predict_shape=(22, 22, 22)),
        runs="runs",
        data_root=".",
        predict=made.predict.derive(volumes=("validate",)),
    )


def _longer(run: Config, iterations: int, **changes) -> Config:
    return run.derive(**{"train": run.train.derive(iterations=iterations)} | changes)


@pytest.mark.parametrize("mirrored", [False, True])
def test_it_goes_on_as_it_would_have(run, caplog, monkeypatch, mirrored) -> None:
    """But for labels beyond the border, which that version took for 0."""
    caplog.set_level("INFO")
    longer = _longer(run, 5)
    if not mirrored:
        read = OpenVolume.read_truth
        monkeypatch.setattr(OpenVolume, "read_truth", lambda self, roi, **_: read(self, roi))
    train(longer, progress=False)
    expected = MIRRORED if mirrored else LOSSES
    assert curve(longer, "main")[-2:] == pytest.approx(expected, rel=1e-4)
    assert "a version that did not note what they depend on" in caplog.text
    record = json.loads(paths.validation_file(run).read_text())
    assert record["yardstick"] == Validator(longer, longer.variant.stages[0]).yardstick
    assert (
        checkpoint.load(paths.checkpoints(run, "main") / "best.pt")["iteration"]
        == record["iteration"]
    )


def test_its_best_is_scored_as_that_version_did(run) -> None:
    record = json.loads(paths.validation_file(run).read_text())
    best = from_checkpoint(paths.checkpoints(run, "main") / "best.pt")
    found = Validator(run, run.variant.stages[0])(best.cascade)
    assert best.iteration == record["iteration"] == 2
    assert found.threshold == record["threshold"]
    assert found.score == pytest.approx(record["score"], rel=1e-3)


def test_it_is_finished_as_it_is(run) -> None:
    before = paths.validation_file(run).read_bytes()
    assert train(run, progress=False).name == "best.pt"
    assert paths.validation_file(run).read_bytes() == before


def test_another_config_is_refused(run) -> None:
    with pytest.raises(
        ValueError, match=r"the config differs from the one .*\n  train\.seed: was 0, now 4"
    ):
        train(run.derive(train=run.train.derive(seed=4, iterations=5)), progress=False)


def test_its_threshold_is_used_where_it_was_picked_with_these_settings(run, caplog) -> None:
    assert validated(run) == 0.2
    # it did not note how it was scored
    assert validated(run.derive(evaluate=Evaluate(tolerance=0.1))) == 0.2
    other = run.derive(segment=run.segment.derive(scoring="hist_quant_50"))
    assert validated(other) is None
    assert "segment.scoring: mean there, hist_quant_50 asked for" in caplog.text


def test_it_predicts_and_is_scored(run) -> None:
    [container] = predict(run)
    affs = open_array(container, "affs")
    assert np.asarray(affs.read(affs.roi)).std() > 0
    segment(run)
    [scored] = evaluate(run).volumes.values()
    record = json.loads(paths.validation_file(run).read_text())
    assert scored.sweep[record["threshold"]].voi_sum == pytest.approx(record["score"], rel=1e-3)


def test_its_config_is_read(run) -> None:
    kept = Config.model_validate_json(paths.config_file(run).read_text())
    assert (kept.variant, kept.network, kept.train, kept.segment) == (
        run.variant,
        run.network,
        run.train,
        run.segment,
    )
    assert kept.dataset.train[0].path == "tiny.zarr"


def test_it_is_tuned_further_with_a_head_more(run, caplog) -> None:
    caplog.set_level("INFO")
    best = paths.checkpoints(run, "main") / "best.pt"
    stage = run.variant.stages[0]
    more = stage.derive(heads={**stage.heads, "more": stage.heads["affs"]})
    tuned = run.derive(
        name="tuned",
        variant=run.variant.derive(stages=(more,)),
        train=run.train.derive(init={"main": str(best)}, iterations=1),
    )
    train(tuned, progress=False)
    assert "new, so they start fresh: head more" in caplog.text
