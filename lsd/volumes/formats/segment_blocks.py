"""Neuroglancer's compressed segmentation: blocks of voxels, each with a table of the ids in it.

Of each channel there is a header of 8 bytes a block, x fastest: where its table of ids is, by how
many bits a voxel names one of them, and where the bits of its voxels are.
Source: neuroglancer, sliceview/compressed_segmentation.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


def decoded(
    data: bytes, shape: tuple[int, ...], block: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Ids (c, z, y, x) of a chunk; block: z y x; dtype: uint32 or uint64.

    Raises ValueError for bytes that are no such chunk.
    """
    if len(data) % 4 or len(data) < 4 * shape[0]:
        raise ValueError(f"it holds {len(data)} bytes, which are no compressed segmentation")
    words = np.frombuffer(data, "<u4").astype(np.uint32)
    ids = np.empty(shape, np.uint64)
    for channel, found in enumerate(ids):
        begin = int(words[channel])
        sizes = np.array(block, np.int64)
        if not _decode(words[begin:], found, sizes, dtype.itemsize // 4):
            raise ValueError("it names words beyond its end")
    return ids.astype(dtype, copy=False)


@numba.njit(cache=True, nogil=True)
def _decode(words, ids, block, width):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fills `ids`; False where a word is named that is not there."""
    counts = [(ids.shape[axis] + block[axis] - 1) // block[axis] for axis in range(3)]
    if words.size < 2 * counts[0] * counts[1] * counts[2]:
        return False
    for z in range(ids.shape[0]):
        for y in range(ids.shape[1]):
            for x in range(ids.shape[2]):
                number = (z // block[0] * counts[1] + y // block[1]) * counts[2] + x // block[2]
                first = np.int64(words[2 * number])
                table, bits = first & 0xFFFFFF, first >> 24
                entry = np.int64(0)
                if bits > 0:
                    place = (z % block[0] * block[1] + y % block[1]) * block[2] + x % block[2]
                    at = np.int64(words[2 * number + 1]) + place * bits // 32
                    if at >= words.size or bits > 32:
                        return False
                    entry = np.int64(words[at]) >> (place * bits % 32) & ((np.int64(1) << bits) - 1)
                at = table + entry * width
                if at + width > words.size:
                    return False
                value = np.uint64(words[at])
                if width == 2:
                    value |= np.uint64(words[at + 1]) << np.uint64(32)
                ids[z, y, x] = value
    return True
