"""Chunks of volumes that were read lately, kept decompressed: batches of one volume overlap, and unpacking takes its time."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.volumes.array import Array
from lsd.volumes.source import Slices, Source
from lsd.volumes.volume import OpenVolume

# bytes a process: a volume of 250^3 with uint64 labels and a mask, whole
MEMORY = 256 << 20


class Memory:
    """What was asked for last, up to `size` bytes."""

    def __init__(self, size: int = MEMORY) -> None:
        self.size, self._used = size, 0
        self._kept: OrderedDict[object, NDArray[Any]] = OrderedDict()

    def get(self, key: object, read: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """What is kept under `key`, else what read() gives; not to be changed."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        data = self._kept[key] = read()
        self._used += data.nbytes
        while self._used > self.size:
            self._used -= self._kept.popitem(last=False)[1].nbytes
        return data


class Remembered(Source):
    """A source whose chunks are kept in `memory`, which several may share."""

    def __init__(self, source: Source, memory: Memory) -> None:
        super().__init__(source.path, source.name)
        self._memory = memory

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`, from memory where they are there."""
        if math.prod(self.chunks) * self.handle.dtype.itemsize > self._memory.size // 8:
            return super().read(slices)
        spans = [range(n)[part] if isinstance(part, slice) else range(part, part + 1) for part, n in self._axes(slices)]
        out = np.empty([len(span) for span in spans], self.handle.dtype)
        for index in itertools.product(
            *(range(span.start // size, -(-span.stop // size)) for span, size in zip(spans, self.chunks, strict=True))
        ):
            self._copy(index, spans, out)
        return np.asarray(out[tuple(slice(None) if isinstance(part, slice) else 0 for part in slices)])

    def _copy(self, index: tuple[int, ...], spans: list[range], out: NDArray[Any]) -> None:
        """Copies what `spans` hold of one chunk."""
        chunk = [slice(i * size, min((i + 1) * size, n)) for i, (size, n) in zip(index, self._axes(self.chunks), strict=True)]
        data = self._memory.get((str(self), index), lambda: super(Remembered, self).read(tuple(chunk)))
        common = [range(max(s.start, c.start), min(s.stop, c.stop)) for s, c in zip(spans, chunk, strict=True)]
        there = tuple(slice(r.start - s.start, r.stop - s.start) for r, s in zip(common, spans, strict=True))
        here = tuple(slice(r.start - c.start, r.stop - c.start) for r, c in zip(common, chunk, strict=True))
        out[there] = data[here]

    def _axes(self, values: Any) -> Any:
        return zip(values, self.handle.shape, strict=True)


def remember(volume: OpenVolume, memory: Memory) -> OpenVolume:
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
