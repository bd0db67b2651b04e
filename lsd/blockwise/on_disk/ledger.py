"""What is known of the blocks of a step: which are done, with which digest, and the rows they gave.

    <folder>/step.json         the step, see `step`
    <folder>/<writer>.done     records of 40 bytes, one for each block that is done
    <folder>/<writer>.rows     the rows of these blocks, one after another; a record says where
    <folder>/<writer>.failed   what went wrong, a line of JSON each
    <folder>/whole             all blocks were done once: what is not there now was lost, what is
                               another was edited

Every worker appends to files of its own, so nothing is locked, nothing is served, and a million
blocks are as many files as there were workers.  Rows are written before the record that points to
them: a killed worker leaves at most a tail that no record names.  A record with a wrong checksum of
its own is none: its block is done again.  A block that was done twice has two records, equal but
for their place; either will do.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.failures import Failure
from lsd.blockwise.on_disk.output import Output
from lsd.system.atomic import replacing, write_text

RECORD = np.dtype(
    [
        ("index", "<u8"),
        ("digest", "<u8"),
        ("begin", "<u8"),
        ("count", "<u8"),
        ("seconds", "<f4"),
        ("check", "<u4"),
    ]
)
# one for each 4 bytes before the checksum
_ODD = np.arange(1, 2 * (RECORD.itemsize // 4 - 1), 2, dtype=np.uint64) * np.uint64(
    0x9E3779B97F4A7C15
)

# kept free for what went wrong, so that it can be said where the disk is full
_FAILURE_BYTES = 1 << 14


class Journal:
    """What one worker writes.  Not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._done: IO[bytes] | None = None
        self._rows: IO[bytes] | None = None
        self._name = ""
        self._said = 0
        self.failures: list[Failure] = []
        self._failed = self._reserve()

    def append(self, index: int, *, digest: int, rows: NDArray[Any] | None, seconds: float) -> None:
        """Notes that a block is done: its rows first, then its record."""
        if self._done is None:
            self._name = _unique()
            self._done = (self.folder / f"{self._name}.done").open("ab", buffering=0)
        try:
            begin = self._append_rows(rows) if rows is not None and len(rows) else 0
            record = np.array(
                [(index, digest, begin, 0 if rows is None else len(rows), seconds, 0)], RECORD
            )
            record["check"] = _check(record)
            _write_all(self._done, record.tobytes())
        except OSError:
            # a torn record or row would shift all that follow: the next ones go to new files
            self._close()
            raise

    def fail(self, failure: Failure) -> None:
        """Notes what went wrong; what cannot be written is cut or lost, never raised."""
        self.failures.append(failure)
        line = json.dumps(failure.__dict__)
        if len(line) > _FAILURE_BYTES // 2:
            line = json.dumps({**failure.__dict__, "trace": failure.trace[-_FAILURE_BYTES // 4 :]})
        with suppress(OSError):
            self._failed.seek(self._said)
            self._said += _write_all(self._failed, line.encode() + b"\n")

    def close(self) -> None:
        """Leaves only files that say something."""
        self._close()
        with suppress(OSError):
            self._failed.truncate(self._said)
            self._failed.close()
            if not self._said:
                Path(self._failed.name).unlink()

    def _append_rows(self, rows: NDArray[Any]) -> int:
        if self._rows is None:
            self._rows = (self.folder / f"{self._name}.rows").open("ab", buffering=0)
        begin = self._rows.seek(0, os.SEEK_END)
        _write_all(self._rows, rows.tobytes())
        return begin // rows.dtype.itemsize

    def _reserve(self) -> IO[bytes]:
        file = (self.folder / f"{_unique()}.failed").open("w+b", buffering=0)
        with suppress(OSError):
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, _FAILURE_BYTES)
            else:  # macOS
                file.write(bytes(_FAILURE_BYTES))
                file.seek(0)
        return file

    def _close(self) -> None:
        for file in (self._done, self._rows):
            if file is not None:
                with suppress(OSError):
                    file.close()
        self._done = self._rows = None


@dataclass(frozen=True, eq=False)
class Ledger:
    """The blocks that are done, in ascending order of their index.

    records: RECORD, one a block; files: which of `names` each stands in
    """

    folder: Path
    records: NDArray[Any]
    files: NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def done(self) -> NDArray[np.uint64]:
        """Indices of the blocks that are done."""
        return np.asarray(self.records["index"])

    def missing(self, count: int) -> NDArray[np.uint64]:
        """Indices below `count` of the blocks that are not done."""
        is_done = np.zeros(count, dtype=bool)
        is_done[self.done[self.done < count]] = True
        return np.flatnonzero(~is_done).astype(np.uint64)

    def rows(
        self, dtype: np.dtype[Any], *, most: int = 1 << 20, alone: bool = False
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """All rows, in pieces of at most about `most`: (records of the piece, their rows one block
        after another).

        Pieces come file by file as they were written, so that disks read forward.  alone: rows are
        all that blocks gave, so that their digests tell what is damaged.  Raises ValueError naming
        a file that is missing, too short or damaged.
        """
        order = np.lexsort((self.records["begin"], self.files))
        order = order[self.records["count"][order] > 0]
        bounds = np.searchsorted(self.files[order], np.arange(len(self.names) + 1))
        for number, name in enumerate(self.names):
            for piece in _pieces(self.records[order[bounds[number] : bounds[number + 1]]], most):
                rows = self._read(name, piece, dtype)
                if alone:
                    self._check(name, piece, rows)
                yield piece, rows

    def block_rows(
        self, index: int, dtype: np.dtype[Any], *, part: slice | None = None
    ) -> NDArray[Any]:
        """The rows of one block, or `part` of them alone.  KeyError if it is not done."""
        place = int(np.searchsorted(self.done, np.uint64(index)))
        if place == len(self) or self.done[place] != index:
            raise KeyError(f"block {index} of {self.folder} is not done")
        record = self.records[place : place + 1].copy()
        begin, end, _ = (part or slice(None)).indices(int(record["count"][0]))
        record["begin"], record["count"] = record["begin"] + np.uint64(begin), end - begin
        if not record["count"][0]:
            return np.empty(0, dtype)
        return self._read(self.names[self.files[place]], record, dtype)

    def _check(self, name: str, piece: NDArray[Any], rows: NDArray[Any]) -> None:
        ends = np.cumsum(piece["count"].astype(np.int64))
        for record, end in zip(piece, ends, strict=True):
            if Output(rows=rows[end - int(record["count"]) : end]).digest() != record["digest"]:
                path = self.folder / f"{name}.rows"
                raise ValueError(
                    f"{path} is damaged: block {record['index']}; verify the run, and run the step "
                    f"again"
                )

    def _read(self, name: str, piece: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        path = self.folder / f"{name}.rows"
        begins, counts = piece["begin"].astype(np.int64), piece["count"].astype(np.int64)
        begin, end = int(begins[0]), int(begins[-1] + counts[-1])
        try:
            rows = np.fromfile(path, dtype=dtype, count=end - begin, offset=begin * dtype.itemsize)
        except OSError as error:
            raise ValueError(
                f"{path} cannot be read ({error}); verify the run, and run the step again"
            ) from error
        if len(rows) != end - begin:
            raise ValueError(
                f"{path} is too short: {end} rows are noted; verify the run, and run the step again"
            )
        # what lies between is of blocks that are not done, or done elsewhere too
        return (
            rows
            if counts.sum() == len(rows)
            else rows[np.repeat(begins - begin, counts) + _within(counts)]
        )


def note_whole(folder: Path, arrays: Mapping[str, str]) -> None:
    """Notes that all blocks of a step are done; arrays: names, and what tells their content from
    another."""
    write_text(folder / "whole", json.dumps(dict(arrays)), many_writers=False, durable=False)


def was_whole(folder: Path) -> bool:
    """Whether all blocks of a step were done once."""
    return (folder / "whole").exists()


def noted_arrays(folder: Path) -> dict[str, str]:
    """What was noted of the arrays when all blocks were done; nothing where an earlier version
    noted it."""
    with suppress(OSError, ValueError):
        content = json.loads((folder / "whole").read_bytes())
        return content if isinstance(content, dict) else {}
    return {}


def read_ledger(folder: Path) -> Ledger:
    """The blocks that are done; a record that is torn or damaged is none.  Memory: about 150 bytes
    a block."""
    names = tuple(sorted(path.stem for path in folder.glob("*.done")))
    by_file = [_records(folder / f"{name}.done") for name in names]
    records = np.concatenate([np.empty(0, RECORD), *by_file])
    files = np.repeat(np.arange(len(names), dtype=np.int32), list(map(len, by_file)))
    _, first = np.unique(records["index"], return_index=True)
    return Ledger(folder, records[first], files[first], names)


def rewrite(ledger: Ledger, kept: NDArray[np.bool_]) -> None:
    """Leaves only the records that `kept` marks, file by file, each whole or not at all.  No worker
    may be at work."""
    for number, name in enumerate(ledger.names):
        with replacing(ledger.folder / f"{name}.done") as staged:
            staged.write_bytes(ledger.records[(ledger.files == number) & kept].tobytes())


def _records(path: Path) -> NDArray[Any]:
    content = path.read_bytes()
    records = np.frombuffer(content, RECORD, count=len(content) // RECORD.itemsize)
    intact = records["check"] == _check(records)
    return records if intact.all() else records[intact]


def _check(records: NDArray[Any]) -> NDArray[np.uint32]:
    """A checksum of each record's other fields; that of zeros is not 0."""
    words = np.ascontiguousarray(records).view("<u4").reshape(-1, RECORD.itemsize // 4)[:, :-1]
    return np.asarray((np.einsum("rw,w->r", words, _ODD) + _ODD[0]) >> np.uint64(32)).astype(
        np.uint32
    )


def _pieces(records: NDArray[Any], most: int) -> Iterator[NDArray[Any]]:
    """Runs of records of at most about `most` rows each."""
    if len(records):
        number = (np.cumsum(records["count"]) - records["count"]) // np.uint64(most)
        yield from np.split(records, np.flatnonzero(np.diff(number)) + 1)


def _within(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 .. n - 1 for each of `counts`, one after another."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1])) - np.repeat(ends - counts, counts)


def _write_all(file: IO[bytes], data: bytes) -> int:
    view, written = memoryview(data), 0
    while written < len(data):
        written += file.write(view[written:])
    return written


def _unique() -> str:
    now, odd = time.strftime("%Y%m%d-%H%M%S"), uuid.uuid4().hex[:8]
    return f"{now}-{socket.gethostname()}-{os.getpid()}-{odd}"
