"""A step, run to its end in this process and in others, and what becomes of blocks that go
wrong."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from funlib.geometry import Roi
from toy import ROI, ROWS, expected, step

from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step, load_step
from lsd.blockwise.on_disk.written import left
from lsd.blockwise.running.run import BlocksFailed, prepare, run
from lsd.spec import Workers
from lsd.volumes.array import open_array

HERE, TWO = Workers(), Workers(count=2, timeout=60)


def result(made):
    """The array, and the rows of each block."""
    ledger = read_ledger(made.folder)
    rows = [ledger.block_rows(index, ROWS)["value"].tolist() for index in range(len(made.grid))]
    return open_array(made.container, "out").read(ROI), rows


def check(made) -> None:
    """Every voxel and every row, once."""
    array, rows = result(made)
    np.testing.assert_array_equal(array, expected(made))
    assert rows == [[index] * (index % 4) for index in range(len(made.grid))]
    assert left(made) == 0
    assert load_step(made.folder).depends_on() == made.depends_on()


@pytest.mark.parametrize("workers", [HERE, TWO], ids=["here", "two"])
def test_every_block_once(tmp_path, workers) -> None:
    made = step(tmp_path)
    summary = run(made, workers=workers)
    assert (summary.done, summary.skipped, summary.retried, summary.voxels) == (
        len(made.grid),
        0,
        0,
        ROI.size,
    )
    check(made)
    again = run(made, workers=workers)
    assert (again.done, again.skipped) == (0, len(made.grid))


@pytest.mark.parametrize("workers", [HERE, TWO], ids=["here", "two"])
def test_a_block_that_always_raises_is_named_and_the_rest_is_done(tmp_path, workers) -> None:
    made = step(tmp_path, wrong={5: "raise", 7: "once"})
    with pytest.raises(
        BlocksFailed,
        match=r"1 of 24 blocks of toy failed(.|\n)*block 5 .*Error: an elephant in block 5",
    ):
        run(made, workers=workers)
    assert read_ledger(made.folder).missing(len(made.grid)).tolist() == [5]
    assert "in compute" in (made.folder / "failures.txt").read_text()
    mended = step(tmp_path)
    assert run(mended, workers=workers).done == 1
    check(mended)


def test_one_reason_of_many_blocks_is_told_once(tmp_path) -> None:
    wrong = dict.fromkeys(range(2, 10), "alike") | {11: "raise"}
    with pytest.raises(BlocksFailed) as caught:
        run(step(tmp_path, wrong=wrong), workers=HERE)
    message = str(caught.value)
    assert message.startswith("9 of 24 blocks of toy failed, the others are done:\n")
    assert message.count("elephants everywhere") == 1
    assert re.search(r"block 2 \(.*\) and 7 others: .*Error: elephants everywhere\n", message)
    assert re.search(r"block 11 \([^)]*\): .*Error: an elephant in block 11\n", message)


def test_a_killed_worker_costs_nothing_but_time(tmp_path) -> None:
    made = step(tmp_path, wrong={3: "kill", 11: "kill"})
    summary = run(made, workers=TWO)
    assert summary.retried >= 2
    check(made)


@pytest.mark.faults
def test_a_block_that_hangs_is_given_up(tmp_path) -> None:
    made = step(tmp_path, wrong={3: "hang"})
    with pytest.raises(BlocksFailed, match=r"1 of 24 (.|\n)*block 3 .*took too long"):
        run(made, workers=TWO.derive(timeout=2.0, retries=1))
    assert len(read_ledger(made.folder)) == 23


def test_workers_that_cannot_start(tmp_path) -> None:
    with pytest.raises(RuntimeError, match="cannot start: ImportError: no module named 'elephant'"):
        run(step(tmp_path, broken=True), workers=TWO)


@pytest.mark.parametrize("workers", [HERE, TWO], ids=["here", "two"])
def test_nothing_goes_on_where_nothing_can_be_written(tmp_path, workers) -> None:
    made = step(tmp_path, wrong={0: "full"}, seconds=0.1)
    with pytest.raises((OSError, RuntimeError), match=r"No space left on device.*make room"):
        run(made, workers=workers)
    assert len(read_ledger(made.folder)) < 23
    run(step(tmp_path))
    check(step(tmp_path))


def test_other_blocks_are_not_mixed(tmp_path) -> None:
    made = step(tmp_path, wrong={5: "raise"})
    with pytest.raises(BlocksFailed):
        run(made, workers=HERE)
    with pytest.raises(ValueError, match=r"context: \[1, 2, 0\] there, \[0, 0, 0\] asked for"):
        run(step(tmp_path, context=(0, 0, 0)))
    run(step(tmp_path))
    other = step(tmp_path, context=(0, 0, 0))
    prepare(other)
    assert not (other.container / "out").exists(), "what another step wrote is gone"
    other = step(tmp_path, context=(0, 0, 0))
    run(other)
    check(other)


def test_an_array_that_somebody_deleted_is_written_again(tmp_path) -> None:
    made = step(tmp_path)
    run(made)
    shutil.rmtree(made.container / "out")
    prepare(made)
    assert run(step(tmp_path)).done == len(made.grid)
    check(made)


LOG = """
import logging, os, sys
from pathlib import Path
from lsd.blockwise.running.scheduler import stderr_to

logging.basicConfig(format="%(message)s")
with stderr_to(Path(sys.argv[1])):
    logging.warning("1 of 24 blocks")
    os.write(2, b"of the scheduler\\n")
logging.warning("done")
"""


def test_the_log_is_seen_while_workers_are_at_work(tmp_path) -> None:
    command = [sys.executable, "-c", LOG, str(tmp_path / "scheduler.log")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == "1 of 24 blocks\ndone\n"
    assert (tmp_path / "scheduler.log").read_text() == "of the scheduler\n"


class _Line(Job):
    """A row for each number of a line."""

    def open(self, container, worker):
        return self

    def read(self, block):
        return block.index

    def compute(self, block, source):
        return Output(rows=np.full(1, source, ROWS["value"]).view(ROWS))


def test_numbers_in_a_line_are_no_voxels(tmp_path) -> None:
    grid = tile(Roi((0,), (5,)), (1,), step=(1,), context=((0,), (0,)))
    summary = run(Step("line", tmp_path / "line.zarr", grid, _Line(), rows=ROWS))
    assert (summary.done, summary.voxels) == (5, 0)
    assert "voxels" not in str(summary)


def test_blocks_that_share_a_chunk_are_refused(tmp_path) -> None:
    step(tmp_path)
    made = step(tmp_path)
    object.__setattr__(made, "grid", step(tmp_path / "other", shape=(5, 4, 8)).grid)
    with pytest.raises(ValueError, match=r"share chunks of .*result\.zarr:out"):
        run(made)
