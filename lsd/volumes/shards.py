"""Shards of neuroglancer's precomputed formats: files that hold the data of many ids each.

A shard begins with an index of its minishards, and each minishard has an index of its ids.  Which
shard an id is in follows from a hash.
Source: neuroglancer_uint64_sharded_v1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lsd.volumes.formats.compressed import from_gzip

_TYPE = "neuroglancer_uint64_sharded_v1"
_ENCODINGS = ("raw", "gzip")
# bytes of an entry of the index of a shard
_ENTRY = 16
# indices of minishards that are kept
_KEPT = 64
_32 = 2**32 - 1


@dataclass(frozen=True)
class _Index:
    """Of a minishard: ids, and where in the file the data of each begin, and how many bytes they
    are."""

    ids: NDArray[np.uint64]
    begins: NDArray[np.uint64]
    sizes: NDArray[np.uint64]


class Shards:
    """The shards in a folder.

    sharding: as the `info` of the folder has it.  Raises ValueError for what is no such thing; and,
    when they are read, for files that are too short.
    """

    def __init__(self, folder: Path, sharding: Mapping[str, Any]) -> None:
        if sharding.get("@type") != _TYPE:
            raise ValueError(f"its shards are {sharding.get('@type')!r}; allowed: {_TYPE!r}")
        self.folder = folder
        self._of_index, self._of_data = (
            sharding.get(f"{name}_encoding", "raw") for name in ("minishard_index", "data")
        )
        for encoding in (self._of_index, self._of_data):
            if encoding not in _ENCODINGS:
                raise ValueError(f"its shards are encoded as {encoding!r}; allowed: raw, gzip")
        self._preshift, self._minishards, self._shards = (
            _bits(sharding, name) for name in ("preshift_bits", "minishard_bits", "shard_bits")
        )
        self._hash = sharding.get("hash", "identity")
        self._known: dict[tuple[str, int, int, int], _Index] = {}

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Ids and their data, file by file."""
        for opened, index in self._indices():
            places = (column.tolist() for column in (index.ids, index.begins, index.sizes))
            for name, begin, size in zip(*places, strict=True):
                yield name, self._decoded(_part(opened, begin, begin + size))

    def ids(self) -> Iterator[int]:
        """Of all shards."""
        # of a file that may be large the indices alone are read
        for _, index in self._indices():
            yield from index.ids.tolist()

    def file_of(self, name: int) -> Path:
        """The shard that an id is in.  ValueError for a hash that is not known."""
        number = self._place(name) >> self._minishards & (2**self._shards - 1)
        digits = -(-self._shards // 4)
        return self.folder / f"{number:0{digits}x}.shard"

    def get(self, name: int) -> bytes | None:
        """The data of an id; None where it has none."""
        path = self.file_of(name)
        if not path.exists():
            return None
        with path.open("rb") as opened:
            status = os.fstat(opened.fileno())
            minishard = self._place(name) & (2**self._minishards - 1)
            key = (path.name, status.st_mtime_ns, status.st_size, minishard)
            # blocks are read by two threads
            index = self._known.get(key)
            if index is None:
                place = _ENTRY * minishard
                begin, end = _numbers(_part(opened, place, place + _ENTRY), path).tolist()
                index = self._index(opened, begin, end)
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[key] = index
            [found] = np.nonzero(index.ids == np.uint64(name))
            if not len(found):
                return None
            begin, size = int(index.begins[found[0]]), int(index.sizes[found[0]])
            return self._decoded(_part(opened, begin, begin + size))

    @property
    def _head(self) -> int:
        """Bytes of the index of a shard."""
        return _ENTRY << self._minishards

    def _indices(self) -> Iterator[tuple[BinaryIO, _Index]]:
        """Of each minishard that holds something, with its file."""
        for path in sorted(self.folder.glob("*.shard")):
            with path.open("rb") as opened:
                head = _numbers(_part(opened, 0, self._head), path).reshape(-1, 2)
                for begin, end in head.tolist():
                    if begin != end:
                        yield opened, self._index(opened, begin, end)

    def _index(self, opened: BinaryIO, begin: int, end: int) -> _Index:
        """Each id is written as its distance from the one before, each begin as its distance from
        the end of the data before."""
        path, content = Path(opened.name), _part(opened, self._head + begin, self._head + end)
        if self._of_index == "gzip" and content:
            content = from_gzip(content)
        numbers = _numbers(content, path)
        if len(numbers) % 3:
            raise ValueError(f"{path.name} is damaged: an index of it has {len(numbers)} numbers")
        ids, begins, sizes = numbers.reshape(3, -1)
        ends = np.cumsum(sizes, dtype=np.uint64)
        begins = np.cumsum(begins, dtype=np.uint64) + ends - sizes + np.uint64(self._head)
        return _Index(np.cumsum(ids, dtype=np.uint64), begins, sizes)

    def _decoded(self, data: bytes) -> bytes:
        return from_gzip(data) if self._of_data == "gzip" and data else data

    def _place(self, name: int) -> int:
        """What the numbers of its shard and of its minishard are bits of."""
        shifted = name >> self._preshift
        if self._hash == "identity":
            return shifted
        if self._hash == "murmurhash3_x86_128":
            return murmurhash(shifted)
        raise ValueError(
            f"its shards are found by the hash {self._hash!r}; allowed: identity, "
            f"murmurhash3_x86_128"
        )


def murmurhash(number: int) -> int:
    """The low 64 bits of MurmurHash3_x86_128 of 8 bytes, with seed 0.

    Source: Appleby 2011, MurmurHash3.
    """
    first, second = number & _32, number >> 32 & _32
    low = _turned(first * 0x239B961B & _32, 15) * 0xAB0E9789 & _32
    high = _turned(second * 0xAB0E9789 & _32, 16) * 0x38B34AE5 & _32
    state = [part ^ 8 for part in (low, high, 0, 0)]
    state = _summed([_mixed(part) for part in _summed(state)])
    return state[0] | state[1] << 32


def _summed(state: list[int]) -> list[int]:
    total = sum(state) & _32
    return [total, *((part + total) & _32 for part in state[1:])]


def _mixed(part: int) -> int:
    part = (part ^ part >> 16) * 0x85EBCA6B & _32
    part = (part ^ part >> 13) * 0xC2B2AE35 & _32
    return part ^ part >> 16


def _turned(part: int, bits: int) -> int:
    return (part << bits | part >> (32 - bits)) & _32


def _bits(sharding: Mapping[str, Any], name: str) -> int:
    bits = sharding.get(name, 0)
    if type(bits) is not int or not 0 <= bits <= 64:
        raise ValueError(f"its shards have {name} {bits!r}; allowed: 0..64")
    return bits


def _numbers(data: bytes, path: Path) -> NDArray[np.uint64]:
    if len(data) % 8:
        raise ValueError(f"{path.name} is too short: an index of it ends in its middle")
    return np.frombuffer(data, "<u8")


def _part(opened: BinaryIO, begin: int, end: int) -> bytes:
    """Bytes of a file, which it has: a damaged index may name any."""
    path, size = Path(opened.name), os.fstat(opened.fileno()).st_size
    if not begin <= end <= size:
        raise ValueError(f"{path.name} has {size} bytes; its index names {begin} to {end}")
    opened.seek(begin)
    return opened.read(end - begin)
