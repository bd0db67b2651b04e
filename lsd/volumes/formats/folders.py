"""Formats whose containers are folders of folders: an array is a folder, its chunks are files."""

from __future__ import annotations

import json
import os
import re
from abc import abstractmethod
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.volumes.attributes import completed, from_attributes
from lsd.volumes.formats import groups
from lsd.volumes.formats.chunk_files import ROW, stamps_of
from lsd.volumes.formats.format import (
    Chunk,
    FileArray,
    FileFormat,
    FormatSpec,
    Slices,
    without_indexed,
)
from lsd.volumes.formats.ngff import around, finest, levels, others
from lsd.volumes.metadata import Statement, join_statements

_LEVEL = re.compile(r"s?\d+")


class FolderFormat(FileFormat[FormatSpec]):
    """Arrays are folders, which may lie in folders that say how they belong together."""

    @abstractmethod
    def is_array(self, folder: Path) -> bool:
        """Whether a folder, which may not exist, is an array."""

    def names(self, path: Path) -> list[str]:
        """Of all arrays in the folder; an image with its levels is one."""
        names = []
        for folder, below, _ in os.walk(path):
            if self.is_array(Path(folder)):
                names.append(_name(path, Path(folder)))
                below.clear()
        return names

    def find(self, path: Path, name: str) -> str | None:
        """The name of an array; of a multiscale group that of its finest array."""
        name = name.strip("/")
        if ".." in Path(name).parts:
            return None
        if self.is_array(path / name):
            return name
        below = finest(path / name)
        if below:
            return self.find(path, "/".join(part for part in (name, below) if part))
        # where the group lost its metadata, or never had any, those of the array may do
        finest_of_all = (f"{name}/{level}" for level in ("0", "s0") if name)
        return next((level for level in finest_of_all if self.is_array(path / level)), None)

    def levels(self, path: Path, name: str) -> list[str]:
        """Of the image that it is a level of, the others, where they lie in the folder too."""
        levels_of = others(path / name)
        return [_within(path, level) for level in levels_of if level.is_relative_to(path)]

    def title(self, path: Path, name: str) -> str:
        """Level 0 goes by the name of its image."""
        return super().title(path, name.removesuffix("/0"))


def stated_of(folder: Path, attributes: groups.Json, name: str, dims: int) -> Statement:
    """What the attributes of an array of `dims` axes, and the groups around it, say; name: of the
    array in its container."""
    return completed(
        join_statements(from_attributes(attributes, dims), around(folder)),
        [groups.attributes(group) for group in groups.around(folder)],
        name,
        dims,
    )


class Described(NamedTuple):
    """What describes an array, beside its voxels."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class FolderArray(FileArray):
    """An array whose files are decoded here, for reading.

    folder: of the array; name: in its container
    fill:   of what was never written
    attrs:  as `lsd.volumes.attributes` reads them, one entry an axis in the order of `shape`
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        described: Described,
        *,
        chunks: tuple[int, ...],
        attrs: groups.Json,
        fill: Any = 0,
    ) -> None:
        super().__init__(described, files=(), chunks=chunks, attrs=attrs)
        self.folder, self.name, self._fill = folder, name, fill

    @abstractmethod
    def encoding_fields(self) -> groups.Json:
        """What its voxels follow from, beside its files: as it is described, but for what is said
        about it."""

    @abstractmethod
    def file_of(self, index: Chunk) -> Path:
        """A file, by its index among the files of the array."""

    @abstractmethod
    def decoded(self, ranges: list[range]) -> Iterator[tuple[Chunk, NDArray[Any]]]:
        """The chunks in ranges of indices that are on disk, each whole, or as far as the array
        goes."""

    @property
    def file_shape(self) -> tuple[int, ...]:
        """Voxels that a file is for."""
        assert self.chunks is not None
        return self.chunks

    @property
    def fill(self) -> Any:
        """As it is described."""
        return self._fill

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`; what was never written holds the fill value."""
        assert self.chunks is not None
        bounds = self.bounds(slices)
        data = np.full([max(end - begin, 0) for begin, end in bounds], self._fill, self.dtype)
        for index, chunk in self.decoded(self.chunk_ranges(slices)):
            source, target = [], []
            for i, size, (begin, end) in zip(index, self.chunks, bounds, strict=True):
                first, last = max(begin, i * size), min(end, (i + 1) * size)
                source.append(slice(first - i * size, last - i * size))
                target.append(slice(first - begin, last - begin))
            data[tuple(target)] = chunk[tuple(source)]
        return without_indexed(data, slices)

    def stated(self) -> Statement:
        """What its attributes, and the groups around it, say."""
        return stated_of(self.folder, self.attrs, self.name, len(self.shape))

    def identity(self, slices: Slices) -> Iterator[bytes]:
        """How it is encoded, then size and time of each file; one that is not there counts as
        well."""
        yield json.dumps(self.encoding_fields(), sort_keys=True).encode()
        yield from stamps_of(self._rows(slices))

    def _rows(self, slices: Slices) -> Iterator[list[str]]:
        bounds = zip(self.bounds(slices), self.file_shape, strict=True)
        row: list[str] = []
        for index in product(*(range(b // size, -(-e // size)) for (b, e), size in bounds)):
            row.append(str(self.file_of(index)))
            if len(row) == ROW:
                yield row
                row = []
        if row:
            yield row


def _name(path: Path, array: Path) -> str:
    """What an array of a folder is called: a level of an image by the image's name."""
    is_level = array != path and _LEVEL.fullmatch(array.name) and array.name in levels(array.parent)
    return _within(path, array.parent if is_level else array)


def _within(path: Path, array: Path) -> str:
    return array.relative_to(path).as_posix().removeprefix(".")
