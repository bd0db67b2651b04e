"""N5 folders, for reading.

N5 counts axes from the fastest, x y z, and so do the attributes of an array; here they are turned
round, z y x, as every other format has them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.spec.formats import N5
from lsd.volumes.formats import groups
from lsd.volumes.formats.chunk_files import content, indices_of_files
from lsd.volumes.formats.compressed import DECODERS, Bytes
from lsd.volumes.formats.folders import Described, FolderArray, FolderFormat
from lsd.volumes.formats.format import Chunk, FileArray
from lsd.volumes.metadata import Statement
from lsd.volumes.metadata_values import as_tuple, json_object, shown
from lsd.volumes.units import LARGEST

_TYPES = (
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
)  # fmt: skip
_OF_N5 = ("dimensions", "blockSize", "dataType", "compression", "compressionType")
# kinds of blocks
_PLAIN, _COUNTED = 0, 1


class N5Format(FolderFormat[N5]):
    """Folders with an attributes.json."""

    reads = "N5 folder"
    suffixes = (".n5",)

    def claims(self, path: Path) -> bool:
        """Whether the folder has the file that describes it, and is not zarr."""
        is_zarr = groups.is_zarr2(path) or (path / groups.ZARR3).exists()
        return (path / groups.N5).is_file() and not is_zarr

    def is_array(self, folder: Path) -> bool:
        """Whether attributes.json gives it dimensions."""
        return "dimensions" in json_object(folder / groups.N5)

    def open(self, path: Path, name: str) -> FileArray:
        """See `N5Array`."""
        return N5Array(path, name)


class N5Array(FolderArray):
    """An array; its blocks are files.

    Raises ValueError naming the field of attributes.json that is wrong, or not known here.
    """

    def __init__(self, path: Path, name: str) -> None:
        folder = path / name
        self.file = folder / groups.N5
        fields = json_object(self.file)
        if fields.get("isLabelMultiset"):
            raise ValueError(
                f"{self.file} says that it is a label multiset, which is not read: export it from "
                f"Paintera as uint64"
            )
        shape = _sizes(fields, "dimensions", self.file)
        block = _sizes(fields, "blockSize", self.file, axes=len(shape))
        kind = fields.get("dataType")
        if kind not in _TYPES:
            raise ValueError(
                f"{self.file}: dataType is {shown(kind)}; these are read: {', '.join(_TYPES)}"
            )
        self.decompress = _decoder(fields, self.file)
        described = Described(shape, np.dtype(kind))
        super().__init__(folder, name, described, chunks=block, attrs=groups.turned_round(fields))

    def encoding_fields(self) -> dict[str, Any]:
        """What N5 itself knows of attributes.json."""
        return {name: value for name, value in json_object(self.file).items() if name in _OF_N5}

    def file_of(self, index: Chunk) -> Path:
        """A folder an axis, x first."""
        return self.folder.joinpath(*map(str, reversed(index)))

    def decoded(self, ranges: list[range]) -> Iterator[tuple[Chunk, NDArray[Any]]]:
        """Each block that has a file."""
        for index in product(*ranges):
            if (data := content(self.file_of(index))) is not None:
                yield index, self._block(data)

    def stored_chunks(self) -> Iterator[Chunk]:
        """Those that have a file."""
        for index in indices_of_files(self.folder, len(self.shape), "/"):
            yield index[::-1]

    def why_empty(self, title: str) -> str:
        """No block is where N5 has them."""
        return f"no block of {self.folder} is on disk: copy or compute it again"

    def chunk_name(self, chunk: Chunk) -> str:
        """The file of the block."""
        return str(self.file_of(chunk))

    def stated(self) -> Statement:
        """What its attributes, and the groups around it, say; a pixelResolution of a coarser level
        is that of the finest, or its own, which nobody can tell."""
        said = super().stated()
        factors = as_tuple(self.attrs.get("downsamplingFactors", ()))
        if "pixelResolution" not in self.attrs or all(factor == 1 for factor in factors):
            return said
        reason = f"its pixelResolution stands beside downsamplingFactors {shown(factors)}"
        return replace(said, voxel_size=None, unused=reason)

    def _block(self, data: bytes) -> NDArray[Any]:
        """A block, as large as all are: those at the border may be stored smaller."""
        kind, axes = struct.unpack_from(">HH", data)
        if kind not in (_PLAIN, _COUNTED) or axes != len(self.shape):
            raise ValueError(f"its header says that it is of kind {kind}, with {axes} axes")
        begin = struct.calcsize(f">HH{axes}I")
        sizes = struct.unpack_from(f">{axes}I", data, 4)[::-1]
        values = self.decompress(memoryview(data)[begin + 4 * (kind == _COUNTED) :])
        wanted = prod(sizes) * self.dtype.itemsize
        if len(values) != wanted:
            raise ValueError(f"it holds {len(values)} bytes of {wanted}")
        block = np.frombuffer(values, self.dtype.newbyteorder(">")).reshape(sizes)
        assert self.chunks is not None
        if sizes == self.chunks:
            return block
        whole = np.zeros(self.chunks, self.dtype)
        fitting = tuple(slice(min(n, m)) for n, m in zip(sizes, self.chunks, strict=True))
        whole[fitting] = block[fitting]
        return whole


def _sizes(
    fields: Mapping[str, Any], name: str, file: Path, *, axes: int | None = None
) -> tuple[int, ...]:
    value = fields.get(name)
    fits = isinstance(value, list) and all(type(n) is int and 1 <= n < LARGEST for n in value)
    if not isinstance(value, list) or not fits or len(value) != (axes or len(value)):
        raise ValueError(
            f"{file} is damaged: {name} is {shown(value)}; it must be a whole number an axis"
        )
    return tuple(reversed(value))


def _decoder(fields: Mapping[str, Any], file: Path) -> Callable[[Bytes], Bytes]:
    settings = fields.get("compression", {"type": fields.get("compressionType")})
    kind = settings.get("type") if isinstance(settings, Mapping) else settings
    if kind == "raw":
        return lambda data: data
    if kind == "gzip" and isinstance(settings, Mapping) and settings.get("useZlib"):
        kind = "zlib"
    if kind not in DECODERS or kind == "crc32c":
        allowed = ", ".join(["raw", *(name for name in DECODERS if name != "crc32c")])
        raise ValueError(
            f"{file}: compression is {shown(kind)}; {allowed} are read: write it with gzip"
        )
    return DECODERS[kind]
