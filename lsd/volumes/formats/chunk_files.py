"""Chunks that are files: which of them are there, and when they were written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from lsd.volumes.formats.format import Chunk, stamps

# files that one thread looks at in one go
ROW = 4096
# to look at a file is to wait, on a network more than on a disk of this machine
_THREADS = 8


def indices_of_files(folder: Path, axes: int, separator: str) -> Iterator[Chunk]:
    """Indices of chunk files, by their names, as 0/1/2 or 0.1.2 in the folder."""
    if separator == "/" and axes > 1:
        for name in _numbers(folder):
            below = indices_of_files(folder / str(name), axes - 1, separator)
            yield from ((name, *rest) for rest in below)
        return
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            parts = entry.name.split(".")
            if len(parts) == axes and all(part.isdigit() for part in parts) and entry.is_file():
                yield tuple(map(int, parts))


def content(file: Path) -> bytes | None:
    """What a file holds; None where there is none."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def stamps_of(rows: Iterable[list[str]]) -> Iterator[bytes]:
    """Time and size of files, which come in rows of at most ROW; -1 of one that is not there."""
    with ThreadPoolExecutor(_THREADS) as pool:
        # in rounds, so that what waits stays small however many chunks there are
        remaining = iter(rows)
        while ahead := list(islice(remaining, 4 * _THREADS)):
            yield from pool.map(stamps, ahead)


def _numbers(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]
