"""NIfTI files (.nii, .nii.gz), versions 1 and 2, as programs of medical imaging write them.

Axes are stored x first, so an array is z y x.  Rotations and origins are those of a patient in a
scanner, and are left aside.  A size of exactly 1 mm on all axes is what is written where nobody
knew it, and states nothing.

Source: nifti.nimh.nih.gov, nifti1.h and nifti2.h.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.spec.formats import Nifti
from lsd.volumes.formats.format import FileArray, FileFormat, Slices, check_map

SUFFIXES = (".nii", ".nii.gz")
DTYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8",
    1280: "u8",
}  # fmt: skip
UNITS = {0: "", 1: "m", 2: "mm", 3: "um"}
AXES = "xyz"


class _Layout(NamedTuple):
    """Where the fields of a header lie, and how each is packed."""

    size: int
    magic: tuple[int, bytes]
    dim: tuple[int, str]
    datatype: tuple[int, str]
    pixdim: tuple[int, str]
    data: tuple[int, str]
    scaling: tuple[int, str]
    units: tuple[int, str]


LAYOUTS = (
    _Layout(348, (344, b"n+1\0"), (40, "8h"), (70, "h"), (76, "8f"), (108, "f"), (112, "2f"),
            (123, "b")),
    _Layout(540, (4, b"n+2\0"), (16, "8q"), (12, "h"), (104, "8d"), (168, "q"), (176, "2d"),
            (500, "i")),
)  # fmt: skip


class NiftiFormat(FileFormat[Nifti]):
    """Files of one image, which has no name."""

    reads = "NIfTI file"
    suffixes = SUFFIXES
    is_single = True

    def claims(self, path: Path) -> bool:
        """Whether the first bytes, unzipped, are those of a header."""
        if not path.name.endswith(SUFFIXES) or not path.is_file():
            return False
        try:
            return _layout(_head(path)) is not None
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return False

    def open(self, path: Path, name: str) -> FileArray:
        """See `NiftiArray`."""
        return NiftiArray(path)


class NiftiArray(FileArray):
    """The image of a file.  One that is zipped is read into memory as a whole, when it is first
    read; gunzip what does not fit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = Header.read(path)
        super().__init__(None, files=[path], attrs=self.header.attributes())

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels, z y x."""
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values that are read: single floats where the file scales what it stores."""
        return self.header.stored if self.header.scaling is None else np.dtype("f4")

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`."""
        check_map(self._stored)
        stored = self._stored[slices]
        if self.header.scaling is None:
            return np.array(stored, self.dtype)
        slope, intercept = self.header.scaling
        return np.asarray(slope * stored.astype(np.float64) + intercept, self.dtype)

    @cached_property
    def _stored(self) -> NDArray[Any]:
        header = self.header
        if not self.path.name.endswith(".gz"):
            return np.memmap(self.path, header.packed, "r", header.data, header.shape)
        with gzip.open(self.path) as file:
            file.seek(header.data)
            content = file.read(math.prod(header.shape) * header.packed.itemsize)
        if len(content) < math.prod(header.shape) * header.packed.itemsize:
            raise ValueError("it is cut off: write or copy it again")
        return np.frombuffer(content, header.packed).reshape(header.shape)


class Header(NamedTuple):
    """What the header of a file says.

    shape:   z y x;  packed: dtype of the values on disk, with their byte order
    data:    byte of the unzipped file that is the first of the voxels
    scaling: what values are multiplied by, and what is added then; None: they are as stored
    sizes:   of a voxel, z y x;  unit: of them
    """

    shape: tuple[int, ...]
    packed: np.dtype[Any]
    data: int
    scaling: tuple[float, float] | None
    sizes: tuple[float, ...]
    unit: str

    @classmethod
    def read(cls, path: Path) -> Header:
        """Of a file.  ValueError for an image that is no volume, and for values that are none."""
        head = _head(path)
        found = _layout(head)
        if found is None:
            raise ValueError("its header is damaged")
        layout, order = found
        count, *extents = _unpacked(head, order, layout.dim)
        (code,) = _unpacked(head, order, layout.datatype)
        _, *sizes = _unpacked(head, order, layout.pixdim)
        (first,), (unit,) = (_unpacked(head, order, at) for at in (layout.data, layout.units))
        if code not in DTYPES:
            raise ValueError(
                f"its values are of NIfTI datatype {code}; those are read that are one whole "
                f"number or float: {', '.join(map(str, DTYPES))}"
            )
        if first < layout.size:
            raise ValueError(
                f"its voxels begin at byte {first:g} by its header, which is {layout.size} bytes "
                f"itself: write it again"
            )
        axes = _axes([int(n) for n in extents[: int(count)]])
        slope, intercept = _unpacked(head, order, layout.scaling)
        is_scaled = slope != 0 and math.isfinite(slope) and (slope, intercept) != (1, 0)
        return cls(
            tuple(int(n) for n in extents[:axes][::-1]),
            np.dtype(f"{order}{DTYPES[code]}"),
            int(first),
            (slope, intercept) if is_scaled else None,
            tuple(_shortest(size, layout.pixdim[1]) for size in sizes[:axes][::-1]),
            UNITS.get(int(unit) & 7, ""),
        )

    @property
    def stored(self) -> np.dtype[Any]:
        """Dtype of the values on disk, in the byte order of this machine."""
        return self.packed.newbyteorder("=")

    def attributes(self) -> Mapping[str, Any]:
        """Axes, and the size of a voxel where somebody stated it."""
        axes = {"axis_names": list(AXES[: len(self.shape)][::-1])}
        known = self.unit and not (self.unit == "mm" and set(self.sizes) == {1.0})
        if not known or not all(self.sizes):
            return axes
        return {**axes, "resolution": list(self.sizes), "units": [self.unit] * len(self.shape)}


def _head(path: Path) -> bytes:
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
        return file.read(max(layout.size for layout in LAYOUTS))


def _layout(head: bytes) -> tuple[_Layout, str] | None:
    """Which header it is, and its byte order; None: it is none."""
    for layout in LAYOUTS:
        place, magic = layout.magic
        if head[place : place + len(magic)] == magic:
            for order in "<>":
                if struct.unpack_from(f"{order}i", head)[0] == layout.size:
                    return layout, order
    return None


def _unpacked(head: bytes, order: str, field: tuple[int, str]) -> tuple[Any, ...]:
    place, packed = field
    return struct.unpack_from(f"{order}{packed}", head, place)


def _shortest(size: float, packed: str) -> float:
    """The decimal number that was meant by one in single precision, 0.004 by 0.00400000018999."""
    return abs(float(str(np.float32(size))) if packed.endswith("f") else float(size))


def _axes(extents: list[int]) -> int:
    """Axes of space: 2 or 3, and any after them of one."""
    while len(extents) > 3 and extents[-1] == 1:
        extents = extents[:-1]
    if len(extents) not in (2, 3) or min(extents) < 1:
        raise ValueError(f"its shape, x first, is {tuple(extents)}; a volume has two or three axes")
    return len(extents)
