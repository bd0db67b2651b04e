"""Slots are told apart among living processes, and come back when one dies."""

import subprocess
import sys

from lsd.blockwise.running.slot import take_slot

TAKE = (
    "import sys; from lsd.blockwise.running.slot import take_slot; print(take_slot(sys.argv[1]), "
    "flush=True); sys.stdin.read()"
)


def _start(group):
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE, group],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, int(process.stdout.readline())


def test_a_slot_is_one_processs_until_it_dies(tmp_path) -> None:
    group = str(tmp_path)
    assert take_slot(group) == 0
    first, one = _start(group)
    second, two = _start(group)
    assert (one, two) == (1, 2)
    assert take_slot(str(tmp_path / "other")) == 0
    first.kill()
    first.wait()
    third, three = _start(group)
    assert three == 1, "in place of the one that died"
    for process in (second, third):
        process.kill()
        process.wait()
