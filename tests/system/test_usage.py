"""What a piece of work takes, against what it is known to take."""

import mmap
import subprocess
import sys
import time

import pytest

from lsd.system import usage
from lsd.system.usage import Meter

MB = 2**20


def _held(size):
    block = mmap.mmap(-1, size)
    block[::4096] = b"x" * (size // 4096)
    return block


def test_memory_is_that_of_the_piece_of_work() -> None:
    # of the system itself: what Python and the C library hold already may be used again
    _held(150 * MB).close()
    with Meter() as meter:
        idle = meter.read()
        _held(100 * MB).close()
        busy = meter.read()
    if busy.is_whole_life:
        pytest.skip("this system does not let a peak begin anew")
    assert 95 * MB <= busy.memory - idle.memory <= 130 * MB


def test_seconds_that_go_by_and_those_of_the_processor() -> None:
    with Meter() as meter:
        time.sleep(0.3)
        asleep = meter.read()
        begin = time.process_time()
        while time.process_time() < begin + 0.2:
            pass
        awake = meter.read()
    assert 0.3 <= asleep.seconds < awake.seconds
    assert asleep.processor_seconds < 0.15 < awake.processor_seconds


@pytest.mark.skipif(sys.platform != "linux", reason="other processes are looked at on Linux only")
def test_memory_of_other_processes(monkeypatch) -> None:
    monkeypatch.setattr(usage, "_LOOK", 0.05)
    held = "b = bytearray(80 << 20); b[::4096] = b'x' * len(b[::4096]); print(flush=True); input()"
    with Meter() as meter:
        assert meter.read().child_memory is None
        child = subprocess.Popen(
            [sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        child.stdout.readline()
        time.sleep(0.5)
        child.communicate(b"\n")
        most = meter.read().child_memory
    assert 80 * MB < most < 140 * MB
