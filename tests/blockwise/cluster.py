"""A cluster that is made up, scripts that run steps on it, and what a step must be in the end."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import fake_cluster
import numpy as np
import pytest
from toy import ROI, expected

from lsd.blockwise.on_disk.step import load_step
from lsd.blockwise.on_disk.written import left
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
