"""A run that was stopped, in whatever way, goes on as if nothing had happened."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from checkpointed import FULL, assert_same, content_of, last, signal_at
from tiny_run import config, curve

from lsd.network.checkpoints import files
from lsd.spec import paths
from lsd.system.process import descendants, kill
from lsd.training import loop
from lsd.training.loop import train
from lsd.training.validation import Validation


@pytest.mark.parametrize("extra", [{}, {"precision": "bf16", "channels_last": True}])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, monkeypatch, caplog, extra) -> None:
    straight = config(tmp_path, "mtlsd", name="straight", **(FULL | extra))
    train(straight, progress=False)
    broken = config(tmp_path, "mtlsd", name="broken", **(FULL | extra))
    with monkeypatch.context() as patch:
        signal_at(patch, 3, signal.SIGTERM)
        with pytest.raises(
            KeyboardInterrupt,
            match=r"SIGTERM in iteration 3 .*goes on from .*iteration_00000003\.pt$",
        ):
            train(broken, progress=False)
    assert "goes on from" not in caplog.text, "who catches it says it, once"
    assert last(broken, "main").name == "iteration_00000003.pt"
    train(broken, progress=False)
    for iteration in (4, 6):
        name = files.file_name(iteration)
        assert_same(
            *(content_of(paths.checkpoints(run, "main") / name) for run in (straight, broken))
        )


@pytest.mark.slow
def test_killed_without_warning_and_resumed_equals_uninterrupted(tmp_path) -> None:
    """SIGKILL in the second stage, in the middle of writing a checkpoint."""
    straight = config(tmp_path, "acrlsd", name="straight", iterations=4, checkpoint_every=2)
    train(straight, progress=False)
    broken = config(tmp_path, "acrlsd", name="broken", iterations=4, checkpoint_every=2)
    file = tmp_path / "broken.json"
    file.write_text(broken.model_dump_json())
    code = (
        "import os, signal, sys, torch\n"
        "from lsd.spec import Config; from lsd.training.loop import train\n"
        "save = torch.save\n"
        "def killed(content, file):\n"
        "    save(content, file)\n"
        "    if content['stage'] == 'affs' and content['iteration'] == 4: os.kill(os.getpid(), "
        "signal.SIGKILL)\n"
        "torch.save = killed\n"
        f"train(Config.model_validate_json(open({str(file)!r}).read()), progress=False)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    folder = paths.checkpoints(broken, "affs")
    assert last(broken, "affs").name == "iteration_00000002.pt"
    assert list(folder.glob("*.partial"))
    train(broken, progress=False)
    assert not list(folder.glob("*.partial"))
    assert_same(*(content_of(last(run, "affs")) for run in (straight, broken)))


def test_a_finished_run_is_not_touched_and_a_longer_one_goes_on(tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    path = train(config(tmp_path, iterations=2), progress=False)
    assert [message.partition(":")[0] for message in caplog.messages] == ["main"]
    caplog.clear()
    before = path.stat().st_mtime_ns
    assert train(config(tmp_path, iterations=2), progress=False) == path
    assert caplog.messages == ["main: all 2 iterations are done; raise train.iterations to go on"]
    assert path.stat().st_mtime_ns == before
    run = config(tmp_path, iterations=4)
    longer = train(run, progress=False)
    [said] = caplog.messages[1:]
    assert said.startswith("main: going on from iteration 2, to iteration 4: ")
    assert len(curve(run, "main")) == 4
    assert_same(
        content_of(longer),
        content_of(train(config(tmp_path, name="straight", iterations=4), progress=False)),
    )


def test_what_is_said_of_finished_stages_is_so(tmp_path, caplog) -> None:
    """Raising train.iterations helps the last stage only: the first stays what the last was trained
    on."""
    train(config(tmp_path, "acrlsd", iterations=1), progress=False)
    caplog.set_level("INFO")
    train(config(tmp_path, "acrlsd", iterations=1), progress=False)
    assert caplog.messages == [
        "lsds: its only iteration is done",
        "affs: its only iteration is done; raise train.iterations to go on",
    ]
    caplog.clear()
    run = config(tmp_path, "acrlsd", iterations=2)
    train(run, progress=False)
    assert caplog.messages[0].startswith(
        "lsds: 1 iteration done, and a later stage is trained on them; "
    )
    assert caplog.messages[1].startswith("affs: going on from iteration 1, to iteration 2: ")
    assert (last(run, "lsds").stem, last(run, "affs").stem) == (
        "iteration_00000001",
        "iteration_00000002",
    )


def test_best_is_named_again_if_the_run_was_killed_before(tmp_path, monkeypatch) -> None:
    run = config(tmp_path, "aff", iterations=2, validate_every=2)

    def killed(learner):
        loop.checkpointing.save(learner)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(loop.checkpointing, "save_best", killed)
        with pytest.raises(ZeroDivisionError):
            train(run, progress=False)
    assert not paths.validation_file(run).exists()
    path = train(run.derive(train=run.train.derive(iterations=3)), progress=False)
    assert path.name == "best.pt"
    assert paths.validation_file(run).exists()


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("validate_every", [0, 1])
def test_best_of_a_run_that_was_killed_between_its_last_files(
    tmp_path, monkeypatch, validate_every, links
) -> None:
    """The last checkpoint is there, best.pt and validation.json are those before: the run counted
    as finished, and its best was an older one for ever."""
    run = config(
        tmp_path, "acrlsd", iterations=2, validate_every=validate_every, checkpoint_every=1, keep=9
    )
    stage, *_ = run.variant.stages
    make_best, at = files.make_best, files.file_name(2)
    # each validation is better than the one before
    scores = itertools.count(0, -1)
    monkeypatch.setattr(Validation, "score", property(lambda _: float(next(scores))))

    def killed(path):
        if path.name == at:
            raise ZeroDivisionError
        make_best(path)

    def copied(path, staged):
        if Path(path).suffix == ".pt":
            raise OSError
        link(path, staged)

    link = os.link
    if not links:
        monkeypatch.setattr(os, "link", copied)
    with monkeypatch.context() as patch:
        patch.setattr(files, "make_best", killed)
        with pytest.raises(ZeroDivisionError):
            train(run, progress=False)
    folder = paths.checkpoints(run, stage.name)
    assert content_of(folder / files.BEST)["iteration"] == 1
    train(run, progress=False)
    assert content_of(folder / files.BEST)["iteration"] == 2
    begun = content_of(last(run, "affs"))["model"]
    learned = content_of(folder / at)["model"]
    assert_same({name: begun[name] for name in learned}, learned)
    # once all is as it should be, nothing is touched
    best = paths.checkpoints(run, "affs") / files.BEST
    written = best.stat().st_mtime_ns
    if validate_every:
        recorded = json.loads(paths.validation_file(run).read_text())
        assert (recorded["stage"], recorded["iteration"]) == ("affs", 2)
        paths.validation_file(run).unlink()
    train(run, progress=False)
    assert best.stat().st_mtime_ns == written
    if validate_every:
        assert json.loads(paths.validation_file(run).read_text()) == recorded


def test_a_validation_that_fails_loses_nothing(tmp_path, monkeypatch) -> None:
    def fails(*_):
        raise ValueError("an elephant")

    monkeypatch.setattr(loop, "validate", fails)
    run = config(tmp_path, iterations=4, validate_every=3, checkpoint_every=100)
    with pytest.raises(ValueError, match="an elephant"):
        train(run)
    assert [path.name for path in paths.run_folder(run).rglob("iteration_*.pt")] == [
        "iteration_00000003.pt"
    ]


@pytest.mark.slow
def test_ctrl_c_while_a_process_that_makes_batches_is_frozen(tmp_path) -> None:
    """The first one ends the run; what was learned is kept."""
    run = config(tmp_path, "aff", workers=2, **(FULL | {"iterations": 100_000}))
    (tmp_path / "config.json").write_text(run.model_dump_json())
    command = [sys.executable, "trainer.py", "-c", str(tmp_path / "config.json")]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            board = paths.run_folder(run)
            _until(lambda: files.newest_file(paths.checkpoints(run, "main")), process)
            for pid in descendants(process.pid):
                os.kill(pid, signal.SIGSTOP)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=40)
        finally:
            kill(*descendants(process.pid), process.pid)
    assert process.returncode == 130, said
    assert "error: interrupted" in said
    assert last(run, "main").exists()
    assert [path for path in board.rglob("*") if path.suffix in (".lock", ".partial")] == []


def _until(condition, process) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)


def test_a_second_ctrl_c_while_a_checkpoint_is_written(tmp_path, monkeypatch) -> None:
    """The one before is whole, and nothing is left beside it."""
    run = config(tmp_path, "aff", **FULL)
    real = torch.save

    def pressed(content, file) -> None:
        if content["iteration"] == 4:
            file.write(b"half of it")
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
        real(content, file)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", pressed)
        with pytest.raises(KeyboardInterrupt):
            train(run, progress=False)
    folder = paths.run_folder(run)
    assert last(run, "main").name == "iteration_00000002.pt"
    assert [path for path in folder.rglob("*") if path.suffix in (".lock", ".partial")] == []
    train(run, progress=False)
    assert last(run, "main").name == "iteration_00000006.pt"
