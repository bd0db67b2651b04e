"""The lock: one run at a time, and a holder that is gone is recognised."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from lsd.blockwise.on_disk import lock
from lsd.blockwise.on_disk.lock import exclusive, holder

HOLD = """
import os, sys
from pathlib import Path
from lsd.blockwise.on_disk.lock import exclusive

with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read(1)
    if sys.argv[2] == "killed":
        os._exit(1)
"""


def start(target, way="gives back"):
    """A process that holds the lock of `target`, or is refused."""
    command = [sys.executable, "-c", HOLD, str(target), way]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def other(tmp_path):
    """Starts a process that holds the lock until it is told to end, in the way it is told."""
    started = []

    def hold(way="gives back"):
        started.append(start(tmp_path / "out.zarr", way))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield hold
    for process in started:
        process.communicate()


def end(process) -> None:
    process.communicate("x")


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def note(tmp_path, **content):
    """A lock that holds that."""
    (tmp_path / "out.zarr.lock").write_text(json.dumps(content))
    return tmp_path / "out.zarr"


def test_it_leaves_nothing(tmp_path) -> None:
    target = tmp_path / "new" / "out.zarr"
    with exclusive(target) as stale:
        assert not stale
        assert files(target.parent) == ["out.zarr.lock"]
        assert holder(target) == f"run by process {os.getpid()} on {socket.gethostname()}"
    assert files(target.parent) == []
    assert holder(target) == ""
    with pytest.raises(ZeroDivisionError), exclusive(target):
        raise ZeroDivisionError
    assert files(target.parent) == []


def test_a_process_that_lives_is_named(tmp_path, other) -> None:
    process, target = other(), tmp_path / "out.zarr"
    refusal = (
        rf"out\.zarr is being written by process {process.pid} on host {socket.gethostname()}; "
        rf".*out\.zarr\.lock"
    )
    with pytest.raises(RuntimeError, match=refusal), exclusive(target):
        pass
    assert files(tmp_path) == ["out.zarr.lock"], "whoever was refused leaves nothing"
    with exclusive(tmp_path / "other.zarr") as stale:
        assert not stale
    end(process)
    with exclusive(target) as stale:
        assert not stale, "it was given back"


def test_a_process_that_was_killed_is_recognised(tmp_path, other) -> None:
    process, target = other("killed"), tmp_path / "out.zarr"
    assert str(process.pid) in holder(target)
    end(process)
    assert files(tmp_path) == ["out.zarr.lock"]
    assert holder(target) == ""
    with exclusive(target) as stale:
        assert stale
    with exclusive(target) as stale:
        assert not stale, "said once"


def test_the_number_of_a_process_that_is_gone_was_given_to_another(tmp_path) -> None:
    target = note(tmp_path, host=socket.gethostname(), pid=os.getpid(), started=1)
    with exclusive(target) as stale:
        assert stale


def test_another_machine_cannot_be_asked(tmp_path) -> None:
    # that number is surely no process here
    target = note(tmp_path, host="elsewhere", pid=2**30, started=1)
    with pytest.raises(
        RuntimeError,
        match=r"process 1073741824 on host elsewhere; .*if you know that it is gone, delete",
    ):
        exclusive(target).__enter__()
    assert holder(target) == "run by process 1073741824 on elsewhere"
    assert files(tmp_path) == ["out.zarr.lock"]


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', "{}", '{"host": 5, "pid": "x"}'])
def test_a_lock_that_says_nothing_holds(tmp_path, content) -> None:
    (tmp_path / "out.zarr.lock").write_text(content)
    with pytest.raises(RuntimeError, match=r"process \S+ on host \S+; .*delete"):
        exclusive(tmp_path / "out.zarr").__enter__()


def test_of_many_that_find_a_stale_lock_one_holds(tmp_path) -> None:
    target = note(tmp_path, host=socket.gethostname(), pid=os.getpid(), started=1)
    crowd = [start(target) for _ in range(4)]
    with ThreadPoolExecutor(len(crowd)) as pool:
        # whoever is refused ends at once, whoever holds waits
        said = list(pool.map(lambda process: process.stdout.readline(), crowd))
    assert sorted(said) == ["", "", "", "held\n"]
    for process in crowd:
        _, error = process.communicate("x")
        assert ("is being written by process" in error) == (process.returncode != 0)
    assert files(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match=r"cannot write .*out\.zarr"):
        exclusive(tmp_path / "out.zarr").__enter__()


def test_a_folder_that_cannot_be_made(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write .*out\.zarr: .*runs="):
        exclusive(tmp_path / "file" / "out.zarr").__enter__()


def test_a_server_that_made_the_link_and_says_that_it_was_there(tmp_path, monkeypatch) -> None:
    """NFS, where an answer was lost and it is asked again."""
    real = os.link

    def twice(source, target):
        real(source, target)
        real(source, target)

    monkeypatch.setattr(os, "link", twice)
    with exclusive(tmp_path / "out.zarr") as stale:
        assert not stale
        assert files(tmp_path) == ["out.zarr.lock"]
    assert files(tmp_path) == []


def test_a_lock_that_is_a_link_to_nothing_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(lock, "_CLEARING", 0.1)
    (tmp_path / "out.zarr.lock").symlink_to(tmp_path / "gone")
    with pytest.raises(OSError, match=r"out\.zarr\.lock is a link that leads nowhere; delete it"):
        exclusive(tmp_path / "out.zarr").__enter__()
    assert files(tmp_path) == ["out.zarr.lock"]
