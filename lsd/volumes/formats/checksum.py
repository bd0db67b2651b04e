"""The checksum CRC32C, which zarr v3 puts after chunks and indices."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

# Castagnoli's, reflected
_POLYNOMIAL = 0x82F63B78


def crc32c(data: bytes) -> int:
    """The checksum of bytes."""
    return int(_crc32c(np.frombuffer(data, np.uint8), _TABLE))


def _table() -> NDArray[np.uint32]:
    table = np.empty(256, np.uint32)
    for byte in range(256):
        entry = byte
        for _ in range(8):
            entry = entry >> 1 ^ (_POLYNOMIAL if entry & 1 else 0)
        table[byte] = entry
    return table


_TABLE = _table()


@numba.njit(cache=True, nogil=True)
def _crc32c(data, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    crc = np.uint32(0xFFFFFFFF)
    for byte in data:
        crc = table[(crc ^ byte) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc ^ np.uint32(0xFFFFFFFF)
