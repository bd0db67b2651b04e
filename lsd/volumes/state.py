"""What tells the content of an array on disk from another, without reading a voxel: it notices
edits in place.

A zarr array is its metadata, and the size and the time of the last change of each chunk that is
asked for; a chunk that is not there counts as well.  HDF5 and TIFF files are their own size and
time, and those of the files that they take voxels from.  To look at a chunk takes microseconds on a
disk of this machine, and on a network as long as its server takes to answer; where that is too
long, or nothing is known of times, a revision that the user names stands for the content
(`Volume.revision`).
"""

from __future__ import annotations

import hashlib
import os
from array import array as numbers
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from lsd.volumes.source import Slices, Source

# to look at a file is to wait, on a network more than here
_THREADS = 8
# files that one thread looks at in one go
_ROW = 4096


def content(source: Source, slices: Slices) -> str:
    """A name for what `slices` of an array hold: another one where something was written there
    since."""
    digest = hashlib.blake2b(digest_size=16)
    if source.kind != "zarr":
        digest.update(_stamps(source.files))
        return digest.hexdigest()
    digest.update((source.path / source.name / ".zarray").read_bytes())
    with ThreadPoolExecutor(_THREADS) as pool:
        # in rounds, so that what waits stays small however many chunks there are
        rows = iter(_rows(source, slices))
        while ahead := [row for _, row in zip(range(4 * _THREADS), rows, strict=False)]:
            for stamps in pool.map(_stamps, ahead):
                digest.update(stamps)
    return digest.hexdigest()


def _rows(source: Source, slices: Slices) -> Iterator[list[str]]:
    """Files of the chunks, some thousand at once, in the order of their indices."""
    folder = os.path.join(source.path, source.name)
    separator = source.separator
    *outer, inner = source.chunk_ranges(slices)
    row: list[str] = []
    for indices in product(*outer):
        begin = separator.join(map(str, indices)) + separator if indices else ""
        row += [f"{folder}/{begin}{index}" for index in inner]
        if len(row) >= _ROW:
            yield from (row[at : at + _ROW] for at in range(0, len(row), _ROW))
            row = []
    if row:
        yield row


def _stamps(files: Sequence[str]) -> bytes:
    """Time and size of each file; -1 where there is none."""
    found = numbers("q")
    for file in files:
        try:
            seen = os.stat(file)
        except (FileNotFoundError, NotADirectoryError):
            found.extend((-1, -1))
        else:
            found.extend((seen.st_mtime_ns, seen.st_size))
    return found.tobytes()


def place(path: Path, name: str) -> str:
    """Where an array lies, as messages say it: level 0 of an image by the image's name."""
    return f"{path}:{name.removesuffix('/0')}" if name else str(path)
