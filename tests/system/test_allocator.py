import platform
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import torch
from lsd.system.allocator import keep_freed_memory

def resident():
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

if sys.argv[1] == "keep":
    assert keep_freed_memory()
before = resident()
for _ in range(5):
    x = torch.ones(8, 2**20)
    x = (x + x).relu().sum().item()
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_freed_memory_stays_with_the_process():
    """kB that a process holds more after passes with buffers of 32 MB, all of which are free
    again."""
    held = {
        how: int(subprocess.check_output([sys.executable, "-c", PROGRAM, how]))
        for how in ("default", "keep")
    }
    assert held["default"] < 2**15
    assert held["keep"] > 2 * 2**15
