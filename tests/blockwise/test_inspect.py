"""status and verify: what says done is there, or is done again."""

import json
import os
import shutil

import numpy as np
import pytest
from test_run import check
from toy import step

from lsd.blockwise.on_disk.inspect import status, steps, verify_blocks
from lsd.blockwise.on_disk.ledger import RECORD, read_ledger
from lsd.blockwise.on_disk.lock import exclusive
from lsd.blockwise.on_disk.written import edited
from lsd.blockwise.running.run import BlocksFailed, prepare, run
from lsd.volumes.array import open_array
from lsd.volumes.formats.zarr2 import ZarrArray


def chunk(made, index):
    """The file of a block's only chunk."""
    array = open_array(made.container, "out")
    begin = made.grid.block(index).write.begin - array.roi.begin
    place = [b // n for b, n in zip(begin, made.grid.write_shape, strict=True)]
    return made.container / "out" / "0" / "/".join(map(str, place))


def test_status_counts_blocks(tmp_path) -> None:
    made = step(tmp_path, wrong={5: "raise"})
    with pytest.raises(BlocksFailed):
        run(made)
    [found] = status(tmp_path)
    assert (found.name, found.done, found.blocks, found.running) == ("toy", 23, 24, "")
    assert "23 of 24 blocks (96%)" in str(found)
    assert "not running" in str(found)
    with exclusive(made.container):
        assert "run by process" in str(status(tmp_path)[0])
    with pytest.raises(ValueError, match="holds no blocks"):
        status(tmp_path / "source.zarr")


def test_nothing_to_verify_is_said(tmp_path) -> None:
    with pytest.raises(ValueError, match="nope holds no blocks"):
        verify_blocks(tmp_path / "nope")


def test_what_is_intact_stays(tmp_path) -> None:
    made = step(tmp_path)
    run(made)
    told = []
    assert verify_blocks(tmp_path, progress=told.append) == []
    assert told == [f"{made.folder}: 24 of 24 blocks are there and intact"]
    assert len(read_ledger(made.folder)) == 24


def _truncate(made) -> None:
    file = chunk(made, 2)
    file.write_bytes(file.read_bytes()[:-9])


def _flip(made) -> None:
    file = chunk(made, 2)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 16
    file.write_bytes(bytes(data))


def _swap(made) -> None:
    """A chunk of another block of the same shape: readable, and wrong; while blocks are yet to
    come, nobody edits."""
    shutil.copy(chunk(made, 0), chunk(made, 2))
    (made.folder / "whole").unlink()


def _lose(made) -> None:
    chunk(made, 2).unlink()


def _rows(made) -> None:
    """Block 2 has two rows."""
    ledger = read_ledger(made.folder)
    record = ledger.records[2]
    file = made.folder / f"{ledger.names[ledger.files[2]]}.rows"
    data = np.fromfile(file, "<u8")
    data[int(record["begin"])] += 1
    data.tofile(file)


@pytest.mark.parametrize(
    "damage", [_truncate, _flip, _swap, _lose, _rows], ids=lambda f: f.__name__[1:]
)
def test_what_is_damaged_is_named_and_made_again(tmp_path, damage) -> None:
    made = step(tmp_path)
    run(made)
    damage(made)
    [found] = verify_blocks(tmp_path)
    assert found.index == 2
    assert "block 2 (3:9, 4:8, -4:4)" in str(found)
    assert read_ledger(made.folder).missing(24).tolist() == [2]
    assert not chunk(made, 2).exists()
    assert run(made).done == 1
    check(made)
    assert verify_blocks(tmp_path) == []
    assert edited(made) == []


def test_blocks_that_are_yet_to_come_are_no_damage(tmp_path) -> None:
    made = step(tmp_path, wrong={5: "raise", 7: "raise"})
    with pytest.raises(BlocksFailed):
        run(made)
    told = []
    assert verify_blocks(tmp_path, progress=told.append) == []
    assert told == [f"{made.folder}: 22 of 24 blocks are there and intact, 2 are not done yet"]
    _lose(made)
    assert [found.index for found in verify_blocks(tmp_path)] == [2]
    run(step(tmp_path))
    # once all were done, what is not known of any more was lost
    [records] = [
        path for path in made.folder.glob("*.done") if path.stat().st_size == 3 * RECORD.itemsize
    ]
    records.unlink()
    for _ in range(2):
        assert [(found.index, found.reason) for found in verify_blocks(tmp_path)] == [
            (n, "was not done") for n in (2, 5, 7)
        ]
    run(step(tmp_path))
    assert verify_blocks(tmp_path) == []


def test_an_array_that_is_gone(tmp_path) -> None:
    made = step(tmp_path)
    run(made)
    shutil.rmtree(made.container / "out")
    assert len(verify_blocks(tmp_path)) == 24
    assert list(steps(tmp_path)) == [made.folder]
    run(step(tmp_path))
    check(made)


def test_nothing_is_verified_while_it_is_written(tmp_path) -> None:
    made = step(tmp_path)
    run(made)
    with (
        exclusive(made.container),
        pytest.raises(RuntimeError, match="is being written by process"),
    ):
        verify_blocks(tmp_path)


def test_results_that_are_linked_or_hidden_are_seen(tmp_path) -> None:
    """A result may lie on another disk, and a volume's name may begin with a dot."""
    made = step(tmp_path / "disk" / ".hidden")
    run(made)
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "prediction").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "round").symlink_to(runs)
    [found] = status(runs)
    assert found.done == found.blocks == 24
    for index in range(24):
        chunk(made, index).unlink()
    assert len(verify_blocks(runs)) == 24


def test_verify_tells_the_next_run_of_a_writer_that_was_killed(tmp_path) -> None:
    made = step(tmp_path)
    run(made)
    with exclusive(made.container):
        lock = made.container.with_name(f"{made.container.name}.lock")
        there = json.loads(lock.read_text())
    # as it lies there when its process is gone
    lock.write_text(json.dumps({**there, "pid": 2**22 + 1}))
    verify_blocks(tmp_path)
    assert (made.container / "blocks" / ".torn").exists()


def test_what_a_person_edited_is_told_and_stays(tmp_path) -> None:
    """Also beside a block that is lost, and after that is there again."""
    made = step(tmp_path)
    run(made)
    array, write = open_array(made.container, "out", writable=True), made.grid.block(7).write
    proofread = array.read(write) + np.uint64(1)
    array.write(proofread, write)
    _lose(made)
    told = []
    assert [found.index for found in verify_blocks(tmp_path, progress=told.append)] == [2]
    assert "22 of 24 blocks are there and intact, 1 is others since somebody changed out" in told[0]
    assert verify_blocks(tmp_path, progress=told.append) != []
    for _ in range(2):
        run(step(tmp_path))
        assert verify_blocks(tmp_path, progress=told.append) == []
        assert told[-1].endswith(f"delete {made.folder} to make it anew")
        np.testing.assert_array_equal(array.read(write), proofread)
    # what is made of other settings does not take its place
    with pytest.raises(ValueError, match="out was changed since this program wrote it"):
        prepare(step(tmp_path, context=(0, 0, 0)))


@pytest.mark.parametrize("error", [PermissionError(13, "no"), MemoryError(), OSError(24, "files")])
def test_what_cannot_be_read_from_here_is_no_damage(tmp_path, monkeypatch, error) -> None:
    made = step(tmp_path)
    run(made)
    with monkeypatch.context() as patch:

        def fails(*_):
            raise error

        patch.setattr(ZarrArray, "read", fails)
        with pytest.raises((ValueError, OSError, MemoryError)):
            verify_blocks(tmp_path)
    assert verify_blocks(tmp_path) == []
    assert len(read_ledger(made.folder)) == 24


def test_chunks_are_not_gone_through_for_steps(tmp_path, monkeypatch) -> None:
    made, listed, real = step(tmp_path), [], os.scandir
    run(made)
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(str(path)) or real(path))
    assert list(steps(tmp_path)) == [made.folder]
    array = str(made.container / "out" / "0")
    assert [path for path in listed if path.startswith(array)] == [array]
