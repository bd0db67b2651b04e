"""Training that is sent to a cluster: what is submitted, what comes of it, what is cancelled."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import checkpoints, meanwhile
from tiny_run import config, curve

from lsd.spec import Hosts, paths
from lsd.system.process import descendants
from lsd.training.devices.elsewhere import machine_command
from lsd.training.loop import train

sys.path.append(str(Path(__file__).parents[1] / "blockwise"))
from cluster import cluster, until

__all__ = ["cluster"]
SLURM = Hosts(count=2, launch="slurm", options="--gres=gpu:1", host="127.0.0.1")
LSF = SLURM.derive(launch="lsf", options="-q gpu")


DOCUMENTED = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")


def test_the_documented_command(tmp_path, monkeypatch) -> None:
    names: dict = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENTED, re.DOTALL | re.MULTILINE)
    exec(next(block for block in blocks if "hosts=Hosts" in block), names)
    text = re.search(r"^    sbatch --wait --job-name=lsd-train.*?(?=\n\n)", DOCUMENTED, re.M | re.S)
    words = shlex.split(text[0].replace("/data/me/lsd", str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    log = Path(words[3].removeprefix("--output="))
    made = machine_command("10.0.0.5:46497", 0, hosts=names["TRAIN"].hosts, log=log)
    assert shlex.split(made) == words
    assert names["LSF"].launch == "lsf"


@pytest.mark.slow
def test_two_machines_train_as_one_process_does(tmp_path, cluster, capsys) -> None:
    fields = {"batch_size": 3, "iterations": 3, "seed": 4}
    alone = config(tmp_path, name="alone", **fields)
    train(alone, progress=False)
    sent = config(tmp_path, name="sent", devices=1, hosts=SLURM, **fields)
    capsys.readouterr()
    train(sent, progress=False)
    assert curve(sent, "main") == pytest.approx(curve(alone, "main"), rel=1e-5)
    assert "shared by 2 processes" in capsys.readouterr().out, "the job's log is shown"
    folder = paths.run_folder(sent).resolve() / "processes"
    for place, call in enumerate(sorted(cluster.calls("sbatch"))):
        assert call[:-1] == [
            "sbatch",
            "--wait",
            "--job-name=lsd-train",
            f"--output={folder}/machine-{place}.log",
            "--gres=gpu:1",
        ]
        assert re.fullmatch(
            rf"--wrap={sys.executable} -m lsd.training.devices.machine 127.0.0.1:\d+ {place} "
            rf"--cwd {Path.cwd()}",
            call[-1],
        )
    assert not cluster.cancelled()
    assert not cluster.running()
    assert not (folder / "jobs").exists()


@pytest.mark.slow
def test_a_signal_leaves_a_checkpoint_and_cancels_what_waits(tmp_path, cluster) -> None:
    """Jobs of the run that goes on are held back in the queue."""
    run = config(tmp_path, batch_size=2, iterations=10_000, hosts=LSF, checkpoint_every=5000)

    def interrupt() -> bool:
        if not (paths.run_folder(run) / "main").exists() or not curve(run, "main"):
            return False
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    # either process may be the first to hear of it
    words = "interrupted by (SIGTERM|a signal to another of its processes)"
    with meanwhile(interrupt), pytest.raises(KeyboardInterrupt, match=words):
        train(run, progress=False)
    [saved] = checkpoints(run)
    assert not cluster.running()
    cluster.hold(102, 103)

    def give_up() -> bool:
        if len(cluster.calls("bsub")) < 4:
            return False
        os.kill(os.getpid(), signal.SIGINT)
        return True

    with meanwhile(give_up), pytest.raises(KeyboardInterrupt, match=r"^interrupted by SIGINT"):
        train(run, progress=False)
    until(lambda: cluster.cancelled() == {"102", "103"}, "jobs that wait are cancelled")
    assert checkpoints(run) == [saved]


@pytest.mark.slow
def test_who_started_it_is_killed_and_a_checkpoint_is_left(tmp_path) -> None:
    """By a command of one's own; what it started notices, and ends by itself."""
    here = Hosts(launch="sh -c {quoted}", host="127.0.0.1")
    run = config(tmp_path, iterations=10_000, hosts=here, checkpoint_every=5000)
    file = tmp_path / "run.json"
    file.write_text(run.model_dump_json())
    code = (
        "import sys; from lsd.spec import Config; from lsd.training.loop import train; "
        "train(Config.model_validate_json(open(sys.argv[1]).read()), progress=False)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(file)]) as starter:
        try:
            folder = paths.run_folder(run)
            until(lambda: (folder / "main").exists() and curve(run, "main"), "it trains", 300)
            below = descendants(starter.pid)
        finally:
            starter.kill()
    until(lambda: not any(map(is_running, below)), "all have ended", 120)
    assert len(checkpoints(run)) == 1


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_cluster_that_refuses_is_quoted(tmp_path, cluster) -> None:
    (cluster.folder / "refuse").write_text("sbatch: error: invalid partition specified: gpux\n")
    run = config(tmp_path, batch_size=2, iterations=2, hosts=SLURM)
    with pytest.raises(
        RuntimeError, match=r"exited with 1: sbatch: error: invalid partition specified: gpux$"
    ):
        train(run, progress=False)
    assert len(cluster.calls()) == 2
