"""The ledger: what any number of writers noted is there once, whatever was cut off, damaged or done
twice."""

import os
import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsd.blockwise.on_disk import ledger as ledger_module
from lsd.blockwise.on_disk.failures import Failure, Failures, clear_failures, read_failures
from lsd.blockwise.on_disk.ledger import RECORD, Journal, read_ledger, rewrite

ROWS = np.dtype([("value", "<u8"), ("weight", "<f4")])


def rows_of(index):
    """Of a block: 0 to 4, and none in every seventh."""
    rows = np.zeros(0 if index % 7 == 0 else index % 5, ROWS)
    rows["value"], rows["weight"] = index * 1000 + np.arange(len(rows)), index / 3
    return rows


def append(journal, index) -> None:
    rows = rows_of(index)
    journal.append(
        index, digest=2**63 + index, rows=None if index % 7 == 0 else rows, seconds=0.5 * index
    )


def written(folder, *writers):
    """A journal for each list of blocks."""
    for indices in writers:
        journal = Journal(folder)
        for index in indices:
            append(journal, index)
        journal.close()


def check(folder, indices) -> None:
    """Exactly these blocks are done, with what they gave."""
    ledger = read_ledger(folder)
    assert ledger.done.tolist() == sorted(set(indices))
    assert ledger.records["digest"].tolist() == [2**63 + index for index in sorted(set(indices))]
    for index in indices:
        np.testing.assert_array_equal(ledger.block_rows(index, ROWS), rows_of(index))
    found = [np.empty(0, ROWS), *(rows for _, rows in ledger.rows(ROWS))]
    expected = [np.empty(0, ROWS), *(rows_of(index) for index in sorted(set(indices)))]
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.sort(np.concatenate(expected)))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A fresh folder for each example."""
    return lambda: tmp_path_factory.mktemp("step")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), max_size=15), max_size=5))
def test_many_writers_and_blocks_done_twice(folders, writers) -> None:
    folder, done = folders(), {index for indices in writers for index in indices}
    written(folder, *writers)
    check(folder, sorted(done))
    ledger = read_ledger(folder)
    assert ledger.missing(41).tolist() == sorted(set(range(41)) - done)
    assert ledger.missing(10).tolist() == sorted(set(range(10)) - done), (
        "of fewer blocks than are noted"
    )
    with pytest.raises(KeyError, match="block 41"):
        ledger.block_rows(41, ROWS)


def test_nothing_yet(tmp_path) -> None:
    Journal(tmp_path).close()
    assert list(tmp_path.iterdir()) == []
    assert len(read_ledger(tmp_path)) == len(read_ledger(tmp_path / "nowhere")) == 0
    assert list(read_ledger(tmp_path).rows(ROWS)) == []


@pytest.mark.parametrize("left", [1, 8, RECORD.itemsize - 1])
def test_a_torn_record(tmp_path, left) -> None:
    written(tmp_path, [4, 9, 2])
    [file] = tmp_path.glob("*.done")
    os.truncate(file, 2 * RECORD.itemsize + left)
    check(tmp_path, [4, 9])
    written(tmp_path, [2, 3])
    check(tmp_path, [2, 3, 4, 9])


@pytest.mark.parametrize("tail", [b"torn", bytes(8), bytes(ROWS.itemsize * 3 + 5)])
def test_rows_that_no_record_names(tmp_path, tail) -> None:
    written(tmp_path, [4, 9, 2])
    [file] = tmp_path.glob("*.rows")
    file.write_bytes(file.read_bytes() + tail)
    check(tmp_path, [2, 4, 9])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2), st.integers(0, RECORD.itemsize * 8 - 1))
def test_a_flipped_bit_is_no_other_block(folders, place, bit) -> None:
    folder, indices = folders(), [4, 9, 2]
    written(folder, indices)
    [file] = folder.glob("*.done")
    damaged = bytearray(file.read_bytes())
    damaged[place * RECORD.itemsize + bit // 8] ^= 1 << bit % 8
    file.write_bytes(damaged)
    check(folder, [index for index in indices if index != indices[place]])


def test_what_a_machine_that_lost_power_may_leave(tmp_path) -> None:
    written(tmp_path, [4, 9])
    [file] = tmp_path.glob("*.done")
    file.write_bytes(file.read_bytes() + bytes(3 * RECORD.itemsize))
    check(tmp_path, [4, 9])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 30))
def test_rows_in_pieces(folders, indices, most) -> None:
    folder = folders()
    written(folder, indices[::2], indices[1::2])
    ledger = read_ledger(folder)
    for records, rows in ledger.rows(ROWS, most=most):
        assert len(rows) == records["count"].sum() < most + 5
        assert rows["value"].tolist() == [
            value for index in records["index"] for value in rows_of(int(index))["value"]
        ]
    pieces = sum(1 for _ in ledger.rows(ROWS, most=most))
    total = int(ledger.records["count"].sum())
    assert pieces <= total // most + 2 * len(ledger.names)


def test_rows_that_are_missing_or_too_short(tmp_path) -> None:
    written(tmp_path, [4, 9], [2, 8])
    file = max(tmp_path.glob("*.rows"))
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(ValueError, match=rf"{file.name} is too short: \d+ rows are noted"):
        list(read_ledger(tmp_path).rows(ROWS))
    file.unlink()
    with pytest.raises(ValueError, match=rf"{file.name} cannot be read"):
        list(read_ledger(tmp_path).rows(ROWS))
    ledger = read_ledger(tmp_path)
    lost = [
        index
        for index, number in zip((2, 4, 8, 9), ledger.files, strict=True)
        if ledger.names[number] == file.stem
    ]
    with pytest.raises(ValueError, match=file.name):
        ledger.block_rows(lost[0], ROWS)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=3), st.sets(st.integers(0, 30)))
def test_rewrite_leaves_what_is_kept(folders, writers, dropped) -> None:
    folder, done = folders(), {index for indices in writers for index in indices}
    written(folder, *writers)
    ledger = read_ledger(folder)
    rewrite(ledger, ~np.isin(ledger.done, list(dropped)))
    check(folder, sorted(done - dropped))
    assert not list(folder.glob("*.partial"))
    written(folder, sorted(done & dropped))
    check(folder, sorted(done))


def test_failures_are_told_whole_and_cut_where_they_are_long(tmp_path) -> None:
    journal = Journal(tmp_path)
    said = [
        Failure(3, "an error", "a trace\n"),
        Failure(None, "no start\n", "", fatal=True),
        Failure(5, "long", "x" * 10**5),
    ]
    watched = Failures(tmp_path)
    for count, failure in enumerate(said, start=1):
        journal.fail(failure)
        assert len(read_failures(tmp_path)) == len(watched.all()) == count, "while the file is open"
    journal.close()
    assert read_failures(tmp_path)[:2] == said[:2]
    assert 1000 < len(read_failures(tmp_path)[2].trace) < 10**4
    assert [path.suffix for path in tmp_path.iterdir()] == [".failed"]
    clear_failures(tmp_path)
    assert read_failures(tmp_path) == []


def test_failures_within_one_step_of_a_file_systems_clock_are_seen(tmp_path) -> None:
    journal, watched = Journal(tmp_path), Failures(tmp_path)
    [file] = tmp_path.iterdir()
    at = file.stat().st_mtime_ns
    for count in range(3):
        os.utime(file, ns=(at, at))
        assert len(watched.all()) == count
        journal.fail(Failure(count, "no space left", "", fatal=True))
    journal.close()


def test_room_for_what_goes_wrong_is_taken_at_once_on_any_system(tmp_path, monkeypatch) -> None:
    # macOS has no such function
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    journal = Journal(tmp_path)
    [reserved] = tmp_path.iterdir()
    # allocated, not a hole that a full disk could not fill any more
    assert reserved.stat().st_blocks * 512 >= 1 << 14
    assert read_failures(tmp_path) == []
    journal.fail(Failure(3, "an error", "a trace\n"))
    assert read_failures(tmp_path) == [Failure(3, "an error", "a trace\n")]
    journal.close()


def test_a_record_is_written_after_its_rows(tmp_path, monkeypatch) -> None:
    """A worker that is killed in between leaves rows without a record, never a record without
    rows."""
    files = []

    def write_all(file, data) -> int:
        files.append(Path(file.name).suffix)
        return file.write(data)

    monkeypatch.setattr(ledger_module, "_write_all", write_all)
    written(tmp_path, [4, 9])
    assert files == [".rows", ".done", ".rows", ".done"]


@pytest.fixture
def little_room():
    """A function that lets no file grow beyond so many bytes, as a full disk does: writes stop in
    the middle of a record."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [50, 95, 110, 400])
def test_a_full_disk(tmp_path, little_room, room) -> None:
    journal, done = Journal(tmp_path), []

    def fill() -> None:
        for index in range(1, 100):
            append(journal, index)
            done.append(index)

    little_room(room)
    with pytest.raises(OSError, match="File too large"):
        fill()
    journal.fail(Failure(len(done) + 1, "full", ""))
    little_room(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    check(tmp_path, done)
    # room was made: the same worker goes on
    for index in range(len(done) + 1, 100):
        append(journal, index)
    journal.close()
    check(tmp_path, range(1, 100))


def test_room_for_failures_where_files_cannot_be_allocated(tmp_path, monkeypatch) -> None:
    """On macOS."""
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    journal = Journal(tmp_path)
    assert next(tmp_path.glob("*.failed")).stat().st_size == 1 << 14
    failures = [Failure(index, f"an elephant in block {index}", "no trace") for index in range(3)]
    for failure in failures:
        journal.fail(failure)
        assert read_failures(tmp_path)[-1] == failure
    journal.close()
    assert read_failures(tmp_path) == failures
    Journal(tmp_path / "none").close()
    assert list((tmp_path / "none").iterdir()) == []
