"""Workers elsewhere: what is submitted, what is cancelled, and what is said of it."""

import os
import re
import shlex
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest
from cluster import CANCEL, LSF, SLURM, check, driver, jobs, until
from toy import step

from lsd.blockwise.on_disk.failures import read_failures
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import load_step
from lsd.blockwise.running import launch
from lsd.blockwise.running.launch import Launch, cancel
from lsd.blockwise.running.run import BlocksFailed, run
from lsd.blockwise.running.submit import cancel_noted
from lsd.spec import Workers


def test_slurm(tmp_path, cluster) -> None:
    made = step(tmp_path / "a:b=c dü")
    assert run(made, workers=SLURM.derive(options="--partition=gpu --gres=gpu:1")).done == len(
        made.grid
    )
    check(made)
    calls = cluster.calls()
    assert len(calls) == 2
    for number, call in enumerate(sorted(calls)):
        log = made.folder / "logs" / f"worker-{number}.log"
        assert call[:-1] == [
            "sbatch",
            "--wait",
            "--job-name=lsd-toy",
            f"--output={log}",
            "--partition=gpu",
            "--gres=gpu:1",
        ]
        worker = (
            f"--wrap={sys.executable} -m lsd.blockwise.running.worker '{made.folder}' toy:ToyJob "
            f"--context "
        )
        assert call[-1].startswith(worker)
        assert call[-1].endswith(f" --cwd {Path.cwd()}")
        assert log.exists()
    assert jobs(made) == []


@pytest.mark.faults
def test_lsf_where_a_job_never_starts(tmp_path, cluster) -> None:
    cluster.hold(101)
    made = step(tmp_path)
    run(made, workers=LSF.derive(options="-q gpu -gpu num=1"))
    check(made)
    submitted = sorted(cluster.calls("bsub"))
    assert len(submitted) == 2
    for number, call in enumerate(submitted):
        log = made.folder / "logs" / f"worker-{number}.log"
        assert call[:-1] == [
            "bsub",
            "-K",
            "-J",
            "lsd-toy",
            "-o",
            str(log),
            "-q",
            "gpu",
            "-gpu",
            "num=1",
        ]
        assert call[-1].startswith(
            f"{sys.executable} -m lsd.blockwise.running.worker {made.folder} toy:ToyJob --context "
        )
    assert cluster.calls("bkill") == [["bkill", "101"]]
    assert not cluster.running()


@pytest.mark.faults
@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGINT, SLURM), (signal.SIGTERM, LSF)],
    ids=["SIGINT", "SIGTERM"],
)
def test_an_interrupted_driver_cancels_its_jobs(tmp_path, cluster, number, workers) -> None:
    cluster.hold(100, 101)
    made, command = step(tmp_path), CANCEL[workers.launch]
    with driver(made, workers) as process:
        until(lambda: jobs(made) == [f"{command} 100", f"{command} 101"], "jobs are noted")
        process.send_signal(number)
        said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in said
    assert cluster.cancelled() == {"100", "101"}
    assert not cluster.running()
    assert jobs(made) == []


@pytest.mark.faults
def test_jobs_of_a_killed_driver_are_cancelled_by_who_waits_for_them(tmp_path, cluster) -> None:
    cluster.hold(101)
    made = step(tmp_path, seconds=0.5)
    with driver(made, SLURM) as process:
        until(lambda: len(jobs(made)) == 2 and len(read_ledger(made.folder)), "a block is done")
        process.kill()
        until(lambda: not cluster.running(), "no job is left")
        until(
            lambda: "ended scancel 100" in jobs(made) and "ended scancel 101" in jobs(made),
            "their ends are noted",
        )
    assert "101" in cluster.cancelled()
    assert read_failures(made.folder) == [], "a worker that lost its scheduler could not start?"
    run(step(tmp_path), workers=Workers())
    check(made)


def test_jobs_of_a_machine_that_went_down_are_cancelled_by_the_next_run(tmp_path, cluster) -> None:
    cluster.hold(100, 101)
    made = step(tmp_path)
    with driver(made, SLURM) as process:
        until(lambda: len(jobs(made)) == 2, "jobs are noted")
        os.killpg(process.pid, signal.SIGKILL)
    assert len(cluster.running()) == 2
    run(made, workers=SLURM)
    assert [call[0] for call in cluster.calls()] == [
        "sbatch",
        "sbatch",
        "scancel",
        "sbatch",
        "sbatch",
    ]
    # in the order in which they were noted, which is that in which two launchers came to it
    assert sorted(cluster.calls("scancel")[0]) == ["100", "101", "scancel"]
    check(made)


@pytest.mark.parametrize("resumed", [False, True], ids=["first", "resumed"])
def test_a_cluster_that_refuses_is_quoted(tmp_path, cluster, resumed) -> None:
    if resumed:
        with pytest.raises(BlocksFailed):
            run(step(tmp_path, wrong={3: "raise"}))
    made = step(tmp_path)
    (cluster.folder / "refuse").write_text("sbatch: error: invalid partition specified: gpux\n")
    with pytest.raises(
        RuntimeError,
        match=r"cannot start: .* exited with 1: sbatch: error: invalid partition specified: gpux$",
    ):
        run(made, workers=SLURM.derive(count=1))
    assert len(cluster.calls()) < 10


def test_a_cluster_that_refuses_is_not_flooded(tmp_path, monkeypatch) -> None:
    made, rests = step(tmp_path), []
    made.save()
    monkeypatch.setattr(launch.Scheduler, "wait", lambda _, seconds: rests.append(seconds))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as scheduler:
        monkeypatch.setenv(
            "DAISY_CONTEXT",
            f"hostname=127.0.0.1:port={scheduler.getsockname()[1]}:task_id=toy:worker_id=0",
        )
        start = Launch(
            made.folder,
            "toy",
            "toy:ToyJob",
            True,
            Workers(count=1, launch="echo no room; false {command}"),
        )
        for _ in range(5):
            with pytest.raises(RuntimeError, match="exited with 1: no room"):
                start()
    assert rests == [30.0, 30.0]


CLUSTER = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("number", "begin"), [(0, "sbatch "), (1, "bsub ")], ids=["slurm", "lsf"])
def test_the_documented_command(tmp_path, monkeypatch, number, begin) -> None:
    names: dict = {}
    exec(re.findall(r"^```python\n(.*?)^```$", CLUSTER, re.DOTALL | re.MULTILINE)[number], names)
    (text,) = (
        text
        for language, text in re.findall(
            r"^```(\w*)\n(.*?)^```$", CLUSTER, re.DOTALL | re.MULTILINE
        )
        if not language and text.startswith(begin)
    )
    words = shlex.split(text.replace("/data/me/lsd", str(tmp_path)))
    worker = words[-1].removeprefix("--wrap=").split()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    start = Launch(
        Path(worker[3]).relative_to(tmp_path),
        "heads",
        "lsd.prediction.blocks:HeadsJob",
        True,
        names["GPU"],
    )
    given = shlex.split(start.command(worker[worker.index("--context") + 1], 0, place=0))
    assert given[:-1] == words[:-1]
    assert given[-1].split() == words[-1].split()
    if number == 0:
        config = names["config"]
        assert (config.predict.workers, config.segment.workers, config.evaluate.workers) == (
            names["GPU"],
            *[names["CPU"]] * 2,
        )


@pytest.mark.parametrize("template", ["sh -c {quoted}", "env FOO=1 {command} > {log} 2>&1"])
def test_templates(tmp_path, cluster, template) -> None:
    made = step(tmp_path)
    run(made, workers=Workers(count=1, launch=template))
    check(made)
    assert cluster.calls() == []
    assert (made.folder / "logs" / "worker-0.log").exists() == ("{log}" in template)


def test_what_is_noted_of_jobs_is_never_executed(tmp_path, cluster) -> None:
    made = step(tmp_path)
    made.save()
    touch = f"touch {tmp_path / 'touched'}"
    lines = [
        touch,
        f"scancel 7; {touch}",
        f"scancel $({touch})",
        f"scancel 7 `{touch}`",
        "scancel --me",
        "scancel -u me",
        "\udcff",
    ]
    lines += [
        "scancel 12",
        "bkill 0x1",
        "bkill 13",
        "scancel 14",
        "ended scancel 14",
        "scancel ²",
        "rm 15",
    ]
    (made.folder / "jobs").write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    assert cancel(load_step(made.folder)) == ["scancel 12", "bkill 13"]
    assert cluster.calls() == [["bkill", "13"], ["scancel", "12"]]
    assert not (tmp_path / "touched").exists()


def test_the_log_of_a_worker_that_fails_is_quoted(tmp_path, cluster) -> None:
    (cluster.folder / "broken").write_text("echo python: not found; exit 127")
    with pytest.raises(
        RuntimeError,
        match=r"exited with 127: Submitted batch job 10. python: not found \(.*logs/worker-..log\)",
    ):
        run(step(tmp_path), workers=SLURM)


def test_a_path_is_handed_on_as_it_is_called(tmp_path, monkeypatch) -> None:
    """Where a link of this machine leads may be another place on the next."""
    (tmp_path / "disk7").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk7")
    folder = tmp_path / "data" / "v.zarr" / "blocks" / "toy"
    for given in (folder, folder.relative_to(tmp_path)):
        monkeypatch.chdir(tmp_path)
        there = Launch(given, "toy", "toy:ToyJob", True, SLURM)
        words = shlex.split(there.command("context", 3, place=0))
        assert f"--output={folder}/logs/worker-3.log" in words
        [wrapped] = [word for word in words if word.startswith("--wrap=")]
        assert f" {folder} toy:ToyJob " in wrapped


def test_jobs_that_cannot_be_cancelled_here_stay_noted(tmp_path, monkeypatch, caplog) -> None:
    noted = tmp_path / "jobs"
    noted.write_text("scancel 12\nscancel 13\nbkill 14\nended scancel 13\n")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "bkill").symlink_to(shutil.which("true"))
    monkeypatch.setenv("PATH", str(binaries))
    assert cancel_noted(noted) == ["scancel 12", "bkill 14"]
    assert noted.read_text() == "scancel 12\n"
    assert "on a machine that can, run: scancel 12" in caplog.text
    (binaries / "scancel").symlink_to(binaries / "bkill")
    assert cancel_noted(noted) == ["scancel 12"]
    assert not noted.exists()
