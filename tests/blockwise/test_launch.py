"""Workers elsewhere: what is submitted, what is cancelled, who may connect."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import fake_cluster
import numpy as np
import pytest
from daisy._daisy import BlockStatus, SyncClient
from toy import ROI, expected, step

from lsd.blockwise.on_disk.ledger import read_failures, read_ledger
from lsd.blockwise.on_disk.step import load_step
from lsd.blockwise.on_disk.written import left
from lsd.blockwise.running import launch
from lsd.blockwise.running.launch import Launch, cancel
from lsd.blockwise.running.run import BlocksFailed, run
from lsd.spec import Workers
from lsd.volumes.array import open_array

SLURM = Workers(count=2, launch="slurm", timeout=60)
LSF = SLURM.derive(launch="lsf")
CANCEL = {"slurm": "scancel", "lsf": "bkill"}

DRIVER = """
import sys
from pathlib import Path
from lsd.blockwise.running.run import run
from lsd.blockwise.on_disk.step import load_step
from lsd.spec import Workers
run(load_step(Path(sys.argv[1]), "toy:ToyJob"), workers=Workers.model_validate_json(sys.argv[2]))
"""


class Cluster:
    """What was asked of it, and what it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def calls(self, name: str = "") -> list[list[str]]:
        """All so far, or those of one command."""
        file = self.folder / "calls"
        calls = (
            [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        )
        return [call for call in calls if name in ("", call[0])]

    def cancelled(self) -> set[str]:
        """Numbers of the jobs that were."""
        return {job for name in CANCEL.values() for call in self.calls(name) for job in call[1:]}

    def hold(self, *jobs: int) -> None:
        """These will be waiting to be started."""
        for job in jobs:
            (self.folder / f"hold-{job}").touch()

    def running(self) -> list[int]:
        """Process groups of jobs that have not ended."""
        return [
            group
            for file in self.folder.glob("job-*")
            if (text := file.read_text()) and _lives(group := int(text))
        ]


def _lives(group: int) -> bool:
    stats = (Path(entry, "stat") for entry in Path("/proc").glob("[0-9]*"))
    for stat in stats:
        with suppress(OSError):
            state, _, its = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its) == group and state not in "ZX":
                return True
    return False


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    here, commands = tmp_path / "cluster", tmp_path / "bin"
    here.mkdir()
    commands.mkdir()
    for name in ("sbatch", "bsub", "scancel", "bkill"):
        (commands / name).write_text(
            f'#!/bin/sh\nexec {sys.executable} -I -S {fake_cluster.__file__} {name} "$@"\n'
        )
        (commands / name).chmod(0o755)
    monkeypatch.setenv("FAKE_CLUSTER", str(here))
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(
        "PYTHONPATH",
        os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
    )
    made = Cluster(here)
    yield made
    for group in made.running():
        os.killpg(group, signal.SIGKILL)


def check(made) -> None:
    """The result is whole and what it should be."""
    np.testing.assert_array_equal(open_array(made.container, "out").read(ROI), expected(made))
    assert left(made) == 0
    assert load_step(made.folder).depends_on() == made.depends_on()


def until(condition, what: str, seconds: float = 120.0):
    """Waits for what other processes do."""
    begin = time.monotonic()
    while not (result := condition()):
        assert time.monotonic() - begin < seconds, f"waited in vain: {what}"
        time.sleep(0.05)
    return result


@contextmanager
def driver(made, workers: Workers):
    """A process group of its own that runs the step."""
    made.save()
    command = [sys.executable, "-c", DRIVER, str(made.folder), workers.model_dump_json()]
    with subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def jobs(made) -> list[str]:
    """What <step>/jobs says."""
    file = made.folder / "jobs"
    return sorted(file.read_text().splitlines()) if file.exists() else []


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
        for text in re.findall(r"^```\n(.*?)^```$", CLUSTER, re.DOTALL | re.MULTILINE)
        if text.startswith(begin)
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


def listening() -> set[tuple[str, int]]:
    """Addresses that this process listens on."""
    mine = set()
    for file in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            mine.add(os.readlink(file))
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_, inode = line.split()[:10]
        if state == "0A" and f"socket:[{inode}]" in mine:
            address, port = local.split(":")
            found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


class Stranger(threading.Thread):
    """Finds the scheduler of this process as soon as it listens, and talks to it; where: what it
    listens on."""

    def __init__(self, *words: bytes, then=lambda: None) -> None:
        super().__init__(daemon=True)
        self.then = then
        self.words, self.before, self.where, self.told = words, listening(), [], 0
        self.start()

    def run(self) -> None:
        self.where = sorted(until(lambda: listening() - self.before, "a scheduler listens"))
        for word in self.words:
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.where[0][1]), timeout=10) as line,
            ):
                line.sendall(word)
                self.told += 1
                line.shutdown(socket.SHUT_WR)
                line.recv(100)
        self.then()


needs_proc = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc/net/tcp")
GARBAGE = (
    b"",
    b"\0" * 4,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\xff" * 65536,
    (1 << 26).to_bytes(4, "big") + b"\1" * 1000,
    (100).to_bytes(4, "big") + b"\1" + bytes(range(99)),
    (3).to_bytes(4, "big") + b"\1\2\3",
    os.urandom(1000),
)


@needs_proc
def test_a_scheduler_for_this_machine_is_heard_nowhere_else_and_a_stranger_disturbs_nothing(
    tmp_path,
) -> None:
    made, stranger = step(tmp_path, seconds=0.1), Stranger(*GARBAGE)
    run(made, workers=Workers(count=2, timeout=60))
    stranger.join(60)
    assert [address for address, _ in stranger.where] == ["127.0.0.1"]
    assert stranger.told == len(GARBAGE)
    check(made)


@needs_proc
def test_a_stranger_that_takes_blocks_and_says_they_are_done_changes_nothing(tmp_path) -> None:
    made, stolen = step(tmp_path, seconds=0.1), []

    def steal() -> None:
        client = SyncClient("127.0.0.1", stranger.where[0][1], "toy")
        for _ in range(3):
            block = client.acquire_block()
            block.status = BlockStatus.SUCCESS
            client.release_block(block)
            stolen.append(block)
        client.disconnect()

    stranger = Stranger(then=steal)
    summary = run(made, workers=Workers(count=2, timeout=60))
    stranger.join(60)
    assert len(stolen) == summary.retried == 3
    check(made)


@needs_proc
def test_workers_elsewhere_are_told_the_host(tmp_path, cluster) -> None:
    # means this machine to who connects to it, but is no loopback address
    workers = SLURM.derive(host="0.0.0.0", count=1)
    made, stranger = step(tmp_path), Stranger()
    run(made, workers=workers)
    stranger.join(60)
    assert [address for address, _ in stranger.where] == ["0.0.0.0"]
    assert re.search(r"[ :']hostname=0\.0\.0\.0[:' ]", cluster.calls()[0][-1])
    check(made)


@pytest.fixture
def namespace():
    """Name of a network namespace, the address by which it sees this one, and its own."""
    net = f"10.213.{os.getpid() % 256}"
    name, mine, its = f"lsd{os.getpid()}", f"{net}.1", f"{net}.2"
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces need root, and the command ip")
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    try:
        for command in (
            f"ip link add {name}a type veth peer name {name}b netns {name}",
            f"ip addr add {mine}/30 dev {name}a",
            f"ip link set {name}a up",
            f"ip -n {name} addr add {its}/30 dev {name}b",
            f"ip -n {name} link set {name}b up",
            f"ip -n {name} link set lo up",
            f"ip netns exec {name} true",
        ):
            made = (
                made
                if made.returncode
                else subprocess.run(command.split(), capture_output=True, text=True)
            )
        if made.returncode:
            pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
        yield name, mine, its
    finally:
        subprocess.run(["ip", "link", "delete", f"{name}a"], capture_output=True)
        subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def test_workers_on_another_network(tmp_path, cluster, namespace) -> None:
    name, mine, _ = namespace
    made = step(tmp_path)
    run(
        made,
        workers=Workers(count=2, launch=f"ip netns exec {name} {{command}}", host=mine, timeout=60),
    )
    check(made)


@pytest.mark.parametrize(
    ("host", "what"),
    [("192.0.2.77", "the scheduler at {} cannot be reached"), ("its", "nothing listens at {}")],
)
def test_workers_that_do_not_reach_the_scheduler(tmp_path, cluster, namespace, host, what) -> None:
    name, _, its = namespace
    host = its if host == "its" else host
    what = what.format(re.escape(host) + r":\d+")
    with pytest.raises(
        RuntimeError, match=f"workers of toy cannot start: .*{what}.*set workers.host to"
    ):
        run(
            step(tmp_path),
            workers=Workers(
                count=1, launch=f"ip netns exec {name} {{command}}", host=host, timeout=60
            ),
        )


def test_the_log_of_a_worker_that_fails_is_quoted(tmp_path, cluster) -> None:
    (cluster.folder / "broken").write_text("echo python: not found; exit 127")
    with pytest.raises(
        RuntimeError,
        match=r"exited with 127: Submitted batch job 10. python: not found \(.*logs/worker-..log\)",
    ):
        run(step(tmp_path), workers=SLURM)
