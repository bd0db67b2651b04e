"""How zarr v3 keeps a chunk: codecs, from values to bytes and back.

transpose          axes in another order
bytes              values, little or big endian
sharding_indexed   many chunks in one file, with an index of where each lies
zstd, blosc, gzip, crc32c ..   of bytes
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from lsd.volumes.formats.compressed import DECODERS, Bytes
from lsd.volumes.formats.format import Chunk
from lsd.volumes.metadata_values import mapping, shown

# in an index: of a chunk that is not there
_NONE = 2**64 - 1
_ENTRY = np.dtype("<u8")
_CHECKSUM = 4
# zarr-python writes codecs of numcodecs by names of its own
_OURS = {"numcodecs.zlib": "zlib", "numcodecs.bz2": "bzip2", "numcodecs.gzip": "gzip",
         "numcodecs.zstd": "zstd", "numcodecs.blosc": "blosc"}  # fmt: skip


class Values(Protocol):
    """From bytes to the values of a chunk."""

    def decode(self, data: Bytes) -> NDArray[Any]:
        """The values; ValueError where the bytes are not those of a chunk."""
        ...


@dataclass(frozen=True)
class Raw:
    """Values one after another; dtype: with its byte order."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def decode(self, data: Bytes) -> NDArray[Any]:
        """A view of the bytes."""
        wanted = prod(self.shape) * self.dtype.itemsize
        if len(data) != wanted:
            raise ValueError(f"it holds {len(data)} bytes of {wanted}")
        return np.frombuffer(data, self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class Chain:
    """Codecs of a chunk: values, whose axes were put in an order, and what was done to the bytes.

    orders: of the axes, in the order in which they were applied; decoders: in that in which they
            are undone
    """

    orders: tuple[tuple[int, ...], ...]
    values: Values
    decoders: tuple[Callable[[Bytes], bytes], ...]

    def decode(self, data: Bytes) -> NDArray[Any]:
        """The values of a chunk."""
        for decoder in self.decoders:
            data = decoder(data)
        values = self.values.decode(data)
        for order in reversed(self.orders):
            values = values.transpose(np.argsort(order))
        return values

    @property
    def shards(self) -> Sharded | None:
        """Where a file may be read in parts: its chunks, and where they lie."""
        if isinstance(self.values, Sharded) and not self.orders and not self.decoders:
            return self.values
        return None


@dataclass(frozen=True)
class Sharded:
    """Many chunks in one file.

    shape, chunk: voxels of both; inner: codecs of a chunk; index: codecs of the index, which is
    `size` bytes at the end of the file, or at its begin; fill: of a chunk that is not there
    """

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    inner: Chain
    index: Chain
    size: int
    at_end: bool
    fill: np.generic

    @cached_property
    def grid(self) -> tuple[int, ...]:
        """Chunks along each axis."""
        return tuple(n // size for n, size in zip(self.shape, self.chunk, strict=True))

    def decode(self, data: Bytes) -> NDArray[Any]:
        """All of its chunks."""
        whole = np.full(self.shape, self.fill)
        where = self.index.decode(data[-self.size :] if self.at_end else data[: self.size])
        for index in product(*map(range, self.grid)):
            begin, size = where[index]
            if begin == size == _NONE:
                continue
            at = tuple(slice(i * n, (i + 1) * n) for i, n in zip(index, self.chunk, strict=True))
            whole[at] = self.inner.decode(_part(data, int(begin), int(size)))
        return whole

    def read(self, file: Path, ranges: Sequence[range]) -> Iterator[tuple[Chunk, NDArray[Any]]]:
        """Of a file, the chunks in ranges of their indices that are there."""
        with file.open("rb") as opened:
            length = os.fstat(opened.fileno()).st_size
            where = self._index(opened, length)
            for index in product(*ranges):
                begin, size = map(int, where[index])
                if begin == size == _NONE:
                    continue
                # a damaged index may name any
                if begin + size > length:
                    raise ValueError(f"it is truncated: it has {length} bytes of {begin + size}")
                opened.seek(begin)
                yield index, self.inner.decode(opened.read(size))

    def stored(self, file: Path) -> Iterator[Chunk]:
        """Indices of the chunks that are in a file."""
        with file.open("rb") as opened:
            try:
                where = self._index(opened, os.fstat(opened.fileno()).st_size)
            except ValueError as error:
                raise ValueError(f"the index of {file}: {error}") from error
        yield from map(tuple, np.argwhere((where != _NONE).any(axis=-1)).tolist())

    def _index(self, opened: BinaryIO, length: int) -> NDArray[Any]:
        if length < self.size:
            raise ValueError("it is truncated")
        opened.seek(length - self.size if self.at_end else 0)
        return self.index.decode(opened.read(self.size))


def chain(
    described: Any, shape: tuple[int, ...], dtype: np.dtype[Any], *, fill: np.generic, title: str
) -> Chain:
    """The codecs that a list describes, of chunks of a shape.

    title: what the list is called in messages.  Raises ValueError for a codec that is not known,
    or that does not fit, with the field.
    """
    steps = _named(described, title)
    orders: list[tuple[int, ...]] = []
    while steps and steps[0][0] == "transpose":
        order = steps.pop(0)[1].get("order")
        if not isinstance(order, list) or sorted(order) != list(range(len(shape))):
            raise ValueError(
                f"{title}: transpose has the order {shown(order)}; it must name each of "
                f"{len(shape)} axes once"
            )
        orders.append(tuple(order))
        shape = tuple(shape[axis] for axis in order)
    if not steps:
        raise ValueError(f"{title} is {shown(described)}; one codec must make bytes of values")
    (name, settings), *compressors = steps
    values: Values
    if name == "bytes":
        values = Raw(shape, dtype.newbyteorder(_endian(settings, dtype, title)))
    elif name == "sharding_indexed":
        values = _sharded(settings, shape, dtype, fill=fill, title=f"{title}: sharding_indexed")
    else:
        raise ValueError(f"{title} begins with {shown(name)}; bytes and sharding_indexed are read")
    decoders = [_decoder(codec, title) for codec, _ in compressors]
    return Chain(tuple(orders), values, tuple(reversed(decoders)))


def named(value: Any, title: str) -> tuple[str, Mapping[str, Any]]:
    """The name and the settings of what zarr v3 calls an extension: an object, or its name."""
    if isinstance(value, str):
        return value, {}
    fields = mapping(value, title)
    name = fields.get("name")
    if not isinstance(name, str):
        raise ValueError(f"{title} is {shown(value)}; it must have a name")
    return name, mapping(fields.get("configuration"), f"{title}: configuration of {name}")


def whole_numbers(value: Any, axes: int, title: str, *, least: int) -> tuple[int, ...]:
    """A list of a number for each axis.  ValueError for any other value."""
    fits = isinstance(value, list) and all(type(n) is int and least <= n < 2**63 for n in value)
    if not fits or len(value) != axes:
        raise ValueError(f"{title} is {shown(value)}; it must be a whole number an axis")
    return tuple(value)


def _sharded(
    settings: Mapping[str, Any],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    fill: np.generic,
    title: str,
) -> Sharded:
    chunk = whole_numbers(settings.get("chunk_shape"), len(shape), f"{title}: chunk_shape", least=1)
    if any(n % size for n, size in zip(shape, chunk, strict=True)):
        raise ValueError(f"{title}: chunk_shape is {chunk}, which does not divide {shape}")
    grid = tuple(n // size for n, size in zip(shape, chunk, strict=True))
    codecs = settings.get("index_codecs")
    index = chain(codecs, (*grid, 2), _ENTRY, fill=np.uint64(_NONE), title=f"{title}: index_codecs")
    names = [name for name, _ in _named(codecs, title)]
    if set(names) - {"bytes", "crc32c", "transpose"}:
        raise ValueError(f"{title}: index_codecs are {names}; bytes and crc32c have a known size")
    at = settings.get("index_location", "end")
    if at not in ("start", "end"):
        raise ValueError(f"{title}: index_location is {shown(at)}; it must be start or end")
    inner = chain(settings.get("codecs"), chunk, dtype, fill=fill, title=f"{title}: codecs")
    size = 2 * prod(grid) * _ENTRY.itemsize + _CHECKSUM * names.count("crc32c")
    return Sharded(shape, chunk, inner, index, size, at == "end", fill)


def _named(described: Any, title: str) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(described, list):
        raise ValueError(f"{title} is {shown(described)}; it must be a list of codecs")
    return [named(each, title) for each in described]


def _endian(settings: Mapping[str, Any], dtype: np.dtype[Any], title: str) -> Any:
    endian = settings.get("endian", "little" if dtype.itemsize == 1 else None)
    if endian not in ("little", "big"):
        raise ValueError(f"{title}: endian is {shown(endian)}; it must be little or big")
    return "<" if endian == "little" else ">"


def _decoder(name: str, title: str) -> Callable[[Bytes], bytes]:
    try:
        return DECODERS[_OURS.get(name, name)]
    except KeyError:
        raise ValueError(
            f"{title} has {shown(name)}; {', '.join(DECODERS)} are read: write it with zstd"
        ) from None


def _part(data: Bytes, begin: int, size: int) -> Bytes:
    return _whole(data[begin : begin + size], size)


def _whole(data: Bytes, size: int) -> Bytes:
    if len(data) != size:
        raise ValueError(f"it is truncated: {len(data)} of {size} bytes are there")
    return data
