"""Memory that blocks let go is there for the next ones, whichever thread they are done by; weights
are read once."""

import json
import platform
import shutil
import subprocess
import sys

import pytest
from hashes import digests

from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction import blocks, run
from lsd.prediction.run import predict
from lsd.spec import Dataset

# how many arenas the C library says there are while each block is computed
PROGRAM = """
import ctypes, json, os, sys
from pathlib import Path

from lsd.prediction.blocks import HeadsFunction
from lsd.prediction.run import predict
from lsd.spec import Config

LIBC = ctypes.CDLL(None)
LIBC.fdopen.restype = ctypes.c_void_p

def arenas(path):
    stream = ctypes.c_void_p(LIBC.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), b"w"))
    LIBC.malloc_info(0, stream)
    LIBC.fclose(stream)
    return Path(path).read_text().count("<heap ")

def noting(self, block, source):
    found.append(arenas(sys.argv[2]))
    return compute(self, block, source)

found, compute, HeadsFunction.compute = [], HeadsFunction.compute, noting
predict(Config.model_validate_json(Path(sys.argv[1]).read_text()), progress=True)
print(json.dumps(found))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_all_blocks_share_one_arena(make, tmp_path) -> None:
    config, _ = make()
    (tmp_path / "config.json").write_text(config.model_dump_json())
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        str(tmp_path / "config.json"),
        str(tmp_path / "arenas"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [1] * len(found)
    assert len(found) > 8


def test_weights_are_read_once_however_many_volumes_there_are(make, monkeypatch) -> None:
    config, _ = make()
    [volume] = config.dataset.test
    several = tuple(volume.derive(name=name) for name in ("a", "b", "c"))
    config = config.derive(dataset=Dataset(test=several))
    read = []

    def noting(path):
        read.append(path)
        return from_checkpoint(path)

    for module in (run, blocks):
        monkeypatch.setattr(module, "from_checkpoint", noting)
    assert len(predict(config)) == 3
    assert len(read) == 1
    # another call reads what is there by then
    assert blocks._loaded.get()() is None
    predict(config)
    assert len(read) == 2


def test_heads_of_a_volume_are_the_same_alone_and_after_another(make) -> None:
    config, _ = make()
    [volume] = config.dataset.test
    second = volume.derive(name="second")
    found = []
    for several in ((second,), (volume, second)):
        *_, path = predict(config.derive(dataset=Dataset(test=several)))
        found.append(
            {name: value for name, value in digests(path).items() if name.startswith(".zarray")}
        )
        shutil.rmtree(path)
    assert found[0]
    assert found[0] == found[1]
