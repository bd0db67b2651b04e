"""Formats as a user would write them: arrays of numpy in one file, and slabs of a volume in
several."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from lsd.spec import Format
from lsd.volumes.formats.format import FileArray, FileFormat, Slices, stamps


class Npz(Format):
    """Arrays of one .npz file; `<name>.resolution` beside an array is its voxel size, nm."""

    kind: Literal["npz"] = "npz"
    behaviour: ClassVar[str] = "kinds_outside.formats:NpzFormat"


class NpzFormat(FileFormat[Npz]):
    reads = "numpy archive"
    suffixes = (".npz",)

    def claims(self, path: Path) -> bool:
        return path.is_file() and path.suffix == ".npz"

    def names(self, path: Path) -> list[str]:
        with np.load(path) as file:
            return [name for name in file.files if not name.endswith(".resolution")]

    def open(self, path: Path, name: str) -> FileArray:
        with np.load(path) as file:
            attrs = {"resolution": file[f"{name}.resolution"].tolist()}
            return FileArray(file[name], files=[path], attrs=attrs)


class Slabs(Format):
    """A folder of slabs, 000.npy, 001.npy, ..., along z, all of one shape; slabs.json says the
    voxel size."""

    kind: Literal["slabs"] = "slabs"
    behaviour: ClassVar[str] = "kinds_outside.formats:SlabsFormat"


class SlabsFormat(FileFormat[Slabs]):
    reads = "folder of slabs"
    is_single = True

    def claims(self, path: Path) -> bool:
        return (path / "slabs.json").is_file()

    def open(self, path: Path, name: str) -> FileArray:
        return SlabArray(path)


class SlabArray(FileArray):
    """Each slab is a chunk; only those that are asked for are opened, and looked at."""

    def __init__(self, path: Path) -> None:
        slabs = [np.load(file, mmap_mode="r") for file in sorted(path.glob("*.npy"))]
        attrs = json.loads((path / "slabs.json").read_text())
        super().__init__(
            slabs, files=sorted(path.glob("*.npy")), chunks=slabs[0].shape, attrs=attrs
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return sum(len(slab) for slab in self.values), *self.values[0].shape[1:]

    @property
    def dtype(self) -> np.dtype:
        return self.values[0].dtype

    def read(self, slices: Slices) -> np.ndarray:
        z, *others = slices
        begin, end, _ = z.indices(self.shape[0])
        touched = self.chunk_ranges(slices)[0]
        slabs = np.concatenate([self.values[index] for index in touched])
        first = touched.start * len(self.values[0])
        return np.ascontiguousarray(slabs[(slice(begin - first, end - first), *others)])

    def identity(self, slices: Slices) -> Iterator[bytes]:
        yield stamps([self.files[index] for index in self.chunk_ranges(slices)[0]])
