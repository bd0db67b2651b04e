"""zarr v2 folders: the format that is written, and read with all that OME-Zarr says of it."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.spec.formats import Zarr2
from lsd.volumes.attributes import completed, from_attributes
from lsd.volumes.formats.format import Chunk, FileArray, FileFormat, Slices, Unreadable, stamps
from lsd.volumes.formats.ngff import around, finest, levels, others
from lsd.volumes.formats.zarr2_checked import groups_around, open_zarr
from lsd.volumes.metadata import Statement, join_statements
from lsd.volumes.metadata_values import json_object

_LEVEL = re.compile(r"s?\d+")
_BLOSC_SIZE = slice(12, 16)
# to look at a file is to wait, on a network more than on a disk of this machine
_THREADS = 8
# files that one thread looks at in one go
_ROW = 4096


class ZarrFormat(FileFormat[Zarr2]):
    """Folders with a .zgroup or a .zarray."""

    reads = "zarr v2 folder"
    suffixes = (".zarr",)

    def claims(self, path: Path) -> bool:
        """Whether the folder has the files that mark a zarr group or array."""
        return path.is_dir() and any((path / name).exists() for name in (".zgroup", ".zarray"))

    def names(self, path: Path) -> list[str]:
        """Of all arrays in the folder; an image with its levels is one."""
        names = []
        for folder, below, files in os.walk(path):
            if ".zarray" in files:
                names.append(_name(path, Path(folder)))
                below.clear()
        return names

    def find(self, path: Path, name: str) -> str | None:
        """The name of an array; of a multiscale group that of its finest array."""
        name = name.strip("/")
        if ".." in Path(name).parts:
            return None
        if (path / name / ".zarray").exists():
            return name
        below = finest(path / name)
        if below:
            return self.find(path, "/".join(part for part in (name, below) if part))
        # where the group lost its metadata, those of the array may do
        return f"{name}/0" if name and (path / name / "0" / ".zarray").exists() else None

    def levels(self, path: Path, name: str) -> list[str]:
        """Of the image that it is a level of, the others, where they lie in the folder too."""
        levels_of = others(path / name)
        return [_within(path, level) for level in levels_of if level.is_relative_to(path)]

    def title(self, path: Path, name: str) -> str:
        """Level 0 goes by the name of its image."""
        return super().title(path, name.removesuffix("/0"))

    def open(self, path: Path, name: str) -> FileArray:
        """See `ZarrArray`."""
        return ZarrArray(path, name)

    def open_writable(self, path: Path, name: str) -> FileArray:
        """Each chunk is written beside its place and then renamed."""
        return ZarrArray(path, name, writable=True)


class ZarrArray(FileArray):
    """An array of a zarr folder; its chunks are files."""

    def __init__(self, path: Path, name: str, *, writable: bool = False) -> None:
        opened = open_zarr(path / name, writable=writable)
        super().__init__(opened, files=(), chunks=opened.chunks, attrs=opened.attrs)
        self.name, self.folder = name, path / name

    @property
    def separator(self) -> str:
        """What stands between the indices in the name of a chunk."""
        return self.values._dimension_separator or "."

    @property
    def fill(self) -> Any:
        """The fill value that .zarray names."""
        return self.values.fill_value

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`."""
        data: NDArray[np.generic] = self.values[slices]
        return data

    def write(self, slices: Slices, data: NDArray[np.generic]) -> None:
        """Puts `data` into `slices`."""
        self.values[slices] = data

    def delete(self, chunk: Chunk) -> None:
        """Deletes the file of a chunk."""
        self._file(chunk).unlink(missing_ok=True)

    def stated(self) -> Statement:
        """What its attributes, and the groups around it, say."""
        dims = len(self.shape)
        own_statement = from_attributes(json_object(self.folder / ".zattrs"), dims)
        return completed(
            join_statements(own_statement, around(self.folder)),
            groups_around(self.folder),
            self.name,
            dims,
        )

    def identity(self, slices: Slices) -> Iterator[bytes]:
        """Its metadata, then size and time of each chunk; one that is not there counts as well."""
        yield (self.folder / ".zarray").read_bytes()
        with ThreadPoolExecutor(_THREADS) as pool:
            # in rounds, so that what waits stays small however many chunks there are
            rows = iter(self._rows(slices))
            while ahead := [row for _, row in zip(range(4 * _THREADS), rows, strict=False)]:
                yield from pool.map(stamps, ahead)

    def check(self, slices: Slices, title: str) -> None:
        """What zarr reads without a word: chunks that are not there, cut Blosc chunks (numcodecs
        reads past the end)."""
        required = self.fill is None
        blosc = getattr(self.values.compressor, "codec_id", "") == "blosc"
        for chunk in product(*self.chunk_ranges(slices)) if required or blosc else ():
            file = self._file(chunk)
            if required and not file.exists():
                raise Unreadable(
                    f"{file} was never written: {title} is not complete; run what writes it again"
                )
            if blosc and file.exists() and _is_cut(file):
                raise Unreadable(f"{file} is truncated: copy or compute {title} again")

    def chunk_name(self, chunk: Chunk) -> str:
        """The file of the chunk."""
        return str(self._file(chunk))

    def stored_chunks(self) -> Iterator[Chunk]:
        """Indices of the chunks that have a file."""
        return _chunk_files(self.folder, len(self.values.chunks), self.separator)

    def why_empty(self, title: str) -> str:
        """Chunks that are called otherwise than .zarray says, or none at all."""
        separator = self.separator
        other = "/" if separator == "." else "."
        for index in _chunk_files(self.folder, len(self.values.chunks), other):
            is_called, wanted = other.join(map(str, index)), separator.join(map(str, index))
            return (
                f"chunks of {self.folder} are called {is_called} where its .zarray says {wanted}: "
                f'set "dimension_separator": "{other}" in it'
            )
        return f"no chunk of {self.folder} is on disk: copy or compute it again"

    def _rows(self, slices: Slices) -> Iterator[list[str]]:
        """Files of the chunks, some thousand at once, in the order of their indices."""
        folder, separator = str(self.folder), self.separator
        *outer, inner = self.chunk_ranges(slices)
        row: list[str] = []
        for indices in product(*outer):
            begin = separator.join(map(str, indices)) + separator if indices else ""
            row += [f"{folder}/{begin}{index}" for index in inner]
            if len(row) >= _ROW:
                yield from (row[at : at + _ROW] for at in range(0, len(row), _ROW))
                row = []
        if row:
            yield row

    def _file(self, chunk: Chunk) -> Path:
        key: str = self.values._chunk_key(chunk)
        return self.folder / key.removeprefix(self.values._key_prefix)


def _name(path: Path, array: Path) -> str:
    """What an array of a zarr folder is called: a level of an image by the image's name."""
    is_level = array != path and _LEVEL.fullmatch(array.name) and array.name in levels(array.parent)
    return _within(path, array.parent if is_level else array)


def _within(path: Path, array: Path) -> str:
    return array.relative_to(path).as_posix().removeprefix(".")


def _is_cut(file: Path) -> bool:
    with file.open("rb") as opened:
        header = opened.read(16)
    return len(header) < 16 or file.stat().st_size < struct.unpack("<I", header[_BLOSC_SIZE])[0]


def _chunk_files(folder: Path, axes: int, separator: str) -> Iterator[Chunk]:
    """Indices of chunk files, by their names."""
    if separator == "/" and axes > 1:
        for name in _numbers(folder):
            below = _chunk_files(folder / str(name), axes - 1, separator)
            yield from ((name, *rest) for rest in below)
        return
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            parts = entry.name.split(".")
            if len(parts) == axes and all(part.isdigit() for part in parts) and entry.is_file():
                yield tuple(map(int, parts))


def _numbers(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]
