"""Chunks of volumes that were read lately, kept decompressed: batches of one volume overlap, and
unpacking takes its time."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.memory import MEMORY, Memory
from lsd.volumes.array import Array
from lsd.volumes.formats.format import FileArray, Slices
from lsd.volumes.source import Source
from lsd.volumes.volume import OpenVolume

log = logging.getLogger(__name__)

# chunks from here on take long to unpack: so many of them are kept where there is memory for it
LARGE, SEVERAL = 32 << 20, 16


class Remembered(Source):
    """A source whose chunks are kept in `memory`, which several may share."""

    def __init__(self, source: Source, memory: Memory) -> None:
        super().__init__(source.path, source.name)
        self._source, self._memory, self._title = source, memory, str(source)

    def _open(self) -> FileArray:
        return self._source.handle

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`, from memory where they are there."""
        size = chunk_bytes(self)
        if size > self._memory.size or (size >= LARGE and self.in_one_piece):
            return self._source.read(slices)
        spans = [
            range(n)[part] if isinstance(part, slice) else range(part, part + 1)
            for part, n in self._axes(slices)
        ]
        out = np.empty([len(span) for span in spans], self.handle.dtype)
        for index in itertools.product(
            *(
                range(span.start // size, -(-span.stop // size))
                for span, size in zip(spans, self.chunks, strict=True)
            )
        ):
            self._copy(index, spans, out)
        return np.asarray(
            out[tuple(slice(None) if isinstance(part, slice) else 0 for part in slices)]
        )

    def _copy(self, index: tuple[int, ...], spans: list[range], out: NDArray[Any]) -> None:
        """Copies what `spans` hold of one chunk."""
        chunk = [
            slice(i * size, min((i + 1) * size, n))
            for i, (size, n) in zip(index, self._axes(self.chunks), strict=True)
        ]
        data = self._memory.get((self._source.key, index), lambda: self._source.read(tuple(chunk)))
        common = [
            range(max(s.start, c.start), min(s.stop, c.stop))
            for s, c in zip(spans, chunk, strict=True)
        ]
        inside_out = tuple(
            slice(r.start - s.start, r.stop - s.start) for r, s in zip(common, spans, strict=True)
        )
        inside_chunk = tuple(
            slice(r.start - c.start, r.stop - c.start) for r, c in zip(common, chunk, strict=True)
        )
        out[inside_out] = data[inside_chunk]

    def _axes(self, values: Any) -> Any:
        return zip(values, self.handle.shape, strict=True)


def with_memory(volume: OpenVolume, memory: Memory) -> OpenVolume:
    """`volume`, with all that is read of it kept in `memory`."""

    def kept(array: Array) -> Array:
        return Array(Remembered(array.source, memory), array.layout, array.dtype, roi=array.roi)

    return replace(
        volume,
        raw=kept(volume.raw),
        labels=volume.labels and kept(volume.labels),
        labels_mask=volume.labels_mask and kept(volume.labels_mask),
        arrays={name: kept(array) for name, array in volume.arrays.items()},
    )


def budget(volumes: Sequence[OpenVolume], *, processes: int, free: int | None) -> int:
    """Bytes of chunks that each of so many processes keeps: MEMORY, and more for large chunks where
    that is free.

    Of an array with large chunks it is to hold all, or SEVERAL; all processes together take half of
    what is `free`, and no more than usual where nobody knows what is.
    """
    wanted = MEMORY + sum(_wanted(array.source) for array in _large(volumes))
    return max(MEMORY, min(wanted, free // 2 // processes if free else MEMORY))


def warn_of_large(volumes: Sequence[OpenVolume], size: int) -> None:
    """Says which arrays have large chunks where `size` bytes do not hold what is wanted, so that
    samples unpack them anew."""
    large = _large(volumes)
    if sum(_wanted(array.source) for array in large) > size:
        for array in large:
            log.warning(
                "%s lies in chunks of %s voxels, %d MB each once unpacked, and a process has %d MB "
                "to keep chunks in: most "
                "samples unpack some anew, which is slow; store it in chunks of about 64 voxels a "
                "side, or take fewer "
                "train.workers, so that each has more memory",
                array.name,
                "x".join(map(str, array.source.chunks)),
                chunk_bytes(array.source) >> 20,
                size >> 20,
            )


def chunk_bytes(source: Source) -> int:
    """Bytes of one chunk when it is unpacked."""
    return int(math.prod(source.chunks)) * int(source.handle.dtype.itemsize)


def _wanted(source: Source) -> int:
    """All of an array, or several of its chunks; chunks at its end count as whole."""
    counts = [-(-n // size) for n, size in zip(source.handle.shape, source.chunks, strict=True)]
    return chunk_bytes(source) * min(int(math.prod(counts)), SEVERAL)


def _large(volumes: Sequence[OpenVolume]) -> list[Array]:
    """Arrays that are unpacked in large chunks."""
    arrays = [a for v in volumes for a in (v.raw, v.labels, v.labels_mask, *v.arrays.values()) if a]
    return [
        array
        for array in arrays
        if chunk_bytes(array.source) >= LARGE and not array.source.in_one_piece
    ]
