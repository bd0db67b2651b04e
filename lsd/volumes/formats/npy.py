"""numpy files: one array, of which nothing is known but its voxels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsd.spec.formats import Npy
from lsd.volumes.formats.format import FileArray, FileFormat, Slices

MAGIC = b"\x93NUMPY"


class NpyFormat(FileFormat[Npy]):
    """Files of one array, which has no name, read in place."""

    reads = "numpy file"
    suffixes = (".npy",)
    is_single = True

    def claims(self, path: Path) -> bool:
        """Whether the file begins with the bytes that mark one array of numpy."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC

    def open(self, path: Path, name: str) -> FileArray:
        """See `NpyArray`.  ValueError for one that is cut off, or that holds Python objects."""
        return NpyArray(path)


class NpyArray(FileArray):
    """A map of a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(np.load(path, mmap_mode="r", allow_pickle=False), files=[path])
        self._path, self._size = path, path.stat().st_size

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`."""
        # what is read of a map beyond the end of its file ends the process
        if self._path.stat().st_size < self._size:
            raise ValueError("it was cut off, or written anew, since it was opened")
        return super().read(slices)
