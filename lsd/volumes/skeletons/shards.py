"""Shards of neuroglancer's precomputed formats: files that hold the data of many ids each.

A shard begins with an index of its minishards, and each minishard has an index of its ids.  Which
shard an id is in follows from a hash, which whoever reads all of them need not know.
Source: neuroglancer_uint64_sharded_v1.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPE = "neuroglancer_uint64_sharded_v1"
_ENCODINGS = ("raw", "gzip")


def entries(folder: Path, sharding: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    """Ids and their data, file by file.

    sharding: as the `info` of the folder has it.  Raises ValueError for what is no such thing, and
    for a file that is too short.
    """
    if sharding.get("@type") != _TYPE:
        raise ValueError(f"its shards are {sharding.get('@type')!r}; allowed: {_TYPE!r}")
    of_index, of_data = (
        sharding.get(f"{name}_encoding", "raw") for name in ("minishard_index", "data")
    )
    for encoding in (of_index, of_data):
        if encoding not in _ENCODINGS:
            raise ValueError(f"its shards are encoded as {encoding!r}; allowed: raw, gzip")
    count = 2 ** int(sharding.get("minishard_bits", 0))
    for path in sorted(folder.glob("*.shard")):
        shard = path.read_bytes()
        for begin, end in _numbers(shard[: 16 * count], path).reshape(-1, 2).tolist():
            index = _decoded(_part(shard, 16 * count + begin, end - begin, path), of_index)
            for name, at, size in _listed(_numbers(index, path).reshape(3, -1)):
                data = _part(shard, 16 * count + at, size, path)
                yield name, _decoded(data, of_data)


def _listed(index: NDArray[np.uint64]) -> Iterator[tuple[int, int, int]]:
    """Ids, and where the data of each begin and how many bytes they are.

    index: (3, n) each id as its distance from the one before, each begin as its distance from the
           end of the data before, and sizes
    """
    ids, sizes = np.cumsum(index[0], dtype=np.uint64), index[2]
    begins = np.cumsum(index[1], dtype=np.uint64) + np.cumsum(sizes, dtype=np.uint64) - sizes
    return zip(ids.tolist(), begins.tolist(), sizes.tolist(), strict=True)


def _numbers(data: bytes, path: Path) -> NDArray[np.uint64]:
    if len(data) % 8:
        raise ValueError(f"{path.name} is too short: an index of it ends in its middle")
    return np.frombuffer(data, "<u8")


def _part(shard: bytes, begin: int, size: int, path: Path) -> bytes:
    if begin + size > len(shard):
        raise ValueError(f"{path.name} has {len(shard)} bytes; its index names {begin + size}")
    return shard[begin : begin + size]


def _decoded(data: bytes, encoding: str) -> bytes:
    return gzip.decompress(data) if encoding == "gzip" and data else data
