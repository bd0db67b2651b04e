"""What is compressed as bytes, by the names that zarr v3 and N5 have for it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zlib
from collections.abc import Callable

from numcodecs import blosc, zstd

Bytes = bytes | memoryview
# in the header of a Blosc buffer: its length
_BLOSC_SIZE = slice(12, 16)
_CRC_SIZE = 4
# the begin of a frame; bits of the byte after it, one of which is set where it says its size
_ZSTD, _SAYS_SIZE = b"\x28\xb5\x2f\xfd", 0xE0


def from_blosc(data: Bytes) -> bytes:
    """What Blosc compressed.  numcodecs reads past the end of a buffer that was cut off."""
    if is_cut_blosc(data, len(data)):
        raise ValueError("it is truncated")
    return bytes(blosc.decompress(data))


def is_cut_blosc(begin: Bytes, size: int) -> bool:
    """Whether what Blosc compressed is longer than `size`; begin: its first 16 bytes at least."""
    return len(begin) < 16 or size < struct.unpack("<I", begin[_BLOSC_SIZE])[0]


def from_gzip(data: Bytes) -> bytes:
    """What gzip compressed.  ValueError for what is damaged, of which Python has errors of three
    families."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from error


def from_zstd(data: Bytes) -> bytes:
    """What Zstandard compressed.  Frames that were written piece by piece do not say how long their
    content is, and numcodecs takes those for damaged."""
    if bytes(data[:4]) == _ZSTD and len(data) > 4 and not data[4] & _SAYS_SIZE:
        try:
            from imagecodecs import zstd_decode  # an extra
        except ImportError:
            raise ImportError(
                "it is a Zstandard frame that does not say how long its content is: pip install "
                "imagecodecs, which reads those"
            ) from None
        return bytes(zstd_decode(bytes(data)))
    return bytes(zstd.decompress(data))


def from_crc32c(data: Bytes) -> bytes:
    """What stands before a checksum of it.  ValueError where that is another one."""
    # compiles, which not every program that opens a file is to wait for
    from lsd.volumes.formats.checksum import crc32c

    content, end = bytes(data[:-_CRC_SIZE]), bytes(data[-_CRC_SIZE:])
    if len(end) < _CRC_SIZE or crc32c(content) != struct.unpack("<I", end)[0]:
        raise ValueError("its checksum is another one")
    return content


DECODERS: dict[str, Callable[[Bytes], bytes]] = {
    "blosc": from_blosc,
    "zstd": from_zstd,
    "gzip": from_gzip,
    "zlib": zlib.decompress,
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
    "crc32c": from_crc32c,
}
