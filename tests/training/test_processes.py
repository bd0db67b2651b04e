"""Runs that several processes train: `train.devices`, torchrun, and what ends them."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kinds_outside.failing import Failing
from processes import checkpoints, kills, meanwhile, newest, process_of
from tiny_run import AFFS, config, curve

from lsd.spec import Head, Stage, Variant, paths
from lsd.spec.kinds import import_kinds
from lsd.system.process import descendants
from lsd.training.loop import train

ROOT = Path(__file__).parents[2]
# each process imports torch and all of training, which takes seconds
pytestmark = pytest.mark.slow
# batches that are not shared evenly, and curves that are there to the last digit
SETTINGS = {"batch_size": 3, "accumulate": 2, "ema": 0.9, "clip": 0.05, "seed": 4}


def test_any_number_of_processes_goes_on_as_one_does(tmp_path, caplog) -> None:
    """Two processes train four iterations, three the rest; validated in between."""
    fields = SETTINGS | {"validate_every": 2, "workers": 1}
    alone = config(tmp_path, "mtlsd", name="alone", iterations=6, **fields)
    train(alone, progress=False)
    shared = config(tmp_path, "mtlsd", name="shared", iterations=4, devices=2, **fields)
    assert train(shared, progress=False).name == "best.pt"
    assert newest(shared) == 4
    train(shared.derive(train={"iterations": 6, "devices": 3}), progress=False)
    for tag in ("loss/total", "loss/affs", "loss/lsds", "gradient_norm"):
        assert curve(shared, "main", tag) == pytest.approx(curve(alone, "main", tag), rel=1e-4)
    assert len(curve(shared, "main", "validation/score")) == 3
    assert curve(shared, "main", "validation/score") == pytest.approx(
        curve(alone, "main", "validation/score"), rel=1e-2
    )
    log = paths.log_file(shared).read_text()
    assert "shared by 2 processes" in log
    assert "going on from iteration 4" in log
    assert not descendants(os.getpid()), "nothing is left over"


def test_a_process_that_is_killed_ends_the_run_with_its_name(tmp_path) -> None:
    run = config(tmp_path, iterations=10_000, batch_size=2, devices=2, checkpoint_every=1)
    with (
        meanwhile(kills(run, 1, signal.SIGKILL)) as killed,
        pytest.raises(
            RuntimeError,
            match=r"^process 1 of 2 \(\d+ on .*\) was killed by SIGKILL; if memory ran out, lower "
            r".*the same command goes on from its newest checkpoint, with other train.devices",
        ),
    ):
        train(run, progress=False)
    assert time.monotonic() - killed[0] < 20
    assert not descendants(os.getpid())
    done = newest(run)
    assert done > 0
    train(run.derive(train={"devices": 1, "iterations": done + 1}), progress=False)
    assert newest(run) == done + 1


def test_an_error_in_a_process_ends_the_run_with_its_words(tmp_path) -> None:
    import_kinds(["kinds_outside.failing"])
    heads = {"affs": Head(target=AFFS.target, loss=Failing())}
    run = config(tmp_path, iterations=9, batch_size=2, devices=2)
    run = run.derive(
        variant=Variant(stages=(Stage(heads=heads),)), imports=("kinds_outside.failing",)
    )
    with pytest.raises(
        RuntimeError, match=r"^process 1 of 2 .* failed: .*the third batch is not l"
    ):
        train(run, progress=False)


def test_an_error_of_the_first_process_is_raised_as_it_is(tmp_path) -> None:
    run = config(tmp_path, iterations=2, batch_size=2, devices=2, init={"main": "nowhere.pt"})
    with pytest.raises(ValueError, match=r"^train.init names 'nowhere.pt'"):
        train(run, progress=False)


@pytest.mark.parametrize("to", ["the starter", "the second"])
def test_a_signal_leaves_a_checkpoint(tmp_path, to) -> None:
    run = config(tmp_path, iterations=10_000, batch_size=1, devices=2, checkpoint_every=5000)

    def act() -> bool:
        pid = os.getpid() if to == "the starter" else process_of(1)
        if not (paths.run_folder(run) / "main").exists() or pid is None or not curve(run, "main"):
            return False
        os.kill(pid, signal.SIGTERM)
        return True

    words = "SIGTERM" if to == "the starter" else "a signal to another of its processes"
    with (
        meanwhile(act),
        pytest.raises(KeyboardInterrupt, match=f"^interrupted by {words} in iteration"),
    ):
        train(run, progress=False)
    assert checkpoints(run) == [f"iteration_{newest(run):08}.pt"]
    assert not descendants(os.getpid())


def test_torchrun_starts_them_as_well(tmp_path) -> None:
    alone = config(tmp_path, name="alone", iterations=3, **SETTINGS)
    train(alone, progress=False)
    shared = config(tmp_path, name="shared", iterations=3, **SETTINGS)
    file = tmp_path / "shared.json"
    file.write_text(shared.model_dump_json())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *(str(ROOT / "trainer.py"), "-c", str(file)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall("^trained:", done.stdout, re.MULTILINE)) == 1
    assert curve(shared, "main") == pytest.approx(curve(alone, "main"), rel=1e-4)
    assert paths.log_file(shared).read_text().count(" $ ") == 1
