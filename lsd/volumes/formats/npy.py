"""numpy files: one array, of which nothing is known but its voxels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lsd.spec.formats import Npy
from lsd.volumes.formats.format import FileArray, FileFormat

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
        """A map of the file.  ValueError for one that is cut off, or that holds Python objects."""
        return FileArray(np.load(path, mmap_mode="r", allow_pickle=False), files=[path])
