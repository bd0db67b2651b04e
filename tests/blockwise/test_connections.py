"""Who connects to a scheduler: workers on other networks, and strangers."""

import os
import re
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from cluster import SLURM, check, until
from daisy._daisy import BlockStatus, SyncClient
from toy import step

from lsd.blockwise.running.run import run
from lsd.spec import Workers


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
