"""Which chunks of an array are on disk: what was never written holds the fill value and need not be
read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from funlib.geometry import Coordinate
from numpy.typing import NDArray

from lsd.volumes.array import Array
from lsd.volumes.source import Source

Indices = NDArray[np.int64]


def stored(array: Array) -> tuple[Indices, Coordinate] | None:
    """Where the chunks of `array` that are on disk begin, (n, dims) in voxels of the world, and
    their shape.

    None where all of it is to be read: the format does not tell, or what was never written is not
    0.
    """
    source = array.source
    fill = getattr(source.handle, "fillvalue" if source.kind == "hdf5" else "fill_value", None)
    if fill is None or np.any(np.asarray(fill)):
        return None
    found = chunks(source)
    if found is None:
        return None
    axes = [array.layout.disk.index(axis) for axis in array.axes[-array.roi.dims :]]
    shape = np.array(source.chunks, np.int64)[axes]
    places = np.unique(found[:, axes], axis=0)  # once for all channels
    return places * shape + np.asarray(array.layout.offset), Coordinate(shape.tolist())


def chunks(source: Source) -> Indices | None:
    """Indices (n, axes on disk) of the chunks that are on disk; None where the format does not
    tell."""
    if source.kind == "zarr":
        return _table(
            _zarr(source.path / source.name, len(source.chunks), _separator(source)), source
        )
    return _table(_hdf5(source), source) if source.kind == "hdf5" else None


def lost(array: Array) -> str:
    """Why `array` reads as one value where no chunk of it is on disk, as the end of a sentence;
    empty if some are."""
    source = array.source
    found = chunks(source)
    if found is None or len(found):
        return ""
    if source.kind != "zarr":
        return f"; nothing was ever written to {source}"
    folder, separator = source.path / source.name, _separator(source)
    other = "/" if separator == "." else "."
    for index in _zarr(folder, len(source.chunks), other):
        there, wanted = other.join(map(str, index)), separator.join(map(str, index))
        return (
            f"; chunks of {folder} are called {there} where its .zarray says {wanted}: set "
            f'"dimension_separator": "{other}" in it'
        )
    return f"; no chunk of {folder} is on disk: copy or compute it again"


def _separator(source: Source) -> str:
    return getattr(source.handle, "_dimension_separator", None) or "."


def _table(found: Iterator[tuple[int, ...]] | None, source: Source) -> Indices | None:
    """The indices that lie inside the array, ascending."""
    if found is None:
        return None
    dims = len(source.chunks)
    table = np.array(list(found), np.int64).reshape(-1, dims)
    inside = (table * np.array(source.chunks) < np.array(source.handle.shape)).all(axis=1)
    return np.unique(table[inside], axis=0)


def _zarr(folder: Path, axes: int, separator: str) -> Iterator[tuple[int, ...]]:
    """Indices of chunk files, by their names."""
    if separator == "/" and axes > 1:
        for name in _numbers(folder):
            yield from ((name, *rest) for rest in _zarr(folder / str(name), axes - 1, separator))
        return
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            parts = entry.name.split(".")
            if len(parts) == axes and all(part.isdigit() for part in parts) and entry.is_file():
                yield tuple(map(int, parts))


def _numbers(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]


def _hdf5(source: Source) -> Iterator[tuple[int, ...]] | None:
    handle = source.handle
    if handle.chunks is None:
        return None if handle.id.get_storage_size() else iter(())
    if not hasattr(handle.id, "chunk_iter"):
        return None
    offsets: list[tuple[int, ...]] = []
    if handle.id.get_storage_size():
        handle.id.chunk_iter(lambda info: offsets.append(info.chunk_offset))
    return (
        tuple(n // size for n, size in zip(offset, handle.chunks, strict=True))
        for offset in offsets
    )
