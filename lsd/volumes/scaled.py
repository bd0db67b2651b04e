"""Several voxels of an array read as one: what lies on disk is made coarser as it is read, piece by
piece.

A voxel of a scale covers those of the world from index * scale on, so arrays of one world are
joined alike wherever they begin.  Where an array begins or ends inside of it, it stands for those
of its voxels that are there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.volumes.formats.format import Chunk, FileArray, Slices, Unreadable, without_indexed
from lsd.volumes.levels import How, coarser
from lsd.volumes.source import Source

# voxels on disk that are made coarser at once, where chunks are smaller
_PIECE = 1 << 21


class Scaling(NamedTuple):
    """How voxels become one, along each axis on disk.

    factor: how many; lead: how many of the first one lie before the array
    """

    factor: tuple[int, ...]
    lead: tuple[int, ...]
    how: How


class ScaledSource(Source):
    """An array of a container, read at a scale.

    level: holds the array at that scale, but for voxels that it ends in; None: nothing does
    """

    def __init__(self, source: Source, scaling: Scaling, level: Source | None = None) -> None:
        super().__init__(source.path, source.name)
        self.source, self.scaling, self.level = source, scaling, level

    def __str__(self) -> str:
        factor = "x".join(map(str, self.scaling.factor))
        made = f"{self.source} ({factor} voxels as one)"
        return made if self.level is None else f"{self.level} and, where that ends, {made}"

    @property
    def key(self) -> object:
        """What tells it from other sources of this process."""
        return self.source.key, self.scaling, self.level and self.level.key

    def _open(self) -> FileArray:
        return ScaledFile(self.source, self.scaling, self.level)


class ScaledFile(FileArray):
    """See `ScaledSource`."""

    def __init__(self, source: Source, scaling: Scaling, level: Source | None) -> None:
        self.source, self.scaling, self.level = source, scaling, level
        self._held = None if level is None else tuple(level.handle.shape)
        self._extent = tuple(source.handle.shape)
        self._shape = tuple(
            -(-(n + lead) // f)
            for n, f, lead in zip(self._extent, scaling.factor, scaling.lead, strict=True)
        )
        super().__init__(None, files=source.handle.files, chunks=self._pieces())

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels of the scale."""
        return self._shape

    @property
    def dtype(self) -> Any:
        """As on disk."""
        return self.source.handle.dtype

    @property
    def fill(self) -> Any:
        """Voxels that were never written are one that was never written."""
        return self.source.handle.fill

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`, made of a few pieces at a time."""
        bounds = self.bounds(slices)
        coarse = np.empty([end - begin for begin, end in bounds], self.dtype)
        for piece in product(*(self._cuts(axis, *part) for axis, part in enumerate(bounds))):
            inside = tuple(
                slice(b - first, e - first)
                for (b, e), (first, _) in zip(piece, bounds, strict=True)
            )
            coarse[inside] = self._piece(piece)
        return without_indexed(coarse, slices)

    def identity(self, slices: Slices) -> Iterator[bytes]:
        """That of the voxels on disk that are read."""
        bounds, handle = self.bounds(slices), self.source.handle
        if self.level is None or self._held is None:
            yield from handle.identity(self._on_disk(bounds))
            return
        held = [(begin, min(end, n)) for (begin, end), n in zip(bounds, self._held, strict=True)]
        if all(begin < end for begin, end in held):
            yield from self.level.handle.identity(tuple(slice(*part) for part in held))
        for axis, n in enumerate(self._held):
            begin, end = max(bounds[axis][0], n), bounds[axis][1]
            if begin < end:
                beyond = [*bounds[:axis], (begin, end), *bounds[axis + 1 :]]
                yield from handle.identity(self._on_disk(beyond))

    def stored_chunks(self) -> Iterator[Chunk] | None:
        """Pieces that hold voxels of a chunk that is on disk, some of them several times."""
        on_disk = self.source.handle.stored_chunks()
        return None if on_disk is None else self._holding(on_disk)

    def why_empty(self, title: str) -> str:
        """As of the array on disk."""
        return self.source.handle.why_empty(str(self.source))

    def _piece(self, piece: tuple[tuple[int, int], ...]) -> NDArray[Any]:
        try:
            if self.level is not None and self._is_held(piece):
                return self.level.read(tuple(slice(*part) for part in piece))
            data = self.source.read(self._on_disk(piece))
        except ValueError as error:
            # it names a chunk on disk, which whoever reads pieces of this one cannot
            raise Unreadable(str(error)) from error
        return coarser(data, self.scaling.factor, self.scaling.how)

    def _is_held(self, piece: tuple[tuple[int, int], ...]) -> bool:
        assert self._held is not None, "there is a level"
        return all(end <= n for (_, end), n in zip(piece, self._held, strict=True))

    def _on_disk(self, bounds: Sequence[tuple[int, int]]) -> tuple[slice, ...]:
        """Which voxels on disk are read for those within `bounds`."""
        factor, lead, _ = self.scaling
        return tuple(
            slice(max(begin * f - before, 0), min(end * f - before, n))
            for (begin, end), f, before, n in zip(bounds, factor, lead, self._extent, strict=True)
        )

    def _cuts(self, axis: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The pieces of a part of an axis.  A first voxel that begins before the array is one by
        itself: what is joined with it is fewer."""
        assert self.chunks is not None, "it has pieces"
        size = self.chunks[axis]
        cuts = {begin, end, *range(-(-begin // size) * size, end, size)}
        if self.scaling.lead[axis] and begin < 1 < end:
            cuts.add(1)
        if self._held is not None and begin < self._held[axis] < end:
            cuts.add(self._held[axis])
        return pairwise(sorted(cuts))

    def _pieces(self) -> tuple[int, ...]:
        """Shape of what is made coarser at once: whole chunks, several of small ones."""
        if self.level is not None and not self.level.in_one_piece:
            return self.level.chunks
        factor, whole = self.scaling.factor, self.source.in_one_piece
        chunks = (1,) * len(factor) if whole else self.source.chunks
        pieces = [max(1, c // f) for c, f in zip(chunks, factor, strict=True)]
        while math.prod(pieces) * math.prod(factor) * 2 <= _PIECE:
            open_axes = [axis for axis, n in enumerate(self._shape) if pieces[axis] < n]
            if not open_axes:
                break
            pieces[min(open_axes, key=lambda axis: pieces[axis] * factor[axis])] *= 2
        return tuple(pieces)

    def _holding(self, on_disk: Iterator[Chunk]) -> Iterator[Chunk]:
        factor, lead, _ = self.scaling
        sizes = list(
            zip(self.source.chunks, self._extent, factor, lead, self.chunks or (), strict=True)
        )
        for chunk in on_disk:
            ranges = []
            for index, (size, extent, f, before, piece) in zip(chunk, sizes, strict=True):
                first, last = index * size, min((index + 1) * size, extent) - 1
                ranges.append(
                    range((first + before) // f // piece, (last + before) // f // piece + 1)
                )
            yield from product(*ranges)
