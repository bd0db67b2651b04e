"""zarr v2 folders: the format that is written, and read with all that OME-Zarr says of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.spec.formats import Zarr2
from lsd.volumes.formats.chunk_files import ROW, indices_of_files, stamps_of
from lsd.volumes.formats.compressed import is_cut_blosc
from lsd.volumes.formats.folders import FolderFormat, stated_of
from lsd.volumes.formats.format import Chunk, FileArray, Slices, Unreadable
from lsd.volumes.formats.groups import is_zarr2
from lsd.volumes.formats.zarr2_checked import open_zarr
from lsd.volumes.metadata import Statement
from lsd.volumes.metadata_values import json_object


class ZarrFormat(FolderFormat[Zarr2]):
    """Folders with a .zgroup or a .zarray."""

    reads = "zarr v2 folder"
    suffixes = (".zarr",)

    def claims(self, path: Path) -> bool:
        """Whether the folder has the files that mark a zarr group or array."""
        return path.is_dir() and is_zarr2(path)

    def is_array(self, folder: Path) -> bool:
        """Whether .zarray describes it."""
        return (folder / ".zarray").exists()

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
        attributes = json_object(self.folder / ".zattrs")
        return stated_of(self.folder, attributes, self.name, len(self.shape))

    def identity(self, slices: Slices) -> Iterator[bytes]:
        """Its metadata, then size and time of each chunk; one that is not there counts as well."""
        yield (self.folder / ".zarray").read_bytes()
        yield from stamps_of(self._rows(slices))

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
        return indices_of_files(self.folder, len(self.values.chunks), self.separator)

    def why_empty(self, title: str) -> str:
        """Chunks that are called otherwise than .zarray says, or none at all."""
        separator = self.separator
        other = "/" if separator == "." else "."
        for index in indices_of_files(self.folder, len(self.values.chunks), other):
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
            if len(row) >= ROW:
                yield from (row[at : at + ROW] for at in range(0, len(row), ROW))
                row = []
        if row:
            yield row

    def _file(self, chunk: Chunk) -> Path:
        key: str = self.values._chunk_key(chunk)
        return self.folder / key.removeprefix(self.values._key_prefix)


def _is_cut(file: Path) -> bool:
    with file.open("rb") as opened:
        return is_cut_blosc(opened.read(16), file.stat().st_size)
