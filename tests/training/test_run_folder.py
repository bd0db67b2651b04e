"""What a run's folder holds and what is said, for whatever script comes first: as a user runs
them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import config

from lsd.evaluation.run import evaluate
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.network.precision import choose
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.spec import Config, Segment, Workers, paths
from lsd.system.versions import versions
from lsd.training.loop import train

ROOT = Path(__file__).parents[2]


def _with(run: Config, part: str, **fields) -> Config:
    return run.derive(**{part: getattr(run, part).derive(**fields)})


def _kept(run: Config) -> Config:
    return Config.model_validate_json(paths.config_file(run).read_text())


@pytest.fixture
def pretrained(tmp_path):
    """A checkpoint of another run, and the config of a run that predicts with it."""
    path = train(config(tmp_path, "mtlsd", name="elsewhere", iterations=1), progress=False)
    run = config(tmp_path, "mtlsd", name="only predicted")
    return _with(
        _with(run, "predict", checkpoint=str(path), volumes=("validate",)),
        "segment",
        thresholds=(0.5,),
    )


def test_a_run_that_was_only_predicted_has_its_config(pretrained) -> None:
    predict(pretrained)
    assert _kept(pretrained) == pretrained


def test_whichever_command_is_first(pretrained) -> None:
    predict(pretrained)
    for command in (segment, evaluate):
        paths.config_file(pretrained).unlink()
        command(pretrained)
        assert _kept(pretrained) == pretrained


def test_without_training_it_is_that_of_the_latest_command(pretrained, caplog) -> None:
    predict(pretrained)
    caplog.set_level("INFO")
    other = _with(pretrained, "segment", thresholds=(0.25,))
    segment(other)
    assert _kept(other) == other
    [said] = [message for message in caplog.messages if "config.json" in message]
    assert "is that of this command now: segment.thresholds: [0.5] there, [0.25] asked for" in said
    caplog.clear()
    segment(_with(other, "segment", workers=Workers(timeout=9)).derive(data_root="elsewhere"))
    assert not [message for message in caplog.messages if "config.json" in message], (
        "that is no other result"
    )


def test_of_a_trained_run_it_is_that_of_training(tmp_path, caplog) -> None:
    run = config(tmp_path, iterations=1)
    train(run, progress=False)
    caplog.set_level("INFO")
    other = _with(run, "predict", dtype="float32", volumes=("validate",))
    predict(other)
    assert _kept(run) == run
    [said] = [message for message in caplog.messages if "config.json" in message]
    assert (
        "stays as the run was trained; this command differs: predict.dtype: uint8 there, float32 "
        "asked for" in said
    )
    # and training goes on with it, or refuses, as before
    longer = _with(run, "train", iterations=2)
    train(longer, progress=False)
    assert _kept(run) == longer
    with pytest.raises(ValueError, match=r"train\.seed: was 0, now 3"):
        train(_with(longer, "train", seed=3), progress=False)
    assert _kept(run) == longer


def test_what_does_not_matter_to_a_command_is_not_told(tmp_path, caplog) -> None:
    run = config(tmp_path, iterations=1)
    train(run, progress=False)
    other = run.derive(
        train={"iterations": 400, "log_every": 7},
        segment={"thresholds": (0.3,)},
        predict={"volumes": ("validate",), "workers": {"timeout": 9.0}},
    )
    caplog.set_level("INFO")
    predict(other)
    assert not [message for message in caplog.messages if "config.json" in message]
    segment(other)
    [said] = [message for message in caplog.messages if "config.json" in message]
    assert "this command differs: segment.thresholds: " in said
    assert "train" not in said.partition("differs")[2]


def test_a_config_that_cannot_be_read_is_not_replaced(pretrained, caplog) -> None:
    predict(pretrained)
    paths.config_file(pretrained).write_text('{"name": "x", "later": 1}')
    segment(pretrained)
    assert "is not one that this version knows; it stays" in caplog.text
    assert json.loads(paths.config_file(pretrained).read_text())["later"] == 1


def _script(name: str, run: Config, *overrides: str, status: int = 0) -> str:
    file = Path(run.runs).parent / "given.json"
    file.write_text(run.model_dump_json())
    command = [sys.executable, str(ROOT / name), "-c", str(file), *overrides]
    done = subprocess.run(
        command, cwd=Path(run.runs).parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_log_has_every_command_and_what_it_said(tmp_path) -> None:
    run = _with(config(tmp_path, iterations=2, validate_every=2), "predict", volumes=("validate",))
    said = [
        _script(name, run) for name in ("trainer.py", "predicter.py", "segment.py", "evaluate.py")
    ]
    said.append(_script("segment.py", run, "segment.affinities=lsds", status=1))
    log = paths.log_file(run).read_text()
    headers = re.findall(r"^\S+ \S+ \d+ \$ \S*?(\w+\.py) -c .*given\.json(.*)$", log, re.MULTILINE)
    assert headers == [
        (n, "") for n in ("trainer.py", "predicter.py", "segment.py", "evaluate.py")
    ] + [("segment.py", " segment.affinities=lsds")]
    assert (
        log.count(f"torch {versions()['torch']}")
        == log.count(f"commit {versions()['commit']}")
        == 5
    )
    for words in (
        "trained: ",
        "written: ",
        "VOI split",
        "ValueError: segment.affinities names 'lsds'",
    ):
        assert words in log
    # all that was said, but for bars and the last error, which has its kind before it
    bar = re.compile(r"\d(it|block)/s|\?(it|block)/s|^error: ")
    told = {
        line.strip()
        for text in said
        for line in text.splitlines()
        if line.strip() and not bar.search(line)
    }
    assert told <= {
        re.sub(r"^\d{4}-\S+ \S+ \d+ (warning: )?", "", line).strip() for line in log.splitlines()
    }
    assert log.count(" done\n") == 4


def test_a_name_that_is_no_run_leaves_no_folder(tmp_path) -> None:
    run = _with(config(tmp_path, name="typo"), "predict", volumes=("validate",))
    assert "train 'typo' first" in _script("predicter.py", run, status=1)
    assert not paths.run_folder(run).exists()


@pytest.mark.parametrize("variant", ["aff", "acrlsd"])
def test_training_begins_with_a_line(tmp_path, caplog, variant) -> None:
    caplog.set_level("INFO")
    run = config(
        tmp_path, variant, iterations=1, precision="auto", batch_size=2, accumulate=3, workers=1
    )
    path = train(run, progress=False)
    count = sum(weight.numel() for weight in from_checkpoint(path).cascade.parameters())
    said = caplog.messages[-1]
    # of auto-context, raw is what enters both stages
    entering = {"aff": "18x18x18", "acrlsd": "26x26x26"}[variant]
    assert f": {count:,} parameters on cpu with 1 thread in {choose('auto', 'cpu')} (auto)" in said
    assert f"input {entering}, output 10x10x10, batches of 2, 3 a step, made by 1 process" in said
    assert checkpoint.load(path)["versions"] == versions()


@pytest.mark.slow
def test_prediction_begins_with_a_line(tmp_path, caplog) -> None:
    run = _with(config(tmp_path, "mtlsd", iterations=1), "predict", volumes=("validate",))
    path = train(run, progress=False)
    caplog.set_level("INFO")
    caplog.clear()
    predict(run)
    predict(_with(run, "predict", dtype="float32"), workers=Workers(count=2))
    alone, by_workers = (message for message in caplog.messages if message.startswith("predicting"))
    assert alone.startswith(f"predicting lsds, affs with {path} (stage main, iteration 1): 2,")
    assert alone.endswith(" parameters on cpu with 1 thread in fp32, in this process")
    assert by_workers.endswith(" parameters, device cpu, precision fp32, 2 workers")
    assert any("0:24, 0:24 in blocks of 12x" in m and ", each from 2" in m for m in caplog.messages)


def test_heads_that_the_checkpoint_does_not_have_are_said(tmp_path, pretrained, caplog) -> None:
    predict(pretrained)
    assert "the config's variant" not in caplog.text
    other = config(tmp_path, "lr", name="other").derive(predict=pretrained.predict)
    predict(other)
    assert (
        "the config's variant has the heads affs, the checkpoint lsds, affs: those of the "
        "checkpoint" in caplog.text
    )


@pytest.mark.parametrize(("iterations", "shown"), [(1, {1}), (3, {1, 3}), (5, {1, 4, 5})])
def test_a_short_run_is_seen(tmp_path, iterations, shown) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = config(tmp_path, iterations=iterations, snapshot_every=4, log_every=4)
    train(run, progress=False)
    events = EventAccumulator(str(paths.run_folder(run) / "main"), size_guidance={"images": 0})
    events.Reload()
    assert {event.step for event in events.Images("affs/prediction")} == shown
    assert {event.step for event in events.Scalars("loss/total")} == shown


def test_a_picture_is_shown_where_a_run_goes_on(tmp_path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for iterations in (2, 5):
        train(config(tmp_path, iterations=iterations, snapshot_every=100), progress=False)
    events = EventAccumulator(
        str(paths.run_folder(config(tmp_path)) / "main"), size_guidance={"images": 0}
    )
    events.Reload()
    assert {event.step for event in events.Images("1_raw")} >= {3, 5}
    none = config(tmp_path, name="none", iterations=1, snapshot_every=0, log_every=0)
    train(none, progress=False)
    silent = EventAccumulator(str(paths.run_folder(none) / "main"))
    silent.Reload()
    assert silent.Tags()["images"] == silent.Tags()["scalars"] == []


def test_segment_of_a_trained_run(tmp_path) -> None:
    """The config that is kept is good for what comes next."""
    run = _with(config(tmp_path, iterations=1), "predict", volumes=("validate",))
    train(run, progress=False)
    predict(run)
    segment(run.derive(segment=Segment(thresholds=(0.5,))))
    assert _kept(run) == run
