"""The lock between containers, machines and boots: taken over only if its holder is gone for
certain."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from test_lock import HOLD, end, files, start

from lsd.blockwise.on_disk import lock
from lsd.blockwise.on_disk.lock import exclusive, holder
from lsd.system import process

CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
# as the version before wrote it, which kept nothing open
OLD = """
import json, os, socket, sys
from pathlib import Path

started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
holder = {"host": socket.gethostname(), "pid": os.getpid(), "started": started}
Path(sys.argv[1]).write_text(json.dumps(holder))
print("held", flush=True)
sys.stdin.read(1)
"""


@pytest.fixture
def container():
    """A function that starts Python code in a namespace of pids of its own, which shares host name
    and disk."""
    tried = (
        subprocess.run([*CONTAINER, "true"], capture_output=True, text=True)
        if shutil.which("unshare")
        else None
    )
    if tried is None or tried.returncode:
        pytest.skip(
            f"no namespaces of pids here: "
            f"{tried.stderr.strip() if tried else 'there is no unshare'}"
        )
    made = []

    def container(code, *arguments):
        command = [*CONTAINER, sys.executable, "-c", code, *map(str, arguments)]
        made.append(subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True))
        return made[-1]

    yield container
    for started in made:
        started.kill()
        started.communicate()


def refused(process) -> str:
    """What a process said that did not get the lock."""
    _, error = process.communicate("x", timeout=60)
    assert process.returncode
    return error


@pytest.mark.parametrize("first", ["inside", "outside"])
def test_two_containers_with_one_host_name(tmp_path, container, first) -> None:
    target = tmp_path / "out.zarr"
    held = container(HOLD, target, "gives back") if first == "inside" else start(target)
    assert held.stdout.readline() == "held\n"
    assert holder(target)
    # a crowd, in which pids are small and some will be the same
    for _ in range(3):
        assert "out.zarr.lock" in refused(container(HOLD, target, "gives back"))
    if first == "inside":
        with pytest.raises(
            RuntimeError, match=r"being written by process \d+ on host .*delete .*out\.zarr\.lock"
        ):
            exclusive(target).__enter__()
    assert files(tmp_path) == ["out.zarr.lock"]
    end(held)
    assert held.returncode == 0
    with exclusive(target) as stale:
        assert not stale


@pytest.mark.parametrize("second", ["inside", "outside"])
def test_a_container_that_was_killed_is_recognised(tmp_path, container, second) -> None:
    target = tmp_path / "out.zarr"
    held = container(HOLD, target, "killed")
    assert held.stdout.readline() == "held\n"
    end(held)
    assert files(tmp_path) == ["out.zarr.lock"]
    if second == "outside":
        with exclusive(target) as stale:
            assert stale
    else:
        other = container(HOLD, target, "gives back")
        assert other.stdout.readline() == "held\n"
        end(other)
        assert files(tmp_path) == []


@pytest.mark.parametrize("first", ["inside", "outside"])
def test_a_lock_of_the_version_before_in_another_container(tmp_path, container, first) -> None:
    target, path = tmp_path / "out.zarr", tmp_path / "out.zarr.lock"
    if first == "inside":
        held = container(OLD, path)
    else:
        held = subprocess.Popen(
            [sys.executable, "-c", OLD, str(path)], stdin=-1, stdout=-1, stderr=-1, text=True
        )
    assert held.stdout.readline() == "held\n"
    try:
        assert "out.zarr.lock" in refused(container(HOLD, target, "gives back"))
        with pytest.raises(RuntimeError, match=r"being written by .*delete .*out\.zarr\.lock"):
            exclusive(target).__enter__()
    finally:
        end(held)
    assert path.exists()


def test_a_lock_of_the_version_before_whose_process_is_gone(tmp_path) -> None:
    if not process.sees_all():
        pytest.skip("in a container it cannot be told")
    ended = subprocess.Popen(
        [sys.executable, "-c", OLD, str(tmp_path / "out.zarr.lock")], stdin=-1, stdout=-1, text=True
    )
    ended.communicate("x")
    with exclusive(tmp_path / "out.zarr") as stale:
        assert stale


def test_a_frozen_holder_is_alive(tmp_path) -> None:
    held = start(tmp_path / "out.zarr")
    assert held.stdout.readline() == "held\n"
    held.send_signal(signal.SIGSTOP)
    with pytest.raises(RuntimeError, match=f"process {held.pid}"):
        exclusive(tmp_path / "out.zarr").__enter__()
    held.send_signal(signal.SIGCONT)
    end(held)
    assert files(tmp_path) == []


def test_a_holder_that_was_killed_and_is_not_buried(tmp_path) -> None:
    """Its number is still taken."""
    held = start(tmp_path / "out.zarr")
    assert held.stdout.readline() == "held\n"
    held.kill()
    os.waitid(os.P_PID, held.pid, os.WEXITED | os.WNOWAIT)
    with exclusive(tmp_path / "out.zarr") as stale:
        assert stale
    held.communicate()


def note(tmp_path, **changes):
    """A lock of a process that is gone, written as this version does."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    content = {
        **process.identity(),
        "pid": gone.pid,
        "flock": True,
        "device": os.stat(tmp_path).st_dev,
        **changes,
    }
    (tmp_path / "out.zarr.lock").write_text(json.dumps(content))
    return tmp_path / "out.zarr"


OTHER = {"boot": "another"}
# content, file system is local, flock: True taken, None not supported -> whether the holder is
# known to be gone
CASES = {
    "gone": ({}, False, None, True),
    "lives": ({"pid": os.getpid()}, False, None, False),
    "the number was given to another": ({"pid": os.getpid(), "started": 1}, False, None, True),
    "another container, its flock is free": ({"namespace": "pid:[1]"}, False, True, True),
    "another container, no flock": ({"namespace": "pid:[1]"}, True, None, False),
    "another container, which had no flock": (
        {"namespace": "pid:[1]", "flock": False},
        True,
        True,
        False,
    ),
    "another container, file system mounted twice": (
        {"namespace": "pid:[1]", "device": -1},
        False,
        True,
        False,
    ),
    "another boot, a disk of this machine": (OTHER, True, True, True),
    "another boot, a disk of this machine, no flock": (OTHER, True, None, False),
    "another boot, a network file system": (OTHER, False, True, False),
    "another host, a network file system": ({**OTHER, "host": "elsewhere"}, False, True, False),
    "no boot was known": ({"boot": "", "namespace": "pid:[1]", "flock": False}, True, True, False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_proves_that_a_holder_is_gone(tmp_path, monkeypatch, case) -> None:
    content, local, free, expected = CASES[case]
    if "pid" in content and "started" not in content:
        content = {**content, "started": process.started(os.getpid())}
    target = note(tmp_path, **content)
    monkeypatch.setattr(lock, "_is_local", lambda _: local)
    if free is None:

        def unsupported(*_):
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(lock.fcntl, "flock", unsupported)
    if expected:
        assert holder(target) == ""
        with exclusive(target) as stale:
            assert stale
        assert files(tmp_path) == []
    else:
        assert holder(target)
        with pytest.raises(RuntimeError, match=r"being written by .*delete .*out\.zarr\.lock"):
            exclusive(target).__enter__()
        assert files(tmp_path) == ["out.zarr.lock"]


def test_where_neither_flock_nor_proc_are_known(tmp_path, monkeypatch) -> None:
    """macOS, and file systems without flock: one at a time all the same."""
    without_proc(monkeypatch)
    monkeypatch.setattr(
        lock.fcntl,
        "flock",
        lambda *_: (_ for _ in ()).throw(OSError(45, "Operation not supported")),
    )
    with exclusive(tmp_path / "out.zarr") as stale:
        assert not stale
        with pytest.raises(RuntimeError, match="delete"):
            exclusive(tmp_path / "out.zarr").__enter__()
    assert files(tmp_path) == []


def test_without_proc_flock_tells(tmp_path, monkeypatch) -> None:
    without_proc(monkeypatch)
    held = start(tmp_path / "out.zarr", "killed")
    assert held.stdout.readline() == "held\n"
    with pytest.raises(RuntimeError, match="delete"):
        exclusive(tmp_path / "out.zarr").__enter__()
    # as a machine without /proc would have written it
    path = tmp_path / "out.zarr.lock"
    content = {**json.loads(path.read_text()), "boot": "", "namespace": "", "started": None}
    with path.open("r+") as file:
        file.write(json.dumps(content))
        file.truncate()
    end(held)
    with exclusive(tmp_path / "out.zarr") as stale:
        assert stale


def without_proc(monkeypatch) -> None:
    """Neither /proc nor what says the same elsewhere."""
    monkeypatch.setattr(process, "Path", lambda path: tmp_missing(path))
    monkeypatch.setattr(process.os, "readlink", lambda path: os.stat("/nowhere"))
    monkeypatch.setattr(process, "_asked", lambda *_: "")
    process._boot_session.cache_clear()


def tmp_missing(path):
    """The same path on a machine without /proc."""
    from pathlib import Path

    return Path(str(path).replace("/proc", "/nowhere"))


def test_ps_says_the_same(monkeypatch) -> None:
    """Where there is no /proc."""
    if not shutil.which("ps"):
        pytest.skip("there is no ps")
    child = subprocess.Popen(
        [sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '60'])"]
    )
    try:
        until = time.monotonic() + 30
        while len(process.descendants(os.getpid())) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        there = set(process.descendants(child.pid))
        assert len(there) == 1
        monkeypatch.setattr(process, "Path", tmp_missing)
        assert set(process.descendants(child.pid)) == there
        assert (
            process.started(child.pid) == process.started(child.pid) != process.started(2**22 + 1)
        )
    finally:
        process.kill(*process.descendants(child.pid), child.pid)
        child.wait()


def test_a_lock_that_another_took_meanwhile_is_not_given_back(tmp_path) -> None:
    """Someone deleted it, as the message says, though its holder lived."""
    target, path = tmp_path / "out.zarr", tmp_path / "out.zarr.lock"
    with exclusive(target):
        path.unlink()
        path.write_text(json.dumps({"host": socket.gethostname(), "pid": 1}))
    assert files(tmp_path) == ["out.zarr.lock"]


def test_a_volume_called_like_the_lock_of_another(tmp_path) -> None:
    (tmp_path / "a.lock").mkdir()
    for name in ("a", "a.lock", "a.partial", "v1.2", "x.zarr"):
        with (
            exclusive(tmp_path / name),
            pytest.raises(RuntimeError, match=rf"/{name} is being written by"),
        ):
            exclusive(tmp_path / name).__enter__()
    assert files(tmp_path) == ["a.lock"]
