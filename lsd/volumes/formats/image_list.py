"""Lists of 2D images: each image, and each mask, is a section, read from its own file when it is
wanted.

Sections are as large as the largest image; beyond an image there is 0, and `image_sizes` says where
that begins.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.spec.formats import ImageList
from lsd.spec.images import IMAGES, MASKS
from lsd.volumes.formats.format import (
    Chunk,
    FileArray,
    FileFormat,
    Slices,
    Unreadable,
    stamps,
    without_indexed,
)
from lsd.volumes.images.listing import HEAD, Row, read_list, rows_of
from lsd.volumes.images.picture import read_header, read_mask, read_picture
from lsd.volumes.metadata import SPACE, Statement


class ImageListFormat(FileFormat[ImageList]):
    """Arrays "images" and "masks" of all, and "train/images" and so on of a part."""

    reads = "list of images"
    suffixes = (".csv",)

    def claims(self, path: Path) -> bool:
        """Whether its first line is that of a list."""
        if path.suffix != ".csv" or not path.is_file():
            return False
        with path.open("rb") as file:
            begin = file.read(len(BOM_UTF8) + len(HEAD))
        return begin.removeprefix(BOM_UTF8).startswith(HEAD.encode())

    def names(self, path: Path) -> list[str]:
        """Of images, and of masks where there are any."""
        rows = read_list(path)
        arrays = (IMAGES, MASKS) if any(row.mask for row in rows) else (IMAGES,)
        parts = dict.fromkeys(row.part for row in rows)
        return [*arrays, *(f"{part}/{array}" for part in parts if part for array in arrays)]

    def open(self, path: Path, name: str) -> FileArray:
        """See `ImageStack`."""
        part, _, array = name.rpartition("/")
        return ImageStack(path, rows_of(path, part), of_masks=array == MASKS)


class ImageStack(FileArray):
    """Images, or masks, of a list, (z, y, x), a section each; masks are uint64."""

    def __init__(self, path: Path, rows: Sequence[Row], *, of_masks: bool) -> None:
        self.rows, self.of_masks = rows, of_masks
        files = [row.mask if of_masks else row.image for row in rows]
        without = [row.key for row, file in zip(rows, files, strict=True) if file is None]
        if without:
            raise ValueError(f"there is no mask of {without[0]!r}")
        self.pictures = [file for file in files if file is not None]
        self._sizes = np.array([(row.height, row.width) for row in rows], np.int64)
        height, width = self._sizes.max(axis=0).tolist()
        self._shape = (len(rows), height, width)
        self._dtype = np.dtype("u8") if of_masks else read_header(self.pictures[0]).dtype
        super().__init__(None, files=[path], chunks=(1, height, width))

    @property
    def shape(self) -> tuple[int, ...]:
        """Images, and pixels of the largest along y and x."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the images; masks are uint64."""
        return self._dtype

    @property
    def image_sizes(self) -> NDArray[np.int64]:
        """Of each image, pixels along y and x."""
        return self._sizes

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`, 0 beyond an image."""
        begins, ends = zip(*self.bounds(slices), strict=True)
        out = np.zeros([e - b for b, e in zip(begins, ends, strict=True)], self.dtype)
        for number, section in zip(range(begins[0], ends[0]), out, strict=True):
            part = self._picture(number)[begins[1] : ends[1], begins[2] : ends[2]]
            section[: part.shape[0], : part.shape[1]] = part
        return without_indexed(out, slices)

    def stated(self) -> Statement:
        """Sections, and no voxel size."""
        return Statement(SPACE, calibrated=False)

    def identity(self, slices: Slices) -> Iterator[bytes]:
        """Keys, and times and sizes of the files in `slices`."""
        begin, end = self.bounds(slices)[0]
        yield "\n".join(row.key for row in self.rows[begin:end]).encode()
        yield stamps([str(file) for file in self.pictures[begin:end]])

    def chunk_name(self, chunk: Chunk) -> str:
        """The file of the image."""
        return str(self.pictures[chunk[0]])

    def _picture(self, number: int) -> NDArray[np.generic]:
        file, size = self.pictures[number], tuple(self._sizes[number].tolist())
        picture = read_mask(file) if self.of_masks else read_picture(file)
        if picture.shape != size or picture.dtype != self.dtype:
            raise Unreadable(
                f"{file} is {picture.dtype} of {picture.shape[0]}x{picture.shape[1]} pixels, and "
                f"{self.dtype} of {size[0]}x{size[1]} by {os.path.basename(self.files[0])}: it was "
                f"changed since it was listed; delete the list to have it made anew"
            )
        return picture
