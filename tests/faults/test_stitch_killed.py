"""Stitching that is killed, with and without workers: it goes on, and its result is the same to the
bit."""

import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from faulted import Script
from hashes import digests

from lsd.blockwise.on_disk.ledger import RECORD
from lsd.blockwise.on_disk.step import load_step
from lsd.segmentation.stitching.listed import Hints, find_blocks
from lsd.segmentation.stitching.run import stitch_files
from lsd.spec import Stitch

sys.path.append(str(Path(__file__).parents[1] / "segmentation"))
from cut_blocks import cut, instances

pytestmark = pytest.mark.faults

PIECE = (8, 8, 8)
# kills the script itself where there are no workers
PLAN = {
    "LabelsFunction 2": "kill",
    "LabelsFunction 7": "driver",
    "JoinsFunction 3": "kill",
    "JoinsFunction 9": "driver",
    "NamesFunction 0": "kill",
    "StitchedFunction 3": "crash",
}


@pytest.fixture
def blocks(tmp_path):
    folder = tmp_path / "blocks"
    folder.mkdir()
    for begin, labels in cut(instances((16, 20, 20), 5), (8, 9, 9), (2, 3, 2), seed=1):
        np.save(folder / "z{}_y{}_x{}.npy".format(*begin), labels)
    return folder


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_again_and_again_and_resumed(blocks, tmp_path, workers) -> None:
    found = find_blocks(blocks, Hints(voxel_size=(4, 4, 4)))
    stitch_files(found, tmp_path / "undisturbed" / "a.zarr", settings=Stitch(piece=PIECE))
    words = ("stitch.py", str(blocks), str(tmp_path / "disturbed" / "a.zarr"))
    options = ("--voxel-size=4,4,4", "--piece=8,8,8", f"--workers={workers}")
    ends = []
    while not ends or ends[-1] == -signal.SIGKILL:
        script = Script.of(tmp_path / "faults", PLAN, *words, *options)
        ends.append(script.ends())
        script.close()
    assert ends[-1] == 0, script.said()
    assert len(ends) == (5 if workers else 7)
    assert digests(tmp_path / "disturbed") == digests(tmp_path / "undisturbed")
    for step in (tmp_path / "disturbed").rglob("step.json"):
        records = sum(path.stat().st_size for path in step.parent.glob("*.done")) // RECORD.itemsize
        assert records == len(load_step(step.parent).grid)
    assert [
        path for path in (tmp_path / "disturbed").rglob("*") if path.suffix in (".partial", ".lock")
    ] == []
