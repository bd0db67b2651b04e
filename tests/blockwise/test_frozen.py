"""Processes that are frozen, and Ctrl-C at awkward moments: runs end, blocks are done, nothing is
left over."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cluster import DRIVER, check, until
from toy import step

from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.running.run import run
from lsd.spec import Workers
from lsd.system.process import descendants, kill, started

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc"),
]
# seconds in which a run that is told to end has ended
SOON = 25
LAUNCHES = {"here": None, "sh": "sh -c {quoted}", "slurm": "slurm", "lsf": "lsf"}
every_way = pytest.mark.parametrize("launch", LAUNCHES.values(), ids=LAUNCHES)


def frozen(folder: Path) -> list[int]:
    """Processes that froze themselves."""
    return [int(path.name.partition("-")[2]) for path in folder.glob("frozen-*")]


def lives(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def environment() -> dict[str, str]:
    """In which scripts find what lies beside this file."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        ),
    }


class Driver:
    """A script under way, and all processes that it ever had below it."""

    def __init__(self, made, workers: Workers) -> None:
        made.save()
        command = [sys.executable, "-c", DRIVER, str(made.folder), workers.model_dump_json()]
        self.process = subprocess.Popen(
            command, start_new_session=True, stdout=-1, stderr=subprocess.STDOUT, env=environment()
        )
        self.seen: dict[int, object] = {}

    def look(self) -> list[int]:
        """Those there are now."""
        there = descendants(self.process.pid)
        self.seen |= {pid: started(pid) for pid in there}
        return there

    def ends(self, within: float = SOON) -> str:
        """What it said, once it has ended, in time; and so has everything below it."""
        self.look()
        said, _ = self.process.communicate(timeout=within)
        until(lambda: not self.left(), f"{self.left()} end", 10)
        return said.decode()

    def left(self) -> list[int]:
        return [pid for pid, since in self.seen.items() if lives(pid) and started(pid) == since]

    def close(self) -> None:
        kill(*self.look(), self.process.pid, *self.left())
        self.process.communicate()


@contextmanager
def driver(made, workers: Workers):
    script = Driver(made, workers)
    try:
        yield script
    finally:
        script.close()


@every_way
@pytest.mark.parametrize("when", ["freeze", "halt"], ids=["computing", "writing"])
def test_a_frozen_worker_is_replaced_and_ended(tmp_path, cluster, launch, when) -> None:
    made = step(tmp_path, wrong={3: when})
    with driver(made, Workers(count=2, timeout=4, launch=launch)) as script:
        until(lambda: frozen(tmp_path), "a worker is frozen")
        said = script.ends(90)
    assert script.process.returncode == 0, said
    check(made)
    assert not any(map(lives, frozen(tmp_path)))
    assert list(made.container.rglob("*.partial")) == []


def test_it_is_ended_when_its_time_is_over_and_not_later(tmp_path) -> None:
    """It holds memory, and a place on a GPU."""
    made = step(tmp_path, wrong={3: "freeze"}, seconds=1.5)
    with driver(made, Workers(count=2, timeout=4)) as script:
        (pid,) = until(lambda: frozen(tmp_path), "a worker is frozen")
        until(lambda: not lives(pid), "it is killed", 20)
        assert script.process.poll() is None
        assert len(read_ledger(made.folder)) < len(made.grid)
        script.ends(90)
    check(made)


SIGNALS = {
    "SIGINT": [signal.SIGINT],
    "SIGTERM": [signal.SIGTERM],
    "SIGINT twice": [signal.SIGINT] * 2,
    "both twice": [signal.SIGINT, signal.SIGTERM] * 2,
}


@pytest.mark.parametrize("signals", SIGNALS.values(), ids=SIGNALS)
def test_an_interrupt_while_all_workers_are_frozen(tmp_path, signals) -> None:
    made = step(tmp_path, wrong=dict.fromkeys(range(24), "freeze"))
    with driver(made, Workers(count=2, timeout=600)) as script:
        until(lambda: len(frozen(tmp_path)) == 2, "workers are frozen")
        interrupted(script, signals)
    run(step(tmp_path))
    check(step(tmp_path))


def interrupted(script: Driver, signals) -> None:
    for number in signals:
        script.look()
        script.process.send_signal(number)
        time.sleep(0.7)
    said = script.ends()
    assert script.process.returncode in (1, 130, -signal.SIGINT)
    assert said.rstrip().splitlines()[-1].startswith("KeyboardInterrupt"), said


@every_way
def test_an_interrupt_while_workers_are_frozen_at_their_start(tmp_path, cluster, launch) -> None:
    made = step(tmp_path, frozen=True)
    with driver(made, Workers(count=2, timeout=600, launch=launch)) as script:
        until(lambda: len(frozen(tmp_path)) == 2, "workers are frozen")
        interrupted(script, [signal.SIGINT])
    assert not any(map(lives, frozen(tmp_path)))


@every_way
def test_an_interrupt_while_all_that_a_script_started_is_frozen(tmp_path, cluster, launch) -> None:
    """What waits for the workers, too; as the freezer of a control group does it, but for the
    script."""
    made = step(tmp_path, seconds=0.5)
    with driver(made, Workers(count=2, timeout=600, launch=launch)) as script:
        until(lambda: len(read_ledger(made.folder)) > 1, "blocks are done")
        for pid in script.look():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        script.process.send_signal(signal.SIGTERM)
        script.ends(60)
    assert not cluster.running()
    run(step(tmp_path))
    check(step(tmp_path))


@pytest.mark.parametrize("after", [0.0, 0.2, 0.6, 1.0, 1.6])
def test_an_interrupt_while_workers_start(tmp_path, after) -> None:
    made = step(tmp_path, seconds=1.0)
    with driver(made, Workers(count=2, timeout=600)) as script:
        until(lambda: (made.folder / "pending.npy").exists(), "the run begins")
        time.sleep(after)
        interrupted(script, [signal.SIGINT])


LAST = """
import os, signal, sys, threading, time
from pathlib import Path
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.running.run import run
from lsd.blockwise.on_disk.step import load_step
from lsd.spec import Workers

step = load_step(Path(sys.argv[1]), "toy:ToyJob")

def press():
    while len(read_ledger(step.folder)) < len(step.grid):
        time.sleep(0.02)
    time.sleep(float(sys.argv[2]))
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press, daemon=True).start()
run(step, workers=Workers(count=2, timeout=60))
time.sleep(2)
print("went on")
"""


@pytest.mark.parametrize("after", [0.0, 0.05, 0.3, 0.6, 1.0])
def test_an_interrupt_between_two_steps_is_not_lost(tmp_path, after) -> None:
    """The scheduler forgets one that comes when its last block is done."""
    made = step(tmp_path)
    made.save()
    command = [sys.executable, "-c", LAST, str(made.folder), str(after)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=90, env=environment(), check=False
    )
    assert "went on" not in done.stdout
    assert done.stderr.rstrip().endswith("KeyboardInterrupt"), done.stderr
    assert list(made.container.glob("*.lock")) == []


@pytest.mark.skipif(
    sys.platform != "linux", reason="what ends with its parent though frozen is known to Linux only"
)
def test_frozen_workers_of_a_script_that_was_killed(tmp_path) -> None:
    made = step(tmp_path, wrong=dict.fromkeys(range(24), "freeze"))
    with driver(made, Workers(count=2, timeout=600)) as script:
        until(lambda: len(frozen(tmp_path)) == 2, "workers are frozen")
        script.process.kill()
        script.ends()


def test_a_worker_elsewhere_that_comes_to_itself_after_the_run_writes_nothing(tmp_path) -> None:
    """Nothing here can end it; another run is at work there by then."""
    # in a session of its own, below init: as through ssh, nobody here knows it
    launch = (
        "setsid sh -c {quoted} < /dev/null > /dev/null 2>&1 & while [ -e %s ]; do sleep 0.2; done"
        % (tmp_path / "wait")
    )
    (tmp_path / "wait").touch()
    # by half a second the block before is written: one that was being written is finished
    made = step(tmp_path, wrong={3: "freeze"}, seconds=0.5)
    with driver(made, Workers(count=1, timeout=600, launch=launch)) as script:
        (pid,) = until(lambda: frozen(tmp_path), "the worker is frozen")
        script.process.send_signal(signal.SIGINT)
        # the launcher cannot find it
        kill(
            *[
                other
                for other in descendants(script.process.pid)
                if other != pid and "sleep" in name(other)
            ]
        )
        (tmp_path / "wait").unlink()
        script.process.communicate(timeout=SOON)
    if not lives(pid):
        pytest.skip("it was found")
    # one that was started in its place before the run ended finishes what it was writing
    until(lambda: at_work(tmp_path) <= {pid}, "others end", 60)
    before = {path: path.stat().st_mtime_ns for path in made.container.rglob("*")}
    try:
        os.kill(pid, signal.SIGCONT)
        until(lambda: not lives(pid), "it ends", 60)
    finally:
        kill(pid)
    now = {
        path: path.stat().st_mtime_ns
        for path in made.container.rglob("*")
        if path.is_file() and path.suffix != ".failed"
    }
    assert [path for path, changed in now.items() if before.get(path) != changed] == []


def at_work(folder: Path) -> set[int]:
    """Workers that name a folder on their command line; shells that wait for them do, too."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            pid = int(path.parent.name)
            if (
                str(folder).encode() in path.read_bytes()
                and lives(pid)
                and name(pid).startswith("python")
            ):
                found.add(pid)
    return found


def name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


HERE = """
import sys, threading
from pathlib import Path
from lsd.blockwise.on_disk.lock import exclusive
from lsd.blockwise.running.run import run
from lsd.blockwise.on_disk.step import load_step
from lsd.cli.command import GOES_ON, guarded

def command():
    step = load_step(Path(sys.argv[1]), "toy:ToyJob")
    with exclusive(step.container):
        run(step)

guarded(command, debug=False, interrupted=GOES_ON)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_does_not_wait_for_a_block_in_this_process(tmp_path, number) -> None:
    made = step(tmp_path, wrong={3: "hang"})
    made.save()
    command = [sys.executable, "-c", HERE, str(made.folder)]
    with subprocess.Popen(
        command, stdout=-1, stderr=subprocess.STDOUT, text=True, env=environment()
    ) as process:
        try:
            # two threads may come to blocks 2 and 3 in either order
            until(lambda: len(read_ledger(made.folder)) >= 2, "blocks are done")
            time.sleep(1)
            assert (tmp_path / "result.zarr.lock").exists()
            process.send_signal(number)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2)
            process.send_signal(number)
            said, _ = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 130
    by_signal = " by SIGTERM" if number == signal.SIGTERM else ""
    words = f"error: interrupted{by_signal}; the same command goes on from"
    assert said.splitlines()[-1].startswith(words)
    assert not (tmp_path / "result.zarr.lock").exists()
    assert list(made.folder.glob("*.failed")) == []
