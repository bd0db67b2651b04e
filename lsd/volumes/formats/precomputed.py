"""Neuroglancer's precomputed volumes, for reading: scales of images or segmentations, whose chunks
are files, or lie in shards.

The format counts axes from the fastest, x y z; here they are z y x.  Lengths are nm.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.spec.formats import PrecomputedVolume
from lsd.volumes.attributes import from_attributes
from lsd.volumes.formats.chunk_files import content
from lsd.volumes.formats.compressed import from_gzip
from lsd.volumes.formats.folders import Described, FolderArray
from lsd.volumes.formats.format import Chunk, FileArray, FileFormat, Slices, Unreadable
from lsd.volumes.metadata import SPACE, Statement
from lsd.volumes.metadata_values import json_object, mappings, shown
from lsd.volumes.shards import Shards
from lsd.volumes.units import LARGEST, lengths

_INFO = "info"
_OF_VOLUME = ("data_type", "num_channels")
_TYPES = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64", "float32")
_SEGMENTS, _PICTURES = "compressed_segmentation", ("jpeg", "png")
_ENCODINGS = ("raw", _SEGMENTS, *_PICTURES)
_GZIP = b"\x1f\x8b\x08"
# in which other programs keep chunks; what is not looked for would be taken for not there
_OTHERS = (".br", ".zst", ".zstd")
_NAME = re.compile(r"(-?\d+)-(-?\d+)_(-?\d+)-(-?\d+)_(-?\d+)-(-?\d+)(\.gz|\.br|\.zstd?)?")


class PrecomputedFormat(FileFormat[PrecomputedVolume]):
    """Folders with an `info` that lists scales; an array is a scale, the finest has no name."""

    reads = "neuroglancer precomputed folder"

    def claims(self, path: Path) -> bool:
        """Whether there is an `info`, and it lists scales."""
        return is_precomputed(path)

    def names(self, path: Path) -> list[str]:
        """Its scales are one image."""
        return [""]

    def find(self, path: Path, name: str) -> str | None:
        """A scale by its key; "": the finest."""
        keys = _keys(path)
        name = name.strip("/")
        return (keys[0] if keys else None) if not name else name if name in keys else None

    def levels(self, path: Path, name: str) -> list[str]:
        """The other scales."""
        return [key for key in _keys(path) if key != name]

    def title(self, path: Path, name: str) -> str:
        """The finest scale goes by the name of the volume."""
        return super().title(path, "" if name == _keys(path)[0] else name)

    def open(self, path: Path, name: str) -> FileArray:
        """See `PrecomputedArray`."""
        return PrecomputedArray(path, name)


class PrecomputedArray(FolderArray):
    """A scale, (z, y, x), with several channels (c, z, y, x).

    Raises ValueError naming the field of `info` that is wrong, or not known here.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.file = path / _INFO
        info = json_object(self.file)
        scale = _scale(path, key)
        where = f"{self.file}: scale {key}"
        channels = info.get("num_channels", 1)
        if type(channels) is not int or not 1 <= channels < LARGEST:
            raise ValueError(f"{self.file}: num_channels is {shown(channels)}; allowed: 1, 2, ..")
        kind = str(info.get("data_type")).lower()
        if kind not in _TYPES:
            raise ValueError(
                f"{self.file}: data_type is {shown(info.get('data_type'))}; these are read: "
                f"{', '.join(_TYPES)}"
            )
        self.size = _three(scale.get("size"), f"{where}: size", least=1)
        chunk_sizes = scale.get("chunk_sizes")
        first = chunk_sizes[0] if isinstance(chunk_sizes, list) and chunk_sizes else None
        self.chunk = _three(first, f"{where}: chunk_sizes", least=1)
        self.begin = _three(scale.get("voxel_offset", [0, 0, 0]), f"{where}: voxel_offset")
        self.encoding = scale.get("encoding")
        if self.encoding not in _ENCODINGS:
            raise ValueError(
                f"{where}: encoding is {shown(self.encoding)}; {', '.join(_ENCODINGS)} are read"
            )
        if self.encoding == _SEGMENTS:
            if kind not in ("uint32", "uint64"):
                raise ValueError(f"{where}: {_SEGMENTS} is of uint32 or uint64, not {kind}")
            self.block = _three(
                scale.get("compressed_segmentation_block_size"), f"{where}: block_size", least=1
            )
        self.channels = channels
        folder = (path / key).resolve() if ".." in Path(key).parts else path / key
        sharding = scale.get("sharding")
        self.shards = None if sharding is None else Shards(folder, _object(sharding, where))
        lead = () if channels == 1 else (channels,)
        super().__init__(
            folder,
            key,
            Described((*lead, *self.size), np.dtype(kind)),
            chunks=(*lead, *self.chunk),
            attrs=_attributes(scale, lead, self.begin),
        )

    def encoding_fields(self) -> dict[str, Any]:
        """Of the volume and of the scale; other programs note meshes there as well."""
        info = json_object(self.file)
        scale = _scale(self.file.parent, self.name)
        of_scale = {name: value for name, value in scale.items() if name != "resolution"}
        return {"scale": of_scale, **{name: info.get(name) for name in _OF_VOLUME}}

    def stated(self) -> Statement:
        """What `info` says."""
        return from_attributes(self.attrs, len(self.shape))

    def file_of(self, index: Chunk) -> Path:
        """By the place of the chunk in the world, x first; or its shard."""
        index = index[-3:]
        if self.shards is not None:
            return self.shards.file_of(self._number(index))
        parts = (
            f"{b + i * n}-{b + min((i + 1) * n, size)}"
            for i, b, n, size in zip(index, self.begin, self.chunk, self.size, strict=True)
        )
        plain = self.folder / "_".join(reversed([*parts]))
        packed = plain.with_name(f"{plain.name}.gz")
        return packed if packed.exists() and not plain.exists() else plain

    def decoded(self, ranges: list[range]) -> Iterator[tuple[Chunk, NDArray[Any]]]:
        """Each chunk that is there."""
        for index in product(*ranges[-3:]):
            data = self._bytes(index)
            if data is not None:
                lead = (0,) * (len(self.shape) - 3)
                yield (*lead, *index), self._chunk(data, index)

    def check(self, slices: Slices, title: str) -> None:
        """What would be taken for not there: chunks that other programs compressed in ways that are
        not known here."""
        if self.shards is not None:
            return
        for index in product(*self.chunk_ranges(slices)[-3:]):
            file = self.file_of(index)
            if file.exists():
                continue
            for other in (file.with_name(file.name + suffix) for suffix in _OTHERS):
                if other.exists():
                    raise Unreadable(f"{other} is compressed as no file that is read: unpack it")

    def stored_chunks(self) -> Iterator[Chunk]:
        """Those that have a file, or are in a shard."""
        lead = (0,) * (len(self.shape) - 3)
        if self.shards is not None:
            grid = self._grid()
            for number in self.shards.ids():
                yield (*lead, *_place(number, grid))
            return
        for file in self.folder.iterdir() if self.folder.is_dir() else ():
            if named := _NAME.fullmatch(file.name):
                corner = [int(named[at]) for at in (5, 3, 1)]
                yield (*lead, *(
                    (at - b) // n for at, b, n in zip(corner, self.begin, self.chunk, strict=True)
                ))  # fmt: skip

    def why_empty(self, title: str) -> str:
        """No file is where `info` says."""
        return f"no chunk of {self.folder} is on disk: copy or compute it again"

    def chunk_name(self, chunk: Chunk) -> str:
        """Its file."""
        return str(self.file_of(chunk))

    def _bytes(self, index: Chunk) -> bytes | None:
        if self.shards is not None:
            return self.shards.get(self._number(index))
        return content(self.file_of(index))

    def _chunk(self, data: bytes, index: Chunk) -> NDArray[Any]:
        """Voxels, as far as the array goes."""
        shape = (self.channels, *(
            min(n, size - i * n) for i, n, size in zip(index, self.chunk, self.size, strict=True)
        ))  # fmt: skip
        wanted = prod(shape) * self.dtype.itemsize
        # web servers say beside a file that it is packed; who copied it may have no such word
        if data[:3] == _GZIP and not (self.encoding == "raw" and len(data) == wanted):
            data = from_gzip(data)
        if self.encoding == _SEGMENTS:
            # compiles, which not every program that opens a file is to wait for
            from lsd.volumes.formats.segment_blocks import decoded as decoded_segments

            values = decoded_segments(data, shape, self.block, self.dtype)
        elif self.encoding in _PICTURES:
            values = self._picture(data, shape)
        elif len(data) == wanted:
            values = np.frombuffer(data, self.dtype.newbyteorder("<")).reshape(shape)
        else:
            raise ValueError(f"it holds {len(data)} bytes of {wanted}")
        return values if self.channels > 1 else values[0]

    def _picture(self, data: bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        """Pixels in the order x, y, z, whatever the width of the picture; channels are colours."""
        try:
            codec = getattr(importlib.import_module("imagecodecs"), f"{self.encoding}_decode")
        except (ImportError, AttributeError):
            raise Unreadable(
                f"{self.folder} is encoded as {self.encoding}: pip install imagecodecs, which has "
                f"it"
            ) from None
        pixels = np.asarray(codec(data))
        if pixels.size != prod(shape) or pixels.dtype != self.dtype:
            raise ValueError(f"its picture is {pixels.shape} {pixels.dtype}, not {shape}")
        return np.moveaxis(pixels.reshape(*shape[1:], shape[0]), -1, 0)

    def _grid(self) -> tuple[int, ...]:
        return tuple(-(-size // n) for size, n in zip(self.size, self.chunk, strict=True))

    def _number(self, index: Chunk) -> int:
        """By which a chunk is found in shards: the bits of its indices, from the lowest, x first,
        as far as an axis has so many chunks (compressed Morton code)."""
        bits = enumerate(_bits_of(self._grid()))
        return sum((index[axis] >> bit & 1) << at for at, (axis, bit) in bits)


def is_precomputed(folder: Path) -> bool:
    """Whether there is an `info`, and it lists scales."""
    file = folder / _INFO
    return file.is_file() and b'"scales"' in file.read_bytes()[:100_000]


def _bits_of(grid: tuple[int, ...]) -> list[tuple[int, int]]:
    """Axis and bit of its index, for each bit of a chunk's number, from the lowest on."""
    most = max(n - 1 for n in grid).bit_length()
    return [(axis, bit) for bit in range(most) for axis in (2, 1, 0) if 2**bit < grid[axis]]


def _place(number: int, grid: tuple[int, ...]) -> Chunk:
    index = [0, 0, 0]
    for at, (axis, bit) in enumerate(_bits_of(grid)):
        index[axis] |= (number >> at & 1) << bit
    return tuple(index)


def _scales(path: Path) -> list[Mapping[str, Any]]:
    file = path / _INFO
    return mappings(json_object(file).get("scales"), f"{file}: scales")


def _scale(path: Path, key: str) -> Mapping[str, Any]:
    return next(scale for scale in _scales(path) if scale.get("key") == key)


def _keys(path: Path) -> list[str]:
    keys = [scale.get("key") for scale in _scales(path)]
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise ValueError(f"{path / _INFO} is damaged: its scales have the keys {shown(keys)}")
    return [str(key) for key in keys]


def _three(value: Any, title: str, *, least: int = -LARGEST) -> tuple[int, ...]:
    """Whole numbers of x, y, z, turned round."""
    if (
        not isinstance(value, list)
        or len(value) != 3
        or not all(type(n) is int and least <= n < LARGEST for n in value)
    ):
        raise ValueError(f"{title} is {shown(value)}; it must be whole numbers of x, y and z")
    return tuple(reversed(value))


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: sharding is {shown(value)}; it must be an object, {{...}}")
    return value


def _attributes(
    scale: Mapping[str, Any], lead: tuple[int, ...], begin: tuple[int, ...]
) -> dict[str, Any]:
    """Voxel size and place, nm, as plain attributes."""
    attributes: dict[str, Any] = {"axis_names": [*("c" for _ in lead), *SPACE], "units": "nm"}
    resolution = scale.get("resolution")
    if not isinstance(resolution, list):
        return attributes
    attributes["resolution"] = resolution[::-1]
    # of a resolution that is wrong it is told what
    with suppress(ValueError):
        attributes["offset"] = lengths(begin, resolution[::-1])
    return attributes
